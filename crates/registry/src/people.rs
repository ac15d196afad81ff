//! People by dense number, and whom each identifier names.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasherDefault;

use sokhoe_chain::EventKey;
use sokhoe_record::{PartialDate, PersonId};

use crate::Refused;
use crate::aliases::{Alias, Aliases};
use crate::change::{Change, IdentifierDigest};
use crate::event_ids::{DigestHasher, DigestMap};

/// The dense number of a person: the order of registration, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PersonNumber(pub(crate) u32);

/// What later events of a person are checked against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The birth date last said.
    pub(crate) birth_date: Option<PartialDate>,
    /// The day of death, when known.
    pub(crate) died_on: Option<PartialDate>,
}

impl Facts {
    fn contradict(&self) -> bool {
        match (self.birth_date, self.died_on) {
            (Some(birth), Some(death)) => sokhoe_record::death_before_birth(death, birth),
            _ => false,
        }
    }
}

/// How one applied change is taken back.
#[derive(Debug)]
pub(crate) enum Undo {
    Register,
    Link(IdentifierDigest),
    Unlink(IdentifierDigest, PersonNumber),
    Fact(PersonNumber, Facts),
    Merge,
    Unmerge(EventKey),
}

#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: PersonId,
    pub(crate) facts: Facts,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct People {
    pub(crate) list: Vec<Person>,
    /// Ids are random and ours, so they need no hashing to be spread.
    numbers: HashMap<PersonId, PersonNumber, BuildHasherDefault<DigestHasher>>,
    pub(crate) identifiers: DigestMap<PersonNumber>,
    pub(crate) aliases: Aliases,
    applied: u64,
}

impl People {
    /// The position of the last event whose changes were applied.
    pub(crate) fn applied(&self) -> u64 {
        self.applied
    }

    /// Notes that all changes up to a position are applied.
    pub(crate) fn reach(&mut self, position: u64) {
        self.applied = self.applied.max(position);
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn ids(&self) -> Vec<PersonId> {
        self.list.iter().map(|person| person.id).collect()
    }

    pub(crate) fn number(&self, person: PersonId) -> Option<PersonNumber> {
        self.numbers.get(&person).copied()
    }

    pub(crate) fn id(&self, number: PersonNumber) -> Option<PersonId> {
        self.list.get(number.0 as usize).map(|person| person.id)
    }

    pub(crate) fn find(&self, identifier: IdentifierDigest) -> Option<PersonId> {
        self.identifiers
            .get(&identifier.0)
            .and_then(|number| self.id(*number))
    }

    pub(crate) fn facts(&self, person: PersonId) -> Option<Facts> {
        let number = self.number(person)?;
        self.list.get(number.0 as usize).map(|person| person.facts)
    }

    pub(crate) fn survivor(&self, person: PersonId, at: Option<u64>) -> Option<PersonId> {
        let number = self.number(person)?;
        self.id(self.aliases.survivor(number, at))
    }

    pub(crate) fn members(&self, survivor: PersonId, at: Option<u64>) -> Vec<PersonId> {
        let Some(number) = self.number(survivor) else {
            return Vec::new();
        };
        self.aliases
            .members(number, at)
            .into_iter()
            .filter_map(|n| self.id(n))
            .collect()
    }

    pub(crate) fn merge_of(&self, merge: EventKey) -> Option<(PersonId, PersonId)> {
        let alias = self.aliases.by_merge(merge)?;
        Some((self.id(alias.survivor)?, self.id(alias.retired)?))
    }

    pub(crate) fn check(&self, change: &Change) -> Result<(), Refused> {
        match change {
            Change::Registered {
                person,
                identifiers,
            } => {
                let free = |id: &IdentifierDigest| !self.identifiers.contains_key(&id.0);
                if self.number(*person).is_some() || !identifiers.iter().all(free) {
                    return Err(Refused::IdentifierTaken);
                }
                Ok(())
            }
            Change::Linked { person, identifier } => {
                let number = self.number(*person).ok_or(Refused::UnknownPerson)?;
                match self.identifiers.get(&identifier.0) {
                    Some(owner) if !self.same_record(*owner, number) => {
                        Err(Refused::IdentifierTaken)
                    }
                    _ => Ok(()),
                }
            }
            Change::Unlinked { person, .. } => self
                .number(*person)
                .map(|_| ())
                .ok_or(Refused::UnknownPerson),
            Change::Born { .. } | Change::Died { .. } => self.check_facts(change),
            Change::Merged {
                survivor, retired, ..
            } => self.check_merge(*survivor, *retired),
            Change::Unmerged { survivor, merge } => {
                let survivor = self.number(*survivor).ok_or(Refused::UnknownPerson)?;
                match self.aliases.by_merge(*merge) {
                    Some(alias) if alias.until.is_none() && alias.survivor == survivor => Ok(()),
                    _ => Err(Refused::NoSuchMerge),
                }
            }
        }
    }

    fn same_record(&self, one: PersonNumber, other: PersonNumber) -> bool {
        self.aliases.survivor(one, None) == self.aliases.survivor(other, None)
    }

    fn check_facts(&self, change: &Change) -> Result<(), Refused> {
        // A registration's own facts are checked with the event; here the person may not exist yet.
        let (Change::Born { person, .. } | Change::Died { person, .. }) = change else {
            return Ok(());
        };
        let mut facts = self.facts(*person).unwrap_or_default();
        set_fact(&mut facts, change);
        if facts.contradict() {
            Err(Refused::DeathBeforeBirth)
        } else {
            Ok(())
        }
    }

    fn check_merge(&self, survivor: PersonId, retired: PersonId) -> Result<(), Refused> {
        let survivor = self.number(survivor).ok_or(Refused::UnknownPerson)?;
        let retired = self.number(retired).ok_or(Refused::UnknownPerson)?;
        let stands = |person| self.aliases.survivor(person, None) == person;
        if survivor == retired || !stands(survivor) || !stands(retired) {
            return Err(Refused::AlreadyMerged);
        }
        Ok(())
    }

    /// Applies a checked change and says how to take it back.
    pub(crate) fn apply(&mut self, change: &Change, position: u64, undo: &mut Vec<Undo>) {
        match change {
            Change::Registered {
                person,
                identifiers,
            } => {
                let number = self.restore(*person, Facts::default());
                undo.push(Undo::Register);
                for identifier in identifiers {
                    self.link(*identifier, number, undo);
                }
            }
            Change::Linked { person, identifier } => {
                if let Some(number) = self.number(*person) {
                    self.link(*identifier, number, undo);
                }
            }
            Change::Unlinked { person, identifier } => {
                if self.find(*identifier) == Some(*person)
                    && let Some(owner) = self.identifiers.remove(&identifier.0)
                {
                    undo.push(Undo::Unlink(*identifier, owner));
                }
            }
            Change::Born { person, .. } | Change::Died { person, .. } => {
                let number = self.number(*person);
                let slot = number.and_then(|number| self.list.get_mut(number.0 as usize));
                if let (Some(number), Some(slot)) = (number, slot) {
                    undo.push(Undo::Fact(number, slot.facts));
                    set_fact(&mut slot.facts, change);
                }
            }
            Change::Merged {
                survivor,
                retired,
                merge,
            } => {
                let numbers = (self.number(*survivor), self.number(*retired));
                if let (Some(survivor), Some(retired)) = numbers {
                    let from = position;
                    let merge = *merge;
                    self.aliases.begin(Alias {
                        retired,
                        survivor,
                        merge,
                        from,
                        until: None,
                    });
                    undo.push(Undo::Merge);
                }
            }
            Change::Unmerged { merge, .. } => {
                self.aliases.end(*merge, position);
                undo.push(Undo::Unmerge(*merge));
            }
        }
    }

    /// Takes changes back, the last first; used when an atomic batch fails half way.
    pub(crate) fn revert(&mut self, undo: Vec<Undo>) {
        for step in undo.into_iter().rev() {
            match step {
                Undo::Register => {
                    if let Some(person) = self.list.pop() {
                        self.numbers.remove(&person.id);
                    }
                }
                Undo::Link(identifier) => {
                    self.identifiers.remove(&identifier.0);
                }
                Undo::Unlink(identifier, owner) => {
                    self.identifiers.insert(identifier.0, owner);
                }
                Undo::Fact(number, facts) => {
                    if let Some(slot) = self.list.get_mut(number.0 as usize) {
                        slot.facts = facts;
                    }
                }
                Undo::Merge => self.aliases.take_back(),
                Undo::Unmerge(merge) => self.aliases.reopen(merge),
            }
        }
    }

    // An identifier of a merged member stays with that member, for an unmerge to come.
    fn link(&mut self, identifier: IdentifierDigest, number: PersonNumber, undo: &mut Vec<Undo>) {
        if let Entry::Vacant(free) = self.identifiers.entry(identifier.0) {
            free.insert(number);
            undo.push(Undo::Link(identifier));
        }
    }

    pub(crate) fn restore(&mut self, person: PersonId, facts: Facts) -> PersonNumber {
        let number = PersonNumber(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        self.list.push(Person { id: person, facts });
        self.numbers.insert(person, number);
        number
    }
}

fn set_fact(facts: &mut Facts, change: &Change) {
    match change {
        Change::Born { on, .. } => facts.birth_date = *on,
        Change::Died { on, .. } => facts.died_on = *on,
        _ => {}
    }
}
