//! The directory: finds people by name and birth date, and knows where each has entries.
//!
//! Kept in memory by the runner, with a sealed snapshot at a clean stop. Looking up an identifier is
//! not its business: the registry does that, inside the commit.

use std::collections::{BTreeSet, HashMap};

use sokhoe_access::Filter;
use sokhoe_record::{PartialDate, PersonId, Sex};
use wincode::config::Configuration;
use wincode::{SchemaRead, SchemaWrite};

use crate::names::words;

const SNAPSHOT_VERSION: u32 = 1;
/// The most memory that one list of a snapshot may claim before it is read.
const LIST_BYTES_MAX: usize = 4 << 30;

/// What is known of the person looked for; every part that is given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Words of the name, in any order, with or without marks.
    pub name: String,
    /// The birth date, as far as it is known.
    pub birth_date: Option<PartialDate>,
}

/// A person that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Who.
    pub person_id: PersonId,
    /// Their name.
    pub name: String,
    /// Their birth date.
    pub birth_date: Option<PartialDate>,
    /// Their sex.
    pub sex: Option<Sex>,
    /// Whether every word of the name and the birth date fit, or only what was asked.
    pub whole: bool,
}

/// What the directory holds of one person.
#[derive(Debug, Clone, Default, PartialEq, Eq, SchemaRead, SchemaWrite)]
pub(crate) struct Card {
    pub(crate) name: String,
    pub(crate) birth_date: Option<PartialDate>,
    pub(crate) sex: Option<Sex>,
    /// The facility that said so; its name may be shown to that facility only.
    pub(crate) said_by: Option<u32>,
    /// Facilities with entries, by their number here.
    facilities: Vec<u32>,
    /// The person that this one is merged into.
    pub(crate) merged_into: Option<PersonId>,
}

/// Everyone, as of one position of the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    position: u64,
    cards: HashMap<PersonId, Card>,
    by_word: HashMap<String, BTreeSet<PersonId>>,
    facility_codes: Vec<String>,
    facility_numbers: HashMap<String, u32>,
}

#[derive(Debug, SchemaRead, SchemaWrite)]
pub(crate) struct Snapshot {
    version: u32,
    position: u64,
    facility_codes: Vec<String>,
    cards: Vec<(PersonId, Card)>,
}

impl Directory {
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn advance(&mut self, position: u64) {
        self.position = self.position.max(position);
    }

    /// Returns the number by which a facility is kept here.
    pub(crate) fn facility(&mut self, code: &str) -> u32 {
        if let Some(number) = self.facility_numbers.get(code) {
            return *number;
        }
        let number = u32::try_from(self.facility_codes.len()).unwrap_or(u32::MAX);
        self.facility_codes.push(code.to_owned());
        self.facility_numbers.insert(code.to_owned(), number);
        number
    }

    /// Notes that a facility has an entry of a person.
    pub(crate) fn visited(&mut self, person: PersonId, facility: u32) {
        let card = self.cards.entry(person).or_default();
        if !card.facilities.contains(&facility) {
            card.facilities.push(facility);
        }
    }

    /// Puts what is known of a person in place of what was.
    pub(crate) fn describe(&mut self, person: PersonId, describe: impl FnOnce(&mut Card)) {
        let card = self.cards.entry(person).or_default();
        let before = words(&card.name);
        describe(card);
        let after = words(&card.name);
        if before == after {
            return;
        }
        for word in before {
            if let Some(people) = self.by_word.get_mut(&word) {
                people.remove(&person);
            }
        }
        for word in after {
            self.by_word.entry(word).or_default().insert(person);
        }
    }

    /// Finds at most `limit` people, those whose whole name fits first.
    pub(crate) fn search(&self, filter: &Filter, query: &Query, limit: usize) -> Vec<Found> {
        let asked = words(&query.name);
        let Some(rarest) = self.rarest(&asked) else {
            return Vec::new();
        };
        let mut found: Vec<Found> = rarest
            .iter()
            .filter_map(|person| {
                let card = self.cards.get(person)?;
                self.fits(filter, card, &asked, query).then(|| Found {
                    person_id: *person,
                    name: card.name.clone(),
                    birth_date: card.birth_date,
                    sex: card.sex,
                    whole: words(&card.name).len() == asked.len()
                        && (query.birth_date.is_none() || query.birth_date == card.birth_date),
                })
            })
            .collect();
        found.sort_by(|a, b| (b.whole, &a.name, a.person_id).cmp(&(a.whole, &b.name, b.person_id)));
        found.truncate(limit);
        found
    }

    /// The people of the asked word that fewest have; `None` when a word is nobody's.
    fn rarest(&self, asked: &[String]) -> Option<&BTreeSet<PersonId>> {
        let mut rarest: Option<&BTreeSet<PersonId>> = None;
        for word in asked {
            let people = self.by_word.get(word)?;
            if rarest.is_none_or(|rarest| people.len() < rarest.len()) {
                rarest = Some(people);
            }
        }
        rarest
    }

    fn fits(&self, filter: &Filter, card: &Card, asked: &[String], query: &Query) -> bool {
        let seen = match filter {
            Filter::All => true,
            // A name that another facility stated is that facility's entry.
            Filter::OnlyFacility(code) => self.said(card, code),
            // What one person opens says nothing about others.
            Filter::Shared(sight) => self.said(card, sight.facility()),
        };
        let name = words(&card.name);
        seen && card.merged_into.is_none()
            && asked.iter().all(|word| name.contains(word))
            && query.birth_date.is_none_or(|asked| {
                card.birth_date.is_some_and(|known| {
                    asked.earliest() <= known.latest() && known.earliest() <= asked.latest()
                })
            })
    }

    fn said(&self, card: &Card, facility: &str) -> bool {
        let number = self.facility_numbers.get(facility);
        number.is_some() && card.said_by.as_ref() == number
    }

    /// Tells whether a facility has entries of anybody.
    pub(crate) fn knows_facility(&self, facility: &str) -> bool {
        self.facility_numbers.contains_key(facility)
    }

    /// Tells whether a facility has entries of a person.
    pub(crate) fn has_visited(&self, person: PersonId, facility: &str) -> bool {
        let number = self.facility_numbers.get(facility);
        match (self.cards.get(&person), number) {
            (Some(card), Some(number)) => card.facilities.contains(number),
            _ => false,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.cards.len()
    }

    /// Copies everything that a snapshot holds.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            version: SNAPSHOT_VERSION,
            position: self.position,
            facility_codes: self.facility_codes.clone(),
            cards: (self.cards.iter())
                .map(|(id, card)| (*id, card.clone()))
                .collect(),
        }
    }

    /// Restores from [`Snapshot::encode`] bytes; `None` when they cannot be used.
    pub(crate) fn restore(bytes: &[u8]) -> Option<Self> {
        let config = Configuration::default().with_preallocation_size_limit::<LIST_BYTES_MAX>();
        let snapshot: Snapshot = wincode::config::deserialize_exact(bytes, config).ok()?;
        if snapshot.version != SNAPSHOT_VERSION {
            return None;
        }
        let mut directory = Self::default();
        for code in &snapshot.facility_codes {
            directory.facility(code);
        }
        for (person, card) in snapshot.cards {
            directory.describe(person, |slot| *slot = card);
        }
        directory.position = snapshot.position;
        Some(directory)
    }
}

impl Snapshot {
    /// Returns the bytes, the same for the same directory; `None` when they would be too many.
    pub(crate) fn encode(mut self) -> Option<Vec<u8>> {
        self.cards.sort_by_key(|(id, _)| *id);
        let config = Configuration::default().with_preallocation_size_limit::<LIST_BYTES_MAX>();
        wincode::config::serialize(&self, config).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        let mut directory = Directory::default();
        let clinic = directory.facility("99001");
        for (number, name) in [(1, "Nguyễn Văn An"), (2, "Nguyễn An"), (3, "Trần Thị Bình")]
        {
            let person = PersonId::from_bytes([number; 16]);
            directory.visited(person, clinic);
            directory.describe(person, |card| {
                card.name = name.into();
                card.birth_date = PartialDate::parse("1985-03-07").ok();
                card.said_by = Some(clinic);
            });
        }
        directory.advance(9);
        directory
    }

    fn names(directory: &Directory, name: &str) -> Vec<String> {
        let query = Query {
            name: name.into(),
            birth_date: None,
        };
        directory
            .search(&Filter::All, &query, 10)
            .into_iter()
            .map(|found| found.name)
            .collect()
    }

    #[test]
    fn people_are_found_by_words_without_marks_whole_names_first() {
        assert_eq!(
            names(&directory(), "an nguyen"),
            ["Nguyễn An", "Nguyễn Văn An"]
        );
        assert!(names(&directory(), "an le").is_empty());
        assert!(names(&directory(), "").is_empty());
    }

    #[test]
    fn a_birth_date_must_be_possible() {
        let found = |date: &str| {
            let birth_date = PartialDate::parse(date).ok();
            let query = Query {
                name: "binh".into(),
                birth_date,
            };
            directory().search(&Filter::All, &query, 10).len()
        };
        assert_eq!(
            (found("1985"), found("1985-03-07"), found("1986")),
            (1, 1, 0)
        );
    }

    #[test]
    fn staff_find_only_whom_their_facility_described() {
        let query = Query {
            name: "binh".into(),
            birth_date: None,
        };
        let found = |code: &str| {
            directory()
                .search(&Filter::OnlyFacility(code.into()), &query, 10)
                .len()
        };
        assert_eq!((found("99001"), found("99002")), (1, 0));
    }

    #[test]
    fn a_changed_name_is_no_longer_found_by_the_old_one() {
        let mut directory = directory();
        directory.describe(PersonId::from_bytes([3; 16]), |card| {
            card.name = "Trần Bích".into()
        });
        assert!(names(&directory, "binh").is_empty());
        assert_eq!(names(&directory, "bich"), ["Trần Bích"]);
    }

    #[test]
    fn a_snapshot_restores_everything() {
        let bytes = directory().snapshot().encode().unwrap();
        let restored = Directory::restore(&bytes).unwrap();
        assert_eq!(restored.snapshot().encode().unwrap(), bytes);
        assert_eq!(names(&restored, "nguyen").len(), 2);
        assert!(Directory::restore(&bytes[1..]).is_none());
    }
}
