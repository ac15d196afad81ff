//! The vocabulary of a health record and the pure fold from a person's events to their record.
//!
//! Owns ids, codes, quantities, dates, the kinds of event with their reading and checking, corrections, and what the
//! current record is. Refuses I/O, clocks, randomness, async. Everything here is a function of its arguments.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

#[macro_use]
mod macros;

mod block;
mod data;
mod decimal;
mod event;
mod field;
pub mod fold;
mod history;
mod id;
pub mod json;
mod kind;
pub mod limits;
mod rules;
mod time;

pub use block::{
    Abo, Address, Answer, Author, BloodGroup, Change, Code, CodeOrText, CodeSystem, Comparator,
    Component, Household, Identifier, IdentifierStatus, IdentifierSystem, Insurance, Label,
    Measure, Name, PersonRef, Quantity, RawJson, ReferenceRange, Rh, Section, Source, Value, YesNo,
};
pub use data::{
    AccessRefused, AccessReviewed, DecidedBy, GlassBroken, Interface, RecordAccessed,
    ReviewOutcome, Viewer,
};
pub use data::{
    Alcohol, AllergyKind, AllergyRecorded, AllergyStatus, AppointmentMade, AppointmentMissed,
    BirthRecorded, Certainty, ClinicalStatus, ConditionRecorded, ConditionResolved, ConsentGranted,
    ConsentWithdrawn, ContactAttempted, CorrectionAction, CorrectionMade, Data,
    DemographicsChanged, Diagnosis, DiagnosisRole, DisputeRaised, DocumentAttached, Dose, Effect,
    EncounterClass, EncounterRecorded, FacilityRegistered, FamilyCondition, FamilyHistoryReported,
    FamilyLinked, FamilyRelation, GuardianAppointed, GuardianEnded, GuardianGround, Habit,
    IdentifierLinked, Instrument, MedicationRecorded, MedicationStatus, ObservationRecorded,
    PeopleMerged, PeopleUnmerged, PersonDied, PersonRegistered, PhysicalActivity,
    PractitionerRegistered, PregnancyRecorded, PregnancyStatus, PregnancyVisit, ProcedureRecorded,
    Programme, ProgrammeEnrolled, ProgrammeLeft, Purpose, Recipient, Replacement, RequestDecided,
    RequestDecision, RequestMade, RequestRight, ResourceKept, RiskAssessed, RiskFactorsReported,
    SecondaryUse, SecondaryUseScope, SelfReportSubmitted, Sex, VaccinationRecorded,
    VaccinationStatus,
};
pub use decimal::{Decimal, NotADecimal};
pub use event::{
    Event, Incoming, Invalid, event_schemas, parse_event, read_any_event, read_event, validate,
};
pub use field::FieldError;
pub use fold::{Entry, InForce, Provenance, Record, RecordedEvent, consents, fold, in_force};
pub use history::{HistoryEntry, history};
pub use id::{EventId, NotAnId, PersonId};
pub use kind::Kind;
pub use rules::death_before_birth;
pub use time::{Date, Instant, NotATime, Occurred, PartialDate, YEAR_MAX, YEAR_MIN};
