//! The project's own small tables: facts (codes, names, numbers) with their source in each file's first
//! lines. They are checked by tests, so reading them cannot fail.

use std::sync::OnceLock;

use crate::catalogue::{Catalogue, Origin};
use crate::dates::read_date;
use crate::list::{Crosswalk, Entry, List, ListHead, ListIdentity, Loaded, Successor};

struct Table {
    name: &'static str,
    system: &'static str,
    version: &'static str,
    /// First and last day; empty where there is none.
    valid_from: &'static str,
    valid_to: &'static str,
    complete: bool,
    code_chars: Option<u8>,
    text: &'static str,
}

/// The last day of the 63 provinces, the day before the reform of 1 July 2025.
const LAST_DAY_OF_63: &str = "2025-06-30";
const FIRST_DAY_OF_34: &str = "2025-07-01";

const TABLES: &[Table] = &[
    Table {
        name: "provinces",
        system: "dvhc",
        version: "2008-08-01",
        valid_from: "2008-08-01",
        valid_to: LAST_DAY_OF_63,
        complete: true,
        code_chars: Some(2),
        text: include_str!("../data/provinces_before_2025.csv"),
    },
    Table {
        name: "provinces",
        system: "dvhc",
        version: "2025-07-01",
        valid_from: FIRST_DAY_OF_34,
        valid_to: "",
        complete: true,
        code_chars: Some(2),
        text: include_str!("../data/provinces_2025.csv"),
    },
    Table {
        name: "communes-hcmc",
        system: "dvhc",
        version: "2025-07-01",
        valid_from: FIRST_DAY_OF_34,
        valid_to: "",
        complete: false,
        code_chars: Some(5),
        text: include_str!("../data/communes_hcmc.csv"),
    },
    Table {
        name: "ethnic-groups",
        system: "ethnic-vn",
        version: "1979",
        valid_from: "",
        valid_to: "",
        complete: true,
        code_chars: None,
        text: include_str!("../data/ethnic_groups.csv"),
    },
    partial(
        "occupations",
        "occupation-vn",
        "qd34-2020",
        include_str!("../data/occupations.csv"),
    ),
    partial(
        "icd10-chapters",
        "icd10",
        "qd4469",
        include_str!("../data/icd10_chapters.csv"),
    ),
    partial(
        "icd10-common",
        "icd10",
        "qd4469",
        include_str!("../data/icd10_common.csv"),
    ),
    partial(
        "loinc-common",
        "loinc",
        "1",
        include_str!("../data/loinc_common.csv"),
    ),
    partial(
        "vaccines",
        "vaccine-vn",
        "2026-07-01",
        include_str!("../data/vaccines.csv"),
    ),
    partial(
        "identifier-systems",
        "identifier-system",
        "1",
        include_str!("../data/identifier_systems.csv"),
    ),
];

const fn partial(
    name: &'static str,
    system: &'static str,
    version: &'static str,
    text: &'static str,
) -> Table {
    Table {
        name,
        system,
        version,
        valid_from: "",
        valid_to: "",
        complete: false,
        code_chars: None,
        text,
    }
}

/// The snapshot of the built-in tables, read once.
pub(crate) fn catalogue() -> &'static Catalogue {
    static BUILT_IN: OnceLock<Catalogue> = OnceLock::new();
    BUILT_IN.get_or_init(|| {
        let mut catalogue = Catalogue::default();
        for table in TABLES {
            catalogue.insert(Loaded::List(list(table)), Origin::BuiltIn);
        }
        catalogue.insert(Loaded::Crosswalk(province_successors()), Origin::BuiltIn);
        catalogue
    })
}

/// The rows of a built-in table below its comment lines and header.
pub(crate) fn rows(text: &'static str) -> impl Iterator<Item = Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let records: Vec<_> = reader
        .records()
        .map(|r| r.expect("checked by tests"))
        .collect();
    records
        .into_iter()
        .map(|record| record.iter().map(str::to_owned).collect())
}

fn list(table: &Table) -> List {
    let identity = ListIdentity {
        name: table.name.into(),
        system: table.system.into(),
        version: table.version.into(),
    };
    let head = ListHead {
        identity,
        valid_from: read_date(table.valid_from),
        valid_to: read_date(table.valid_to),
        complete: table.complete,
        code_chars: table.code_chars,
    };
    let entries = rows(table.text).map(|row| {
        let cell = |at: usize| row.get(at).map(String::as_str).unwrap_or_default();
        Entry {
            code: cell(0).into(),
            vi: cell(1).into(),
            en: cell(2).into(),
            parent: cell(3).into(),
            valid_from: read_date(cell(4)),
            valid_to: read_date(cell(5)),
        }
    });
    List::build(head, entries.collect())
}

fn province_successors() -> Crosswalk {
    let identity = ListIdentity {
        name: "province-successors".into(),
        system: "dvhc".into(),
        version: "2025-07-01".into(),
    };
    let rows = rows(include_str!("../data/province_successors.csv")).map(|row| {
        let cell = |at: usize| row.get(at).map(String::as_str).unwrap_or_default();
        Successor {
            old: cell(0).into(),
            new: cell(1).into(),
        }
    });
    Crosswalk::build(identity, read_date(FIRST_DAY_OF_34), rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_row_is_whole() {
        for table in TABLES {
            let list = list(table);
            assert_eq!(
                list.entries().len(),
                rows(table.text).count(),
                "{}",
                table.name
            );
            for entry in list.entries() {
                assert!(
                    !entry.code.is_empty() && !entry.vi.is_empty(),
                    "{}: {entry:?}",
                    table.name
                );
                assert!(
                    list.entry(&entry.code).is_some(),
                    "{}: {entry:?}",
                    table.name
                );
            }
        }
    }

    #[test]
    fn the_tables_have_the_sizes_that_the_law_gives() {
        let sizes = [
            ("provinces", 63),
            ("communes-hcmc", 168),
            ("icd10-chapters", 22),
        ];
        for (name, size) in sizes {
            let table = TABLES.iter().find(|table| table.name == name).unwrap();
            assert_eq!(list(table).entries().len(), size, "{name}");
        }
    }
}
