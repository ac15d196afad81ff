//! Encounters and what is found, prescribed and done in them.

use crate::{
    block::{Code, CodeOrText, Component, Measure, Quantity, ReferenceRange, Value},
    decimal::Decimal,
    field::{Cx, Path},
    id::EventId,
    limits::{ENCOUNTER_ITEMS_MAX, NARRATIVE_CHARS_MAX, WORD_CHARS_MAX},
    rules,
    time::{Occurred, PartialDate},
};

words! {
    /// The class of an encounter.
    pub enum EncounterClass {
        Outpatient = "outpatient",
        Inpatient = "inpatient",
        Emergency = "emergency",
        Tele = "tele",
        Home = "home",
        HealthCheck = "health_check",
        ElderlyCheck = "elderly_check",
        SchoolCheck = "school_check",
        OccupationalCheck = "occupational_check",
    }
}

words! {
    /// What a diagnosis is in its encounter.
    pub enum DiagnosisRole {
        Main = "main",
        Secondary = "secondary",
        Admission = "admission",
        Complication = "complication",
    }
}

data! {
    /// A diagnosis made in an encounter.
    part Diagnosis {
        /// The disease.
        code: Code,
        /// What the diagnosis is in the encounter.
        role: DiagnosisRole,
        /// In the words of the clinician.
        text: Option<String> => NARRATIVE_CHARS_MAX,
    }
}

data! {
    /// A person was seen.
    clinical EncounterRecorded {
        /// The sender's id of the encounter.
        encounter_id: String => WORD_CHARS_MAX,
        /// Its class.
        class: EncounterClass,
        /// The department.
        department: Option<String>,
        /// When it began.
        started_at: Occurred,
        /// When it ended.
        ended_at: Option<Occurred>,
        /// Why the person came.
        reason: Option<CodeOrText> => NARRATIVE_CHARS_MAX,
        /// Diagnoses.
        diagnoses: Vec<Diagnosis> => ENCOUNTER_ITEMS_MAX,
        /// Observations made in it.
        observations: Vec<ObservationRecorded> => ENCOUNTER_ITEMS_MAX,
        /// Medications given or prescribed in it.
        medications: Vec<MedicationRecorded> => ENCOUNTER_ITEMS_MAX,
        /// Procedures done in it.
        procedures: Vec<ProcedureRecorded> => ENCOUNTER_ITEMS_MAX,
        /// How it ended for the person.
        outcome: Option<CodeOrText>,
        /// Where the person went.
        disposition: Option<CodeOrText>,
        /// The facility that sent them.
        referred_from: Option<String>,
        /// The facility they were sent to.
        referred_to: Option<String>,
        /// When they should come again.
        next_appointment: Option<Occurred>,
        /// A summary in words.
        summary: Option<String> => NARRATIVE_CHARS_MAX,
    }
    rules check_encounter;
}

fn check_encounter(encounter: &EncounterRecorded, at: Path<'_>, cx: &mut Cx) {
    let ended = encounter.ended_at;
    rules::in_order(
        ("started_at", Some(encounter.started_at)),
        ("ended_at", ended),
        at,
        cx,
    );
}

data! {
    /// Something was measured, seen or asked.
    clinical ObservationRecorded {
        /// What was observed.
        code: Code,
        /// The value; may be left out when there are components.
        value: Option<Value>,
        /// The parts of an observation that has several.
        components: Vec<Component>,
        /// What it means, such as high or low.
        interpretation: Option<CodeOrText>,
        /// What is usual.
        reference_range: Option<ReferenceRange>,
        /// How it was done.
        method: Option<CodeOrText>,
        /// On what material.
        specimen: Option<CodeOrText>,
        /// The encounter it belongs to.
        encounter_id: Option<String> => WORD_CHARS_MAX,
    }
    rules check_observation;
}

fn check_observation(observation: &ObservationRecorded, at: Path<'_>, cx: &mut Cx) {
    if observation.value.is_none() && observation.components.is_empty() {
        cx.missing(at.key("value"));
    }
}

words! {
    /// Whether a condition is there.
    pub enum ClinicalStatus {
        Active = "active",
        Recurrence = "recurrence",
        Remission = "remission",
    }
}

words! {
    /// How sure the clinician is.
    pub enum Certainty {
        Confirmed = "confirmed",
        Provisional = "provisional",
    }
}

data! {
    /// A person has a condition.
    clinical ConditionRecorded {
        /// The condition.
        code: Code,
        /// Whether it is there.
        clinical_status: ClinicalStatus,
        /// How sure the clinician is.
        certainty: Certainty,
        /// Since when.
        onset: Option<PartialDate>,
        /// How severe.
        severity: Option<CodeOrText>,
        /// The encounter it belongs to.
        encounter_id: Option<String> => WORD_CHARS_MAX,
    }
}

data! {
    /// A condition is over.
    clinical ConditionResolved {
        /// The condition by its code.
        code: Option<Code>,
        /// The condition by the event that recorded it.
        condition_event_id: Option<EventId>,
        /// Since when.
        resolved_on: PartialDate,
    }
    rules check_resolved;
}

fn check_resolved(resolved: &ConditionResolved, at: Path<'_>, cx: &mut Cx) {
    if resolved.code.is_none() && resolved.condition_event_id.is_none() {
        cx.error(
            at.key("code"),
            "missing",
            "expected a code or a condition_event_id",
        );
    }
}

words! {
    /// What kind of thing someone is allergic to.
    pub enum AllergyKind {
        Other = "other",
        Drug = "drug",
        Food = "food",
        Chemical = "chemical",
        Environment = "environment",
    }
}

words! {
    /// Whether an allergy holds.
    pub enum AllergyStatus {
        Active = "active",
        Refuted = "refuted",
        Resolved = "resolved",
    }
}

data! {
    /// A person has an allergy, or was asked and has none known.
    clinical AllergyRecorded {
        /// To what.
        substance: Option<CodeOrText>,
        /// What kind of thing that is.
        kind: Option<AllergyKind>,
        /// What happens.
        reaction: Option<CodeOrText>,
        /// How severe that is.
        severity: Option<CodeOrText>,
        /// How dangerous the next contact is.
        criticality: Option<CodeOrText>,
        /// Whether it holds.
        status: Option<AllergyStatus>,
        /// True when the person was asked and no allergy is known.
        none_known: Option<bool>,
    }
    rules check_allergy;
}

fn check_allergy(allergy: &AllergyRecorded, at: Path<'_>, cx: &mut Cx) {
    let none_known = allergy.none_known == Some(true);
    match &allergy.substance {
        Some(_) if none_known => {
            cx.error(
                at.key("none_known"),
                "conflict",
                "expected a substance or none_known, not both",
            );
        }
        Some(_) => {
            if allergy.kind.is_none() {
                cx.missing(at.key("kind"));
            }
            if allergy.status.is_none() {
                cx.missing(at.key("status"));
            }
        }
        None if none_known => {}
        None => cx.error(
            at.key("substance"),
            "missing",
            "expected a substance, or none_known: true",
        ),
    }
}

words! {
    /// What happened with a medicine.
    pub enum MedicationStatus {
        Prescribed = "prescribed",
        Dispensed = "dispensed",
        Administered = "administered",
        Stated = "stated",
        Stopped = "stopped",
    }
}

data! {
    /// How much of a medicine, how often.
    part Dose {
        /// As written.
        text: String => 2_000,
        /// How much at a time.
        quantity: Option<Quantity>,
        /// How many times a day.
        per_day: Option<Decimal>,
    }
}

data! {
    /// A medicine was prescribed, dispensed, given, reported or stopped.
    clinical MedicationRecorded {
        /// The medicine.
        code: Option<Code>,
        /// The medicine in words.
        text: Option<String> => 2_000,
        /// What happened with it.
        status: MedicationStatus,
        /// How much, how often.
        dose: Option<Dose>,
        /// How it is taken.
        route: Option<CodeOrText>,
        /// From when.
        started_on: Option<PartialDate>,
        /// Until when.
        ended_on: Option<PartialDate>,
        /// For how many days.
        days: Option<u32> => 36_500,
        /// How much in all.
        amount: Option<Measure>,
        /// The encounter it belongs to.
        encounter_id: Option<String> => WORD_CHARS_MAX,
    }
    rules check_medication;
}

fn check_medication(medication: &MedicationRecorded, at: Path<'_>, cx: &mut Cx) {
    code_or_text(medication.code.is_some(), medication.text.is_some(), at, cx);
    let (started, ended) = (medication.started_on, medication.ended_on);
    rules::in_order(("started_on", started), ("ended_on", ended), at, cx);
}

fn code_or_text(code: bool, text: bool, at: Path<'_>, cx: &mut Cx) {
    if !code && !text {
        cx.error(
            at.key("code"),
            "missing",
            "expected a code, a text, or both",
        );
    }
}

data! {
    /// Something was done to a person.
    clinical ProcedureRecorded {
        /// The procedure.
        code: Option<Code>,
        /// The procedure in words.
        text: Option<String> => 2_000,
        /// When.
        performed_on: PartialDate,
        /// Where on the body.
        body_site: Option<CodeOrText>,
        /// How it went.
        outcome: Option<CodeOrText>,
        /// The encounter it belongs to.
        encounter_id: Option<String> => WORD_CHARS_MAX,
    }
    rules check_procedure;
}

fn check_procedure(procedure: &ProcedureRecorded, at: Path<'_>, cx: &mut Cx) {
    code_or_text(procedure.code.is_some(), procedure.text.is_some(), at, cx);
}
