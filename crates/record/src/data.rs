//! What the kinds of event say: one struct per kind, and `Data`, which is any of them.

mod access;
mod care;
mod clinical;
mod consent;
mod correction;
mod identity;
mod life;
mod system;

pub use access::{
    AccessRefused, AccessReviewed, DecidedBy, GlassBroken, Interface, RecordAccessed,
    ReviewOutcome, Viewer,
};
pub use care::{
    AppointmentMade, AppointmentMissed, ContactAttempted, Instrument, Programme, ProgrammeEnrolled,
    ProgrammeLeft, RiskAssessed,
};
pub use clinical::{
    AllergyKind, AllergyRecorded, AllergyStatus, Certainty, ClinicalStatus, ConditionRecorded,
    ConditionResolved, Diagnosis, DiagnosisRole, Dose, EncounterClass, EncounterRecorded,
    MedicationRecorded, MedicationStatus, ObservationRecorded, ProcedureRecorded,
};
pub use consent::{
    ConsentGranted, ConsentWithdrawn, Effect, GuardianAppointed, GuardianEnded, GuardianGround,
    Purpose, Recipient, SecondaryUse, SecondaryUseScope,
};
pub use correction::{CorrectionAction, CorrectionMade, DisputeRaised, Replacement};
pub use identity::{
    DemographicsChanged, FamilyLinked, FamilyRelation, IdentifierLinked, PeopleMerged,
    PeopleUnmerged, PersonDied, PersonRegistered, Sex,
};
pub use life::{
    Alcohol, BirthRecorded, DocumentAttached, FamilyCondition, FamilyHistoryReported, Habit,
    PhysicalActivity, PregnancyRecorded, PregnancyStatus, PregnancyVisit, RiskFactorsReported,
    SelfReportSubmitted, VaccinationRecorded, VaccinationStatus,
};
pub use system::{
    FacilityRegistered, PractitionerRegistered, RequestDecided, RequestDecision, RequestMade,
    RequestRight, ResourceKept,
};

use crate::{
    block::{Code, Label, PersonRef, Section},
    field::{Cx, Field, FieldError, Path},
    json::Node,
    kind::Kind,
};

macro_rules! kinds_of_data {
    (
        clinical { $( $clinical:ident ( $clinical_type:ident ) ),+ $(,)? }
        plain { $( $plain:ident ( $plain_type:ident ) ),+ $(,)? }
    ) => {
        /// What an event says, by kind.
        #[derive(Debug, Clone, PartialEq, Eq, wincode::SchemaWrite, wincode::SchemaRead)]
        pub enum Data {
            $( #[doc = concat!("Of kind [`Kind::", stringify!($clinical), "`].")]
               $clinical(Box<$clinical_type>), )+
            $( #[doc = concat!("Of kind [`Kind::", stringify!($plain), "`].")]
               $plain(Box<$plain_type>), )+
        }

        impl Data {
            /// Returns the kind.
            pub fn kind(&self) -> Kind {
                match self {
                    $( Self::$clinical(_) => Kind::$clinical, )+
                    $( Self::$plain(_) => Kind::$plain, )+
                }
            }

            /// Returns the sensitivity labels of a clinical event; none for other kinds.
            pub fn labels(&self) -> &[Label] {
                match self {
                    $( Self::$clinical(data) => &data.labels, )+
                    _ => &[],
                }
            }

            /// Returns the labels for the write side to add to; `None` for kinds that carry none.
            pub fn labels_mut(&mut self) -> Option<&mut Vec<Label>> {
                match self {
                    $( Self::$clinical(data) => Some(&mut data.labels), )+
                    _ => None,
                }
            }

            /// Visits every code with its JSON pointer from the root of the event.
            pub fn codes_mut(&mut self, mut visit: impl FnMut(&str, &mut Code)) {
                let visit = &mut |at: Path<'_>, code: &mut Code| visit(&at.pointer(), code);
                let at = Path::ROOT;
                match self {
                    $( Self::$clinical(data) => data.codes(at.key("data"), visit), )+
                    $( Self::$plain(data) => data.codes(at.key("data"), visit), )+
                }
            }

            /// Visits every reference to another person with its JSON pointer from the root of the event.
            pub fn person_refs_mut(&mut self, mut visit: impl FnMut(&str, &mut PersonRef)) {
                let visit = &mut |at: Path<'_>, person: &mut PersonRef| visit(&at.pointer(), person);
                let at = Path::ROOT;
                match self {
                    $( Self::$clinical(data) => data.people(at.key("data"), visit), )+
                    $( Self::$plain(data) => data.people(at.key("data"), visit), )+
                }
            }

            pub(crate) fn read(kind: Kind, node: &Node<'_>, at: Path<'_>, cx: &mut Cx) -> Option<Self> {
                match kind {
                    $( Kind::$clinical => $clinical_type::read(node, at, 0, cx)
                        .map(|data| Self::$clinical(Box::new(data))), )+
                    $( Kind::$plain => $plain_type::read(node, at, 0, cx)
                        .map(|data| Self::$plain(Box::new(data))), )+
                    _ => {
                        cx.error(at, "forbidden_kind", "events of this kind are written by the server alone");
                        None
                    }
                }
            }

            pub(crate) fn check(&self, at: Path<'_>, cx: &mut Cx) {
                match self {
                    $( Self::$clinical(data) => data.check(at, 0, cx), )+
                    $( Self::$plain(data) => data.check(at, 0, cx), )+
                }
            }

            pub(crate) fn schema(kind: Kind) -> Option<serde_json::Value> {
                match kind {
                    $( Kind::$clinical => Some($clinical_type::schema(0)), )+
                    $( Kind::$plain => Some($plain_type::schema(0)), )+
                    _ => None,
                }
            }
        }

        impl serde::Serialize for Data {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                match self {
                    $( Self::$clinical(data) => data.serialize(to), )+
                    $( Self::$plain(data) => data.serialize(to), )+
                }
            }
        }

    };
}

kinds_of_data! {
    clinical {
        PersonDied(PersonDied),
        EncounterRecorded(EncounterRecorded),
        ObservationRecorded(ObservationRecorded),
        ConditionRecorded(ConditionRecorded),
        ConditionResolved(ConditionResolved),
        AllergyRecorded(AllergyRecorded),
        MedicationRecorded(MedicationRecorded),
        ProcedureRecorded(ProcedureRecorded),
        VaccinationRecorded(VaccinationRecorded),
        PregnancyRecorded(PregnancyRecorded),
        BirthRecorded(BirthRecorded),
        DocumentAttached(DocumentAttached),
        SelfReportSubmitted(SelfReportSubmitted),
        RiskFactorsReported(RiskFactorsReported),
        FamilyHistoryReported(FamilyHistoryReported),
        ProgrammeEnrolled(ProgrammeEnrolled),
        ProgrammeLeft(ProgrammeLeft),
        AppointmentMade(AppointmentMade),
        AppointmentMissed(AppointmentMissed),
        ContactAttempted(ContactAttempted),
        RiskAssessed(RiskAssessed),
        ResourceKept(ResourceKept),
    }
    plain {
        PersonRegistered(PersonRegistered),
        DemographicsChanged(DemographicsChanged),
        IdentifierLinked(IdentifierLinked),
        PeopleMerged(PeopleMerged),
        PeopleUnmerged(PeopleUnmerged),
        FamilyLinked(FamilyLinked),
        DisputeRaised(DisputeRaised),
        CorrectionMade(CorrectionMade),
        ConsentGranted(ConsentGranted),
        ConsentWithdrawn(ConsentWithdrawn),
        SecondaryUseRefused(SecondaryUse),
        SecondaryUseAllowed(SecondaryUse),
        GuardianAppointed(GuardianAppointed),
        GuardianEnded(GuardianEnded),
        FacilityRegistered(FacilityRegistered),
        PractitionerRegistered(PractitionerRegistered),
        RequestMade(RequestMade),
        RequestDecided(RequestDecided),
        RecordAccessed(RecordAccessed),
        AccessRefused(AccessRefused),
        GlassBroken(GlassBroken),
        AccessReviewed(AccessReviewed),
    }
}

macro_rules! into_data {
    ($( $name:ident ),+ $(,)?) => {
        $( impl From<$name> for Data {
            fn from(data: $name) -> Self {
                Self::$name(Box::new(data))
            }
        } )+
    };
}

into_data!(
    PersonDied,
    EncounterRecorded,
    ObservationRecorded,
    ConditionRecorded,
    ConditionResolved,
    AllergyRecorded,
    MedicationRecorded,
    ProcedureRecorded,
    VaccinationRecorded,
    PregnancyRecorded,
    BirthRecorded,
    DocumentAttached,
    SelfReportSubmitted,
    RiskFactorsReported,
    FamilyHistoryReported,
    ProgrammeEnrolled,
    ProgrammeLeft,
    AppointmentMade,
    AppointmentMissed,
    ContactAttempted,
    RiskAssessed,
    ResourceKept,
    PersonRegistered,
    DemographicsChanged,
    IdentifierLinked,
    PeopleMerged,
    PeopleUnmerged,
    FamilyLinked,
    DisputeRaised,
    CorrectionMade,
    ConsentGranted,
    ConsentWithdrawn,
    GuardianAppointed,
    GuardianEnded,
    FacilityRegistered,
    PractitionerRegistered,
    RequestMade,
    RequestDecided,
    RecordAccessed,
    AccessRefused,
    GlassBroken,
    AccessReviewed,
);

impl Data {
    /// Reads the data of an event of this kind from JSON, as a sender's: errors point from `/data`.
    ///
    /// # Errors
    /// Returns every bad field.
    pub fn parse(kind: Kind, node: &Node<'_>) -> Result<Self, Vec<FieldError>> {
        let mut cx = Cx::default();
        let read = Self::read(kind, node, Path::ROOT.key("data"), &mut cx);
        match read {
            Some(data) if cx.clean() => Ok(data),
            _ => Err(cx.into_errors()),
        }
    }
}

impl Data {
    /// Returns the sections of the record that this speaks of, each once. Corrections speak of none by themselves: one
    /// belongs to the sections of what it corrects. Who somebody is, household and occupation included, is demographics:
    /// in an emergency it is seen whole or not at all.
    pub fn sections(&self) -> Vec<Section> {
        let mut sections: Vec<Section> = self.kind().section().into_iter().collect();
        let mut also = |section: Section, touched: bool| {
            if touched && !sections.contains(&section) {
                sections.push(section);
            }
        };
        match self {
            Self::EncounterRecorded(encounter) => {
                also(Section::Problems, !encounter.diagnoses.is_empty());
                also(Section::Observations, !encounter.observations.is_empty());
                also(Section::Medications, !encounter.medications.is_empty());
                also(Section::Procedures, !encounter.procedures.is_empty());
                also(Section::Social, encounter.next_appointment.is_some());
            }
            Self::PregnancyRecorded(pregnancy) => {
                also(
                    Section::Observations,
                    pregnancy.visits.iter().any(|v| !v.observations.is_empty()),
                );
            }
            _ => {}
        }
        sections
    }
}
