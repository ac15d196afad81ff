//! Building blocks that many kinds of event share: codes, quantities, answers, addresses, references to people.

mod code;
mod identifier;
mod person;
mod raw;
mod value;

pub use code::{Code, CodeOrText, CodeSystem};
pub use identifier::{Identifier, IdentifierStatus, IdentifierSystem};
pub use person::{
    Abo, Address, Author, BloodGroup, Household, Insurance, Name, PersonRef, Rh, Source,
};
pub use raw::RawJson;
pub use value::{Comparator, Component, Measure, Quantity, ReferenceRange, Value};

words! {
    /// An answer to a question; "no", "unknown" and "not asked" are three things.
    pub enum Answer {
        NotAsked = "not_asked",
        Yes = "yes",
        No = "no",
        Unknown = "unknown",
    }
}

words! {
    /// Yes or no, where nothing else is an answer.
    pub enum YesNo {
        Yes = "yes",
        No = "no",
    }
}

words! {
    /// A section of the record, as consents and answers name it.
    pub enum Section {
        Demographics = "demographics",
        Problems = "problems",
        Allergies = "allergies",
        Medications = "medications",
        Vaccinations = "vaccinations",
        Observations = "observations",
        Encounters = "encounters",
        Procedures = "procedures",
        Pregnancies = "pregnancies",
        FamilyHistory = "family_history",
        RiskFactors = "risk_factors",
        Documents = "documents",
        Social = "social",
    }
}

words! {
    /// A label of content that needs more care than the rest.
    pub enum Label {
        Hiv = "hiv",
        MentalHealth = "mental_health",
        Reproductive = "reproductive",
        SubstanceUse = "substance_use",
        Tuberculosis = "tuberculosis",
    }
}

/// A change of one field: left alone, taken away, or given a value.
#[derive(Debug, Clone, PartialEq, Eq, Default, wincode::SchemaWrite, wincode::SchemaRead)]
pub enum Change<T> {
    /// The field was not named.
    #[default]
    Keep,
    /// The field was named with `null`.
    Clear,
    /// The field has this value from now on.
    Set(T),
}

impl<T: serde::Serialize> serde::Serialize for Change<T> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Set(value) => value.serialize(to),
            Self::Keep | Self::Clear => to.serialize_none(),
        }
    }
}
