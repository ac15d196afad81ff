//! The write side's own state: people, their identifiers, aliases of merged people, event ids taken.
//!
//! Owns what must be decided inside a commit: uniqueness of identifiers, existence of people,
//! exactly-once. The log's writer applies every change before it acknowledges, so nothing here is
//! eventually consistent. Refuses files but for its runs of event ids, and knows no payload: a change comes in as a
//! [`Change`], made by [`changes_of`] from the typed event, alike while writing and while replaying the log.
//! Invariant: replaying the log from nothing gives the same registry as living through it.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod aliases;
mod change;
mod event_ids;
mod people;
mod snapshot;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use sokhoe_chain::EventKey;
use sokhoe_record::PersonId;

pub use change::{Change, Digests, IdentifierDigest, changes_of, concerns};
pub use event_ids::{EventKeys, IdRuns};
pub use snapshot::SnapshotError;

use event_ids::EventIds;
use people::People;

/// Why the registry refuses a change; nothing was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The identifier belongs to another person.
    #[error("an identifier is already linked to another person")]
    IdentifierTaken,
    /// The person is not in the registry.
    #[error("the person is not known")]
    UnknownPerson,
    /// A merge names a person who is already merged into another, or itself.
    #[error("the two people are already merged, or are the same")]
    AlreadyMerged,
    /// An unmerge names no merge that is in force between the two people.
    #[error("no merge in force has this event id")]
    NoSuchMerge,
    /// The death comes before the birth.
    #[error("the death would come before the birth")]
    DeathBeforeBirth,
}

/// People, identifiers, aliases and event ids, shared by the writer and all readers.
///
/// Reads take short locks; the writer takes the write lock per change, never across a sync.
#[derive(Debug, Default)]
pub struct Registry {
    ids: EventIds,
    people: RwLock<People>,
    pending: Mutex<HashMap<IdentifierDigest, PersonId>>,
}

impl Registry {
    /// Makes an empty registry, as of position 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the position of the event that has this id, when the id is taken.
    ///
    /// The position may belong to a group that is still being synced.
    #[must_use]
    pub fn taken(&self, key: EventKey) -> Option<u64> {
        self.ids.position_of(key)
    }

    /// Takes an event id for a position; called by the writer only.
    ///
    /// # Errors
    /// The position of the earlier event, when the id is taken already.
    pub fn take(&self, key: EventKey, position: u64) -> Result<(), u64> {
        self.ids.take(key, position)
    }

    /// Takes an id again that stands in the log, and so was free when it was taken first.
    pub fn retake(&self, key: EventKey, position: u64) {
        self.ids.insert_hot(key, position);
    }

    /// Gives an event id back that was taken for a request which then failed as a whole.
    pub fn give_back(&self, key: EventKey) {
        self.ids.give_back(key);
    }

    /// Keeps event ids in runs on a disk from here on, and uses those that lie there: all up to a position of
    /// the log's end. Returns up to where the ids are known; the caller takes those that follow.
    ///
    /// # Errors
    /// When the folder cannot be made or listed, or the log cannot be read where runs are missing.
    pub fn keep_ids(&mut self, place: IdRuns, position: u64, end: u64) -> std::io::Result<u64> {
        self.ids = EventIds::open(place, end)?;
        let settled = self.ids.settled();
        if settled < position {
            self.ids.load_settling(settled + 1..=position)?;
        }
        Ok(settled.max(position))
    }

    /// Moves the ids of durable events out of memory, where they are many or `in_any_case`; not called by the writer.
    ///
    /// # Errors
    /// The disk's; the ids then stay in memory.
    pub fn settle_ids(&self, durable: u64, in_any_case: bool) -> std::io::Result<()> {
        self.ids.settle(durable, in_any_case)
    }

    /// How many event ids lie in memory, and the bytes that the filters of all others take.
    #[must_use]
    pub fn id_memory(&self) -> (usize, usize) {
        (self.ids.hot_len(), self.ids.run_bytes())
    }

    /// How many people were ever registered, retired ones included.
    #[must_use]
    pub fn people_count(&self) -> usize {
        self.read().len()
    }

    /// Returns whom an identifier names, or would name once a registration in flight is decided.
    #[must_use]
    pub fn find(&self, identifier: IdentifierDigest) -> Option<PersonId> {
        // Looked up in this order, since the writer applies a registration before it is withdrawn;
        // but what is committed wins over an announcement that will be refused.
        let pending = self.pending().get(&identifier).copied();
        self.find_committed(identifier).or(pending)
    }

    /// Returns whom an identifier names, committed registrations only.
    #[must_use]
    pub fn find_committed(&self, identifier: IdentifierDigest) -> Option<PersonId> {
        self.read().find(identifier)
    }

    /// Tells whether a person was registered.
    #[must_use]
    pub fn knows(&self, person: PersonId) -> bool {
        self.read().number(person).is_some()
    }

    /// Returns the ids of all people in order of their numbers, retired ones included.
    #[must_use]
    pub fn all_people(&self) -> Vec<PersonId> {
        self.read().ids()
    }

    /// Announces a registration before the writer has decided it, so that later lines of the same
    /// batch find the person. The first announcement of an identifier wins.
    pub fn announce(&self, person: PersonId, changes: &[Change]) {
        let mut pending = self.pending();
        for change in changes {
            if let Change::Registered { identifiers, .. } = change {
                for identifier in identifiers {
                    pending.entry(*identifier).or_insert(person);
                }
            }
        }
    }

    /// Takes an announcement back, once the writer has decided or the request was given up.
    pub fn withdraw(&self, person: PersonId, changes: &[Change]) {
        let mut pending = self.pending();
        for change in changes {
            if let Change::Registered { identifiers, .. } = change {
                for identifier in identifiers {
                    if pending.get(identifier) == Some(&person) {
                        pending.remove(identifier);
                    }
                }
            }
        }
    }

    /// Applies the changes of one event, all or none; called by the writer in log order.
    ///
    /// # Errors
    /// The first rule that a change breaks; nothing was applied.
    pub fn apply(&self, changes: &[Change], position: u64) -> Result<(), Refused> {
        self.apply_all(std::iter::once((changes, position)))
            .map_err(|(_, refused)| refused)
    }

    /// Applies the changes of several events in order, all or none. A later event may build on an
    /// earlier one of the same call.
    ///
    /// # Errors
    /// The index of the event and the first rule that it breaks; nothing was applied.
    pub fn apply_all<'a>(
        &self,
        events: impl IntoIterator<Item = (&'a [Change], u64)>,
    ) -> Result<(), (usize, Refused)> {
        let mut undo = Vec::new();
        let mut people = self.write();
        for (index, (changes, position)) in events.into_iter().enumerate() {
            for change in changes {
                if let Err(refused) = people.check(change) {
                    people.revert(undo);
                    return Err((index, refused));
                }
                people.apply(change, position, &mut undo);
            }
            people.reach(position);
        }
        Ok(())
    }

    /// Returns the person whose record holds this one's entries at a position: itself, unless it
    /// was merged into another there. `None` as position means now.
    #[must_use]
    pub fn survivor(&self, person: PersonId, at: Option<u64>) -> Option<PersonId> {
        self.read().survivor(person, at)
    }

    /// Returns survivor and retired of a merge, in force or ended, by the key of its event.
    #[must_use]
    pub fn merge_of(&self, merge: EventKey) -> Option<(PersonId, PersonId)> {
        self.read().merge_of(merge)
    }

    /// Returns everyone whose entries make up a survivor's record at a position, survivor first.
    #[must_use]
    pub fn members(&self, survivor: PersonId, at: Option<u64>) -> Vec<PersonId> {
        self.read().members(survivor, at)
    }

    /// Copies people, identifiers and aliases as bytes, true at the returned position; the caller seals and stores
    /// them once that position is durable. `durable` is a position that was durable before the call.
    ///
    /// Cost: the writer waits while the tables are copied, some 30 ms for a million people.
    #[must_use]
    pub fn snapshot(&self, durable: u64) -> (Vec<u8>, u64) {
        let people = self.read().clone();
        // Everything durable was applied before it was, and what was applied since came in order.
        let position = people.applied().max(durable);
        (snapshot::write(position, &people), position)
    }

    /// Restores a registry without event ids and its position from [`Registry::snapshot`] bytes.
    ///
    /// # Errors
    /// When the bytes are not a whole snapshot of this version.
    pub fn restore(bytes: &[u8]) -> Result<(Self, u64), SnapshotError> {
        let (position, people) = snapshot::read(bytes)?;
        let registry = Self {
            people: RwLock::new(people),
            ..Self::default()
        };
        Ok((registry, position))
    }

    fn read(&self) -> RwLockReadGuard<'_, People> {
        self.people.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, People> {
        self.people.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<IdentifierDigest, PersonId>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
