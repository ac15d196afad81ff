//! The pure fold from a person's events to their current record.
//!
//! The same events give the same record in whatever order they are met: everything is ordered by the times and the
//! position that events carry. Corrections are applied first; an event that is void leaves no trace in the record,
//! but stays in the history.

use std::borrow::Cow;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{
    block::{Author, Label, Section, Source},
    data::{Data, MedicationRecorded, PregnancyRecorded, ProcedureRecorded, VaccinationRecorded},
    event::Event,
    id::{EventId, PersonId},
    time::{Instant, Occurred},
};

mod clinical;
mod demographics;
mod effective;
mod observations;
mod risk;
mod social;
#[cfg(test)]
mod tests;

pub use clinical::{
    Allergies, AllergyAsked, Diagnosed, DocumentEntry, EncounterEntry, FamilyHistoryEntry, Problem,
    ProblemStatus,
};
pub use demographics::{Birth, Death, Demographics};
pub use observations::{Observations, Point, SelfReport};
pub use risk::{Factor, RiskFactors};
pub use social::{
    Appointment, Consents, Contact, Directive, Dispute, Family, Guardian, ProgrammeMembership,
    Request, SecondaryUseChoice, Social, consents,
};

pub(crate) use effective::{Corrections, unique};

/// An event as the log has it: what the sender said, and what the server added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// In whose stream it lies; differs from the person of the record after a merge.
    pub person: PersonId,
    /// The event.
    pub event: Event,
    /// Its position in the log, from 1.
    pub position: u64,
    /// Its version in the stream, from 1.
    pub version: u64,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// The hash that the chain links and the tree holds.
    pub hash: [u8; 32],
    /// The hash of the event before it in the stream.
    pub previous_hash: [u8; 32],
    /// The authenticated sender.
    pub recorded_by: String,
}

/// Where an entry of the record comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// The event that stated it.
    pub event_id: EventId,
    /// When it happened; as corrected, if that was corrected.
    pub occurred_at: Occurred,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// The facility that stated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facility: Option<String>,
    /// Who wrote it down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// The system it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Its sensitivity labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// Whether it holds a code that the server could not check.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unchecked: bool,
    /// Whether a correction replaced what the event first said.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub corrected: bool,
    /// Whether the person disputes it and no correction has answered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disputed: bool,
    /// Whether the person reported it themselves.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub self_reported: bool,
}

/// An entry of the record: what it says beside where it comes from, as one JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry<T> {
    /// What it says.
    #[serde(flatten)]
    pub what: T,
    /// Where it comes from.
    #[serde(flatten)]
    pub provenance: Provenance,
}

/// The current record of a person. Serialised it is the object of its sections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Who the person is.
    pub demographics: Demographics,
    /// Conditions and diagnoses, in the order of time, as all lists here.
    pub problems: Vec<Entry<Problem>>,
    /// Allergies, and whether the person was asked.
    pub allergies: Allergies,
    /// Medicines.
    pub medications: Vec<Entry<MedicationRecorded>>,
    /// Vaccinations.
    pub vaccinations: Vec<Entry<VaccinationRecorded>>,
    /// Latest values and series.
    pub observations: Observations,
    /// Encounters.
    pub encounters: Vec<EncounterEntry>,
    /// Procedures.
    pub procedures: Vec<Entry<ProcedureRecorded>>,
    /// Pregnancies.
    pub pregnancies: Vec<Entry<PregnancyRecorded>>,
    /// What the person answered about the family.
    pub family_history: Vec<FamilyHistoryEntry>,
    /// What the person answered about risks, and assessments.
    pub risk_factors: RiskFactors,
    /// Documents, without their content.
    pub documents: Vec<Entry<DocumentEntry>>,
    /// Household, family, programmes, appointments, guardians, requests.
    pub social: Social,
    withheld: Vec<Section>,
}

impl Record {
    /// Leaves a section out when the record is serialised.
    pub fn withhold(&mut self, section: Section) {
        self.withheld.push(section);
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut object = to.serialize_struct("Record", Section::ALL.len())?;
        for section in Section::ALL {
            let name = section.as_str();
            if self.withheld.contains(section) {
                object.skip_field(name)?;
                continue;
            }
            match section {
                Section::Demographics => object.serialize_field(name, &self.demographics)?,
                Section::Problems => object.serialize_field(name, &self.problems)?,
                Section::Allergies => object.serialize_field(name, &self.allergies)?,
                Section::Medications => object.serialize_field(name, &self.medications)?,
                Section::Vaccinations => object.serialize_field(name, &self.vaccinations)?,
                Section::Observations => object.serialize_field(name, &self.observations)?,
                Section::Encounters => object.serialize_field(name, &self.encounters)?,
                Section::Procedures => object.serialize_field(name, &self.procedures)?,
                Section::Pregnancies => object.serialize_field(name, &self.pregnancies)?,
                Section::FamilyHistory => object.serialize_field(name, &self.family_history)?,
                Section::RiskFactors => object.serialize_field(name, &self.risk_factors)?,
                Section::Documents => object.serialize_field(name, &self.documents)?,
                Section::Social => object.serialize_field(name, &self.social)?,
            }
        }
        object.end()
    }
}

/// Folds the events of a person into their current record.
///
/// After a merge the caller passes the events of every member, and the id of the survivor: its demographics win
/// over those of the retired, everything else is the union.
///
/// # Example
/// ```
/// use sokhoe_record::*;
///
/// let person = PersonId::from_bytes([1; 16]);
/// let weight = ObservationRecorded {
///     code: Code::new(CodeSystem::Loinc, "29463-7"),
///     value: Some(Quantity::new(Decimal::parse("6.50")?, "kg").into()),
///     ..Default::default()
/// };
/// let recorded = RecordedEvent {
///     person,
///     event: Event::new(
///         EventId::from_bytes([2; 16]),
///         Some(person.into()),
///         Instant::parse("2026-11-01T08:00:00+07:00")?,
///         weight,
///     ),
///     position: 1,
///     version: 1,
///     recorded_at: Instant::parse("2026-11-01T08:00:01+07:00")?,
///     hash: [0; 32],
///     previous_hash: [0; 32],
///     recorded_by: "99001".to_owned(),
/// };
/// let record = fold(person, &[recorded]);
/// assert_eq!(record.observations.latest.len(), 1);
/// assert_eq!(record.observations.series["loinc|29463-7"].len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn fold(person: PersonId, events: &[RecordedEvent]) -> Record {
    let events = effective::effective(person, events);
    let demographics = demographics::fold(person, &events);
    Record {
        problems: clinical::problems(&events),
        allergies: clinical::allergies(&events),
        medications: clinical::medications(&events),
        vaccinations: clinical::vaccinations(&events),
        observations: observations::fold(&events),
        encounters: clinical::encounters(&events),
        procedures: clinical::procedures(&events),
        pregnancies: clinical::pregnancies(&events),
        family_history: clinical::family_history(&events),
        risk_factors: risk::fold(&events),
        documents: clinical::documents(&events),
        social: Social {
            household: demographics.household.clone(),
            occupation: demographics.occupation.clone(),
            ..social::fold(&events)
        },
        demographics,
        withheld: Vec::new(),
    }
}

/// An event that stands, with what it says now.
#[derive(Debug, Clone)]
pub struct InForce<'e> {
    /// The event as recorded.
    pub recorded: &'e RecordedEvent,
    /// When it happened, corrections considered.
    pub occurred_at: Occurred,
    /// What it says, corrections considered.
    pub data: Cow<'e, Data>,
}

/// Lists the events of a person that no correction voids, as corrections leave them, in log order; corrections
/// themselves are left out. After a merge the caller passes the events of every member, as for [`fold`].
pub fn in_force(person: PersonId, events: &[RecordedEvent]) -> Vec<InForce<'_>> {
    let events = effective::effective(person, events).into_iter();
    events
        .map(|event| InForce {
            recorded: event.recorded,
            occurred_at: event.occurred_at,
            data: event.data,
        })
        .collect()
}

/// Sorts entries by when they happened, then as they lie in the log.
fn by_time<T>(mut timed: Vec<(TimeKey, T)>) -> Vec<T> {
    timed.sort_by_key(|(key, _)| *key);
    timed.into_iter().map(|(_, entry)| entry).collect()
}

/// When something happened (first possible microsecond), then its position.
type TimeKey = (i64, u64);
