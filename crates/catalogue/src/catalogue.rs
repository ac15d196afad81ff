//! The catalogue: an immutable snapshot of all lists, with the questions that others ask it. Keeps the
//! rule that only a complete list, in the version of the day, may say that a code does not exist.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use sokhoe_record::Date;

use crate::built_in;
use crate::code_key::CodeKey;
use crate::labels::{self, Labels};
use crate::list::{Crosswalk, Entry, List, ListIdentity, Loaded};

/// The system of Vietnam's administrative units.
const ADMINISTRATIVE_UNITS: &str = "dvhc";

/// A language of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Vietnamese.
    Vi,
    /// English; falls back to Vietnamese where a list has no English name.
    En,
}

/// Where a list came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// One of the project's own tables.
    BuiltIn,
    /// A file that the operator loaded.
    Loaded,
}

/// What the catalogue says about a code on a day.
#[derive(Debug, Clone, Copy)]
pub enum Check<'a> {
    /// The code is in a list that held on the day.
    Checked {
        /// The list that says so.
        list: &'a ListIdentity,
        /// Names and parent of the code.
        entry: &'a Entry,
    },
    /// A complete list held on the day and the code is not in it: the write side refuses it.
    Unknown {
        /// The list that says so.
        list: &'a ListIdentity,
    },
    /// No list can tell: the code is kept and marked unchecked.
    NoList,
}

/// One line about a list, for tables and `/v1/catalogue`.
#[derive(Debug, Clone, Serialize)]
pub struct ListSummary {
    /// Name, system and version.
    #[serde(flatten)]
    pub identity: ListIdentity,
    /// `list` or `crosswalk`.
    pub kind: &'static str,
    /// First day on which it holds.
    pub valid_from: Option<Date>,
    /// Last day on which it holds.
    pub valid_to: Option<Date>,
    /// Number of codes or rows.
    pub entries: usize,
    /// Whether an absent code does not exist.
    pub complete: bool,
    /// Built in or loaded.
    pub origin: Origin,
}

#[derive(Debug, Clone)]
struct Held<T> {
    item: Arc<T>,
    origin: Origin,
}

/// An immutable snapshot of all lists. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// By system; within one by name, then the newest version first.
    systems: HashMap<Box<str>, Vec<Held<List>>>,
    crosswalks: Vec<Held<Crosswalk>>,
}

impl Catalogue {
    /// The catalogue of the project's own tables alone.
    #[must_use]
    pub fn built_in() -> Self {
        built_in::catalogue().clone()
    }

    /// A snapshot with one more loaded list; one of the same name, system and version is replaced.
    #[must_use]
    pub fn with(&self, loaded: Loaded) -> Self {
        let mut next = self.clone();
        next.insert(loaded, Origin::Loaded);
        next
    }

    pub(crate) fn insert(&mut self, loaded: Loaded, origin: Origin) {
        match loaded {
            Loaded::List(list) => {
                let lists = self
                    .systems
                    .entry(list.identity.system.as_str().into())
                    .or_default();
                lists.retain(|held| held.item.identity != list.identity);
                lists.push(Held {
                    item: Arc::new(list),
                    origin,
                });
                lists.sort_by(|a, b| {
                    let key = |held: &Held<List>| Reverse(held.item.valid_from);
                    (&a.item.identity.name, key(a)).cmp(&(&b.item.identity.name, key(b)))
                });
            }
            Loaded::Crosswalk(crosswalk) => {
                self.crosswalks
                    .retain(|held| held.item.identity != crosswalk.identity);
                self.crosswalks.push(Held {
                    item: Arc::new(crosswalk),
                    origin,
                });
                self.crosswalks
                    .sort_by_key(|held| Reverse(held.item.valid_from));
            }
        }
    }

    /// Says what is known of `code` in `system` on `day`. A named version is asked whatever the day:
    /// old codes keep their value for what was recorded with them. Does not allocate.
    #[must_use]
    pub fn check(&self, system: &str, version: Option<&str>, code: &str, day: Date) -> Check<'_> {
        let Some(lists) = self.systems.get(system) else {
            return Check::NoList;
        };
        let Some(key) = CodeKey::new(system, code) else {
            return Check::NoList;
        };
        let mut named_in_part = None;
        let mut denied_by = None;
        for list in in_force(lists, version, day) {
            if !list.speaks_for(&key) {
                continue;
            }
            let entry = list
                .entry_of(&key)
                .filter(|e| version.is_some() || e.valid_on(day));
            match entry {
                Some(entry) if list.complete => {
                    return Check::Checked {
                        list: &list.identity,
                        entry,
                    };
                }
                Some(entry) => named_in_part = named_in_part.or(Some((list, entry))),
                None if list.complete => denied_by = denied_by.or(Some(list)),
                None => {}
            }
        }
        match (denied_by, named_in_part) {
            (Some(list), _) => Check::Unknown {
                list: &list.identity,
            },
            (None, Some((list, entry))) => Check::Checked {
                list: &list.identity,
                entry,
            },
            (None, None) => Check::NoList,
        }
    }

    /// Checks an address's commune against the administrative units of the day that the address
    /// names as its `list_date`.
    #[must_use]
    pub fn check_commune(&self, commune: &str, list_date: Date) -> Check<'_> {
        self.check(ADMINISTRATIVE_UNITS, None, commune, list_date)
    }

    /// The labels that a code demands, whatever its sender says.
    #[must_use]
    pub fn labels_for(&self, system: &str, code: &str) -> Labels {
        labels::labels_for(system, code)
    }

    /// The name of a code in a language: from a complete list where one has it, the newest first.
    #[must_use]
    pub fn display(&self, system: &str, code: &str, language: Language) -> Option<&str> {
        let key = CodeKey::new(system, code)?;
        let lists = self.systems.get(system)?;
        let find = |complete: bool| {
            let of_kind = lists.iter().filter(|held| held.item.complete == complete);
            of_kind.filter_map(|held| held.item.entry_of(&key)).next()
        };
        let entry = find(true).or_else(|| find(false))?;
        Some(match language {
            Language::En if !entry.en.is_empty() => &entry.en,
            _ => &entry.vi,
        })
    }

    /// The codes that an old code became, over all crosswalks of the system; none when it is not known
    /// to have changed or been replaced.
    #[must_use]
    pub fn successors(&self, system: &str, old: &str) -> Vec<&str> {
        let of_system = self
            .crosswalks
            .iter()
            .filter(|held| held.item.identity.system == system);
        let mut found = of_system
            .map(|held| held.item.successors(old))
            .filter(|rows| !rows.is_empty());
        found
            .next()
            .unwrap_or_default()
            .iter()
            .map(|row| &*row.new)
            .collect()
    }

    /// The list of this name that held on `day`.
    #[must_use]
    pub fn list_on(&self, system: &str, name: &str, day: Date) -> Option<&List> {
        let lists = self.systems.get(system)?;
        in_force(lists, None, day).find(|list| list.identity.name == name)
    }

    /// One line for each list and crosswalk, by system, name and version.
    #[must_use]
    pub fn lists(&self) -> Vec<ListSummary> {
        let lists = self.systems.values().flatten().map(|held| {
            let list = &held.item;
            ListSummary {
                identity: list.identity.clone(),
                kind: "list",
                valid_from: list.valid_from,
                valid_to: list.valid_to,
                entries: list.entries().len(),
                complete: list.complete,
                origin: held.origin,
            }
        });
        let crosswalks = self.crosswalks.iter().map(|held| ListSummary {
            identity: held.item.identity.clone(),
            kind: "crosswalk",
            valid_from: held.item.valid_from,
            valid_to: None,
            entries: held.item.rows().len(),
            complete: true,
            origin: held.origin,
        });
        let mut all: Vec<_> = lists.chain(crosswalks).collect();
        all.sort_by(|a, b| {
            let key = |s: &ListSummary| {
                let ListIdentity {
                    name,
                    system,
                    version,
                } = s.identity.clone();
                (system, s.kind, name, version)
            };
            key(a).cmp(&key(b))
        });
        all
    }
}

/// The lists that speak on the day: of each name the newest version that held, or, where a version is
/// named, exactly that one.
fn in_force<'a, 'v>(
    lists: &'a [Held<List>],
    version: Option<&'v str>,
    day: Date,
) -> impl Iterator<Item = &'a List> + use<'a, 'v> {
    let mut name_taken: Option<&str> = None;
    lists.iter().map(|held| &*held.item).filter(move |list| {
        if let Some(version) = version {
            return list.identity.version.eq_ignore_ascii_case(version);
        }
        if name_taken == Some(list.identity.name.as_str()) || !list.valid_on(day) {
            return false;
        }
        name_taken = Some(&list.identity.name);
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dates::day;
    use crate::list::ListHead;

    fn list(version: &str, from: Option<&str>, to: Option<&str>, codes: &[&str]) -> Loaded {
        let identity = ListIdentity {
            name: "icd10".into(),
            system: "icd10".into(),
            version: version.into(),
        };
        let (valid_from, valid_to) = (from.map(day), to.map(day));
        let head = ListHead {
            identity,
            valid_from,
            valid_to,
            complete: true,
            code_chars: None,
        };
        let entry = |code: &&str| Entry {
            code: (*code).into(),
            vi: format!("{code} vi").into(),
            en: "".into(),
            parent: "".into(),
            valid_from: None,
            valid_to: None,
        };
        Loaded::List(List::build(head, codes.iter().map(entry).collect()))
    }

    fn verdict(catalogue: &Catalogue, version: Option<&str>, code: &str, on: &str) -> String {
        match catalogue.check("icd10", version, code, day(on)) {
            Check::Checked { list, .. } => format!("in {}", list.version),
            Check::Unknown { list } => format!("not in {}", list.version),
            Check::NoList => "no list".into(),
        }
    }

    #[test]
    fn a_partial_list_names_codes_and_never_refuses_one() {
        let catalogue = Catalogue::built_in();
        assert_eq!(verdict(&catalogue, None, "I10", "2022-01-01"), "in qd4469");
        assert_eq!(verdict(&catalogue, None, "X99.9", "2022-01-01"), "no list");
    }

    #[test]
    fn the_version_of_the_day_decides() {
        let old = list("qd4469", Some("2020-11-01"), None, &["A00", "A01"]);
        let new = list("tt06-2026", Some("2026-07-01"), None, &["A00", "A02"]);
        let catalogue = Catalogue::built_in().with(old).with(new);
        assert_eq!(verdict(&catalogue, None, "A01", "2026-06-30"), "in qd4469");
        assert_eq!(
            verdict(&catalogue, None, "A01", "2026-07-01"),
            "not in tt06-2026"
        );
        assert_eq!(
            verdict(&catalogue, None, "A02", "2026-07-01"),
            "in tt06-2026"
        );
        assert_eq!(verdict(&catalogue, None, "A01", "2010-01-01"), "no list");
    }

    #[test]
    fn a_named_version_is_asked_whatever_the_day() {
        let old = list("qd4469", Some("2020-11-01"), Some("2026-06-30"), &["A01"]);
        let catalogue = Catalogue::built_in().with(old);
        assert_eq!(
            verdict(&catalogue, Some("qd4469"), "A01", "2026-11-01"),
            "in qd4469"
        );
        assert_eq!(
            verdict(&catalogue, Some("qd4469"), "A77", "2026-11-01"),
            "not in qd4469"
        );
        assert_eq!(
            verdict(&catalogue, Some("who-2019"), "A77", "2026-11-01"),
            "no list"
        );
    }

    #[test]
    fn loading_the_same_version_again_replaces_it() {
        let first = list("v1", None, None, &["A00"]);
        let again = list("v1", None, None, &["A01"]);
        let catalogue = Catalogue::default().with(first).with(again);
        assert_eq!(catalogue.lists().len(), 1);
        assert_eq!(verdict(&catalogue, None, "A00", "2020-01-01"), "not in v1");
    }

    #[test]
    fn a_list_of_provinces_says_nothing_of_communes() {
        let catalogue = Catalogue::built_in();
        let on = day("2025-07-01");
        assert!(matches!(
            catalogue.check_commune("00001", on),
            Check::NoList
        ));
        assert!(matches!(
            catalogue.check_commune("26740", on),
            Check::Checked { .. }
        ));
        assert!(matches!(
            catalogue.check_commune("98", on),
            Check::Unknown { .. }
        ));
    }

    #[test]
    fn provinces_are_those_of_the_day() {
        let catalogue = Catalogue::built_in();
        for (on, count) in [("2025-06-30", 63), ("2025-07-01", 34)] {
            let list = catalogue.list_on("dvhc", "provinces", day(on)).unwrap();
            assert_eq!(list.entries().len(), count, "{on}");
        }
    }

    #[test]
    fn every_former_province_became_one_of_today() {
        let catalogue = Catalogue::built_in();
        let before = catalogue
            .list_on("dvhc", "provinces", day("2025-06-30"))
            .unwrap();
        let today = catalogue
            .list_on("dvhc", "provinces", day("2025-07-01"))
            .unwrap();
        let mut reached = std::collections::BTreeSet::new();
        for entry in before.entries() {
            let new = catalogue.successors("dvhc", &entry.code);
            assert_eq!(new.len(), 1, "{}", entry.code);
            reached.extend(new);
        }
        assert!(
            reached
                .iter()
                .copied()
                .eq(today.entries().iter().map(|e| &*e.code))
        );
    }

    #[test]
    fn names_come_in_both_languages() {
        let catalogue = Catalogue::built_in();
        let name = |language| catalogue.display("icd10", "I10", language).unwrap();
        assert_eq!(name(Language::En), "Essential (primary) hypertension");
        assert_eq!(name(Language::Vi), "Bệnh lý tăng huyết áp");
        assert_eq!(catalogue.display("dvhc", "99", Language::Vi), None);
    }
}
