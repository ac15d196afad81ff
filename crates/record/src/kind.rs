//! The kinds of event and their wire names.

use crate::block::Section;

words! {
    /// What kind of fact an event states.
    pub enum Kind {
        PersonRegistered = "person_registered",
        DemographicsChanged = "demographics_changed",
        IdentifierLinked = "identifier_linked",
        PeopleMerged = "people_merged",
        PeopleUnmerged = "people_unmerged",
        PersonDied = "person_died",
        FamilyLinked = "family_linked",
        EncounterRecorded = "encounter_recorded",
        ObservationRecorded = "observation_recorded",
        ConditionRecorded = "condition_recorded",
        ConditionResolved = "condition_resolved",
        AllergyRecorded = "allergy_recorded",
        MedicationRecorded = "medication_recorded",
        ProcedureRecorded = "procedure_recorded",
        VaccinationRecorded = "vaccination_recorded",
        PregnancyRecorded = "pregnancy_recorded",
        BirthRecorded = "birth_recorded",
        DocumentAttached = "document_attached",
        SelfReportSubmitted = "self_report_submitted",
        RiskFactorsReported = "risk_factors_reported",
        FamilyHistoryReported = "family_history_reported",
        DisputeRaised = "dispute_raised",
        ProgrammeEnrolled = "programme_enrolled",
        ProgrammeLeft = "programme_left",
        AppointmentMade = "appointment_made",
        AppointmentMissed = "appointment_missed",
        ContactAttempted = "contact_attempted",
        RiskAssessed = "risk_assessed",
        CorrectionMade = "correction_made",
        ConsentGranted = "consent_granted",
        ConsentWithdrawn = "consent_withdrawn",
        SecondaryUseRefused = "secondary_use_refused",
        SecondaryUseAllowed = "secondary_use_allowed",
        GuardianAppointed = "guardian_appointed",
        GuardianEnded = "guardian_ended",
        FacilityRegistered = "facility_registered",
        PractitionerRegistered = "practitioner_registered",
        ResourceKept = "resource_kept",
        RequestMade = "request_made",
        RequestDecided = "request_decided",
        RecordAccessed = "record_accessed",
        AccessRefused = "access_refused",
        GlassBroken = "glass_broken",
        AccessReviewed = "access_reviewed",
        QueryStarted = "query_started",
        QueryFinished = "query_finished",
        PersonErased = "person_erased",
        KeyEpochStarted = "key_epoch_started",
        HeadsCommitted = "heads_committed",
        SegmentClosed = "segment_closed",
        PolicyChanged = "policy_changed",
        CatalogueLoaded = "catalogue_loaded",
        StudyApproved = "study_approved",
        StudyEnded = "study_ended",
        ReleasePublished = "release_published",
    }
}

impl Kind {
    /// Returns whether only the server writes this kind; sending one is refused.
    pub fn server_only(self) -> bool {
        self >= Self::RecordAccessed
    }

    /// Returns whether events of this kind belong to a system stream, not to a person.
    pub fn without_person(self) -> bool {
        matches!(
            self,
            Self::FacilityRegistered | Self::PractitionerRegistered
        )
    }

    /// Returns whether events of this kind may stand with or without a person: a registration makes its person, and
    /// resources need not belong to anybody.
    pub fn person_optional(self) -> bool {
        matches!(self, Self::ResourceKept | Self::PersonRegistered)
    }

    /// Returns the section that events of this kind mainly belong to; `None` for those outside the record.
    pub fn section(self) -> Option<Section> {
        Some(match self {
            Self::PersonRegistered
            | Self::DemographicsChanged
            | Self::IdentifierLinked
            | Self::PeopleMerged
            | Self::PeopleUnmerged
            | Self::PersonDied
            | Self::BirthRecorded => Section::Demographics,
            Self::EncounterRecorded => Section::Encounters,
            Self::ObservationRecorded | Self::SelfReportSubmitted => Section::Observations,
            Self::ConditionRecorded | Self::ConditionResolved => Section::Problems,
            Self::AllergyRecorded => Section::Allergies,
            Self::MedicationRecorded => Section::Medications,
            Self::ProcedureRecorded => Section::Procedures,
            Self::VaccinationRecorded => Section::Vaccinations,
            Self::PregnancyRecorded => Section::Pregnancies,
            Self::DocumentAttached | Self::ResourceKept => Section::Documents,
            Self::RiskFactorsReported | Self::RiskAssessed => Section::RiskFactors,
            Self::FamilyHistoryReported => Section::FamilyHistory,
            Self::FamilyLinked
            | Self::ProgrammeEnrolled
            | Self::ProgrammeLeft
            | Self::AppointmentMade
            | Self::AppointmentMissed
            | Self::ContactAttempted
            | Self::ConsentGranted
            | Self::ConsentWithdrawn
            | Self::SecondaryUseRefused
            | Self::SecondaryUseAllowed
            | Self::GuardianAppointed
            | Self::GuardianEnded
            | Self::RequestMade
            | Self::RequestDecided => Section::Social,
            _ => return None,
        })
    }
}
