//! The one definition of the tables: `queries/TABLES.md`, the Arrow schemas and the stores follow it.

use std::fmt::Write as _;

use arrow_schema::{DataType, Field, Schema};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A local day.
    Day,
    /// A whole number.
    Whole,
    /// A number.
    Real,
    /// A word out of a dictionary.
    Word,
}

impl Kind {
    /// Returns the Arrow type.
    #[must_use]
    pub fn arrow(self) -> DataType {
        match self {
            Self::Day => DataType::Date32,
            Self::Whole => DataType::Int32,
            Self::Real => DataType::Float64,
            Self::Word => {
                DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8))
            }
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Whole => "whole number",
            Self::Real => "number",
            Self::Word => "word",
        }
    }
}

/// A column that a table has of its own.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it means, its unit, and what null means.
    pub about: &'static str,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its name in the schema `health`.
    pub name: &'static str,
    /// What a row is.
    pub about: &'static str,
    /// Its columns after those that every table has.
    pub columns: &'static [Column],
}

impl Table {
    /// Returns the Arrow schema: `person`, then the table's own columns.
    #[must_use]
    pub fn arrow(&self) -> Schema {
        let person = Field::new("person", DataType::UInt32, false);
        let own = self
            .columns
            .iter()
            .map(|column| Field::new(column.name, column.kind.arrow(), true));
        Schema::new(std::iter::once(person).chain(own).collect::<Vec<_>>())
    }
}

macro_rules! tables {
    ($( $table:ident $at:ident $about:literal { $( $column:ident $kind:ident $says:literal, )+ } )+) => {
        /// A table's place in [`TABLES`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum At { $( $at ),+ }

        /// Every table.
        pub const TABLES: &[Table] = &[ $( Table {
            name: stringify!($table),
            about: $about,
            columns: &[ $( Column { name: stringify!($column), kind: Kind::$kind, about: $says } ),+ ],
        } ),+ ];
    };
}

tables! {
    person Person "One person; those merged into another are that other one." {
        sex Word "`male`, `female`, `other` or `unknown` as recorded; null: never said.",
        birth_from Day "First day of birth that is possible; null: never said.",
        birth_to Day "Last day of birth that is possible; null: never said.",
        commune Word "Code of the commune of residence as last stated; null: not known.",
    }
    death Death "One recorded death." {
        died_from Day "First day that is possible.",
        died_to Day "Last day that is possible.",
        cause Word "Code of the cause; null: not coded.",
        facility Word "Who recorded it; null: not stated.",
    }
    encounter Encounter "One encounter." {
        occurred_from Day "First local day on which it may have begun.",
        occurred_to Day "Last local day on which it may have begun.",
        class Word "`outpatient`, `inpatient`, `emergency`, …",
        facility Word "Where; null: not stated.",
    }
    diagnosis Diagnosis "One diagnosis made in an encounter, or one condition recorded." {
        occurred_from Day "First local day that is possible.",
        occurred_to Day "Last local day that is possible.",
        system Word "The code system.",
        code Word "The code.",
        role Word "What it was in the encounter; null: a condition outside of one.",
        certainty Word "`confirmed` or `provisional`; null: a diagnosis of an encounter, which says neither.",
        facility Word "Where; null: not stated.",
    }
    observation Observation "One value: an observation, or one component of it." {
        occurred_from Day "First local day that is possible.",
        occurred_to Day "Last local day that is possible.",
        system Word "The code system.",
        code Word "The code of the value; of the component, where it is one.",
        panel Word "The code of the observation that a component is part of; null: no component.",
        value Real "The number, in `unit`; null: not a number.",
        unit Word "The unit in UCUM; null: not a number.",
        comparator Word "How the true value relates to the number; null: it is the number.",
        finding Word "The code of a coded finding; null: not coded.",
        facility Word "Where; null: not stated.",
    }
    medication Medication "One medicine prescribed, given or taken." {
        occurred_from Day "First local day that is possible.",
        occurred_to Day "Last local day that is possible.",
        system Word "The code system; null: in words only.",
        code Word "The code; null: in words only.",
        status Word "What happened with it.",
        days Whole "For how many days; null: not stated.",
        facility Word "Where; null: not stated.",
    }
    procedure Procedure "One procedure." {
        performed_from Day "First day that is possible.",
        performed_to Day "Last day that is possible.",
        system Word "The code system; null: in words only.",
        code Word "The code; null: in words only.",
        facility Word "Where; null: not stated.",
    }
    vaccination Vaccination "One vaccination, given or not." {
        occurred_from Day "First local day that is possible.",
        occurred_to Day "Last local day that is possible.",
        system Word "The code system.",
        code Word "The code of the vaccine.",
        dose_number Whole "Which dose of the series; null: not stated.",
        status Word "What happened.",
        facility Word "Where; null: not stated.",
    }
}

/// Writes `queries/TABLES.md`.
#[must_use]
pub fn tables_page() -> String {
    let mut page = String::from(
        "# The tables\n\n\
         Generated from `projections/src/health/schema.rs`; a test keeps this page in step. There is no SQL over them\n\
         yet, and no way to ask for them over HTTP: they are folded and tested only.\n\n\
         Every table begins with `person`, a number for a person inside one process, never null; after a merge all\n\
         rows carry the survivor's.\n",
    );
    for table in TABLES {
        let _ = write!(
            page,
            "\n## {}\n\n{}\n\n| column | type | meaning |\n|---|---|---|\n",
            table.name, table.about
        );
        for column in table.columns {
            let kind = column.kind.as_str();
            let _ = writeln!(page, "| `{}` | {kind} | {} |", column.name, column.about);
        }
    }
    page
}
