//! A list of codes with names, its version and validity, and a crosswalk from old codes to new ones.
//! Both are immutable once built; a list's entries keep the order of their codes.

use std::collections::HashMap;

use serde::Serialize;
use sokhoe_record::Date;

use crate::code_key::CodeKey;

/// Which list this is: every answer of the catalogue names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct ListIdentity {
    /// The list's name, the same over its versions (`communes`).
    pub name: String,
    /// The system whose codes it holds (`dvhc`).
    pub system: String,
    /// The version (`2025-07-01`, `qd4469`).
    pub version: String,
}

/// One code with its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The code as the list writes it.
    pub code: Box<str>,
    /// The Vietnamese name.
    pub vi: Box<str>,
    /// The English name; empty where the list has none.
    pub en: Box<str>,
    /// The code above it (a commune's province), empty where there is none.
    pub parent: Box<str>,
    /// First valid day, where it differs from the list's.
    pub valid_from: Option<Date>,
    /// Last valid day, where it differs from the list's.
    pub valid_to: Option<Date>,
}

impl Entry {
    /// Says whether the entry is valid on `day`.
    #[must_use]
    pub fn valid_on(&self, day: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= day) && self.valid_to.is_none_or(|to| day <= to)
    }
}

/// One version of a code list.
#[derive(Debug, Clone)]
pub struct List {
    /// Name, system and version.
    pub identity: ListIdentity,
    /// First day on which it holds; `None` for ever before.
    pub valid_from: Option<Date>,
    /// Last day on which it holds; `None` while it still does.
    pub valid_to: Option<Date>,
    /// Whether a code that is absent does not exist. Only complete lists can say "unknown".
    pub complete: bool,
    /// The length of the codes that the list speaks for (5 for communes beside 2 for provinces of the
    /// same system); `None` for every code of the system.
    pub code_chars: Option<u8>,
    entries: Vec<Entry>,
    index: HashMap<Box<str>, u32>,
}

/// What a list is made of, before it is built.
#[derive(Debug, Clone)]
pub(crate) struct ListHead {
    pub(crate) identity: ListIdentity,
    pub(crate) valid_from: Option<Date>,
    pub(crate) valid_to: Option<Date>,
    pub(crate) complete: bool,
    pub(crate) code_chars: Option<u8>,
}

impl List {
    /// Builds a list from its head and entries; of two entries that compare as one code the first in
    /// order answers.
    pub(crate) fn build(head: ListHead, mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|a, b| a.code.cmp(&b.code));
        let mut index = HashMap::with_capacity(entries.len());
        for (entry, at) in entries.iter().zip(0u32..) {
            // `A17` stands before `A17†` and answers for both.
            if let Some(key) = CodeKey::new(&head.identity.system, &entry.code) {
                index.entry(key.as_str().into()).or_insert(at);
            }
        }
        let ListHead {
            identity,
            valid_from,
            valid_to,
            complete,
            code_chars,
        } = head;
        Self {
            identity,
            valid_from,
            valid_to,
            complete,
            code_chars,
            entries,
            index,
        }
    }

    /// Finds the entry of a code, whatever the day.
    #[must_use]
    pub fn entry(&self, code: &str) -> Option<&Entry> {
        self.entry_of(&CodeKey::new(&self.identity.system, code)?)
    }

    pub(crate) fn entry_of(&self, key: &CodeKey) -> Option<&Entry> {
        let at = *self.index.get(key.as_str())?;
        self.entries.get(usize::try_from(at).ok()?)
    }

    /// All entries, in the order of their codes.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Says whether the list holds on `day`.
    #[must_use]
    pub fn valid_on(&self, day: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= day) && self.valid_to.is_none_or(|to| day <= to)
    }

    /// Says whether the list speaks for codes like this one.
    pub(crate) fn speaks_for(&self, key: &CodeKey) -> bool {
        self.code_chars
            .is_none_or(|chars| usize::from(chars) == key.as_str().chars().count())
    }
}

/// One place where an old code went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Successor {
    /// The code before.
    pub old: Box<str>,
    /// The code after; an old code that was divided has several.
    pub new: Box<str>,
}

/// Where the codes of one version went in the next (63 provinces to 34).
#[derive(Debug, Clone)]
pub struct Crosswalk {
    /// Name, system and version; the version is that of the new list.
    pub identity: ListIdentity,
    /// First day of the new codes.
    pub valid_from: Option<Date>,
    rows: Vec<Successor>,
}

impl Crosswalk {
    pub(crate) fn build(
        identity: ListIdentity,
        valid_from: Option<Date>,
        mut rows: Vec<Successor>,
    ) -> Self {
        rows.sort_by(|a, b| (&a.old, &a.new).cmp(&(&b.old, &b.new)));
        rows.dedup();
        Self {
            identity,
            valid_from,
            rows,
        }
    }

    /// The codes that an old code became; none when the crosswalk does not know it.
    #[must_use]
    pub fn successors(&self, old: &str) -> &[Successor] {
        let start = self.rows.partition_point(|row| &*row.old < old);
        let rest = self.rows.get(start..).unwrap_or_default();
        let count = rest.partition_point(|row| &*row.old == old);
        rest.get(..count).unwrap_or_default()
    }

    /// All rows, in the order of the old codes.
    #[must_use]
    pub fn rows(&self) -> &[Successor] {
        &self.rows
    }
}

/// Something that a file holds.
#[derive(Debug, Clone)]
pub enum Loaded {
    /// A list of codes.
    List(List),
    /// A crosswalk between two versions.
    Crosswalk(Crosswalk),
}

impl Loaded {
    /// Name, system and version.
    #[must_use]
    pub fn identity(&self) -> &ListIdentity {
        match self {
            Self::List(list) => &list.identity,
            Self::Crosswalk(crosswalk) => &crosswalk.identity,
        }
    }

    /// Number of entries or rows.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::List(list) => list.entries.len(),
            Self::Crosswalk(crosswalk) => crosswalk.rows.len(),
        }
    }
}
