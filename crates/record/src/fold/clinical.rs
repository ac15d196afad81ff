//! Problems, allergies and the sections that are lists of what was recorded.

use std::collections::{HashMap, HashSet, hash_map};

use serde::Serialize;

use super::{Entry, TimeKey, by_time, effective::Effective};
use crate::{
    block::{Code, CodeOrText},
    data::{
        AllergyRecorded, AllergyStatus, Certainty, ClinicalStatus, ConditionRecorded,
        ConditionResolved, Data, DiagnosisRole, EncounterRecorded, FamilyCondition,
        MedicationRecorded, PregnancyRecorded, ProcedureRecorded, VaccinationRecorded,
    },
    time::{Occurred, PartialDate},
};

/// An encounter as recorded.
pub type EncounterEntry = Entry<EncounterRecorded>;
/// An answer about the family.
pub type FamilyHistoryEntry = Entry<FamilyCondition>;

words! {
    /// Where a problem stands.
    pub enum ProblemStatus {
        Active = "active",
        Recurrence = "recurrence",
        Remission = "remission",
        Resolved = "resolved",
    }
}

impl From<ClinicalStatus> for ProblemStatus {
    fn from(status: ClinicalStatus) -> Self {
        match status {
            ClinicalStatus::Active => Self::Active,
            ClinicalStatus::Recurrence => Self::Recurrence,
            ClinicalStatus::Remission => Self::Remission,
        }
    }
}

/// A condition, or a diagnosis made in an encounter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The condition.
    pub code: Code,
    /// Where it stands.
    pub clinical_status: ProblemStatus,
    /// How sure the clinician is.
    pub certainty: Certainty,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onset: Option<PartialDate>,
    /// How severe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<CodeOrText>,
    /// The encounter it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encounter_id: Option<String>,
    /// What the diagnosis was in the encounter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<DiagnosisRole>,
    /// In the words of the clinician.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Since when it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_on: Option<PartialDate>,
    /// How often it was diagnosed in encounters, when first and when last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnosed: Option<Diagnosed>,
}

/// The diagnoses of one problem over several encounters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Diagnosed {
    /// In how many encounters.
    pub times: u32,
    /// When first.
    pub first_at: Occurred,
    /// When last.
    pub latest_at: Occurred,
}

/// Lists every condition, and the diagnoses of encounters once per code, and marks those that are over.
pub(crate) fn problems(events: &[Effective<'_>]) -> Vec<Entry<Problem>> {
    let mut all = Vec::new();
    let mut resolutions: Vec<(TimeKey, &ConditionResolved)> = Vec::new();
    for event in events {
        match &*event.data {
            Data::ConditionRecorded(condition) => all.push(problem(event, of_condition(condition))),
            Data::EncounterRecorded(encounter) => {
                all.extend(diagnoses(encounter).map(|made| problem(event, made)));
            }
            Data::ConditionResolved(resolved) => resolutions.push((event.key(), resolved)),
            _ => {}
        }
    }
    let mut problems = by_time(all);
    for resolved in by_time(resolutions) {
        resolve(&mut problems, resolved);
    }
    once_per_code(problems)
}

/// Counts diagnoses of one code together: a patient who comes every month with one disease has one problem. They count
/// with the condition of that code, where one is recorded, or stand as an entry of the latest. A diagnosis after the
/// problem was over begins another.
fn once_per_code(problems: Vec<Entry<Problem>>) -> Vec<Entry<Problem>> {
    let key = |problem: &Problem| (problem.code.key(), problem.resolved_on);
    let mut kept: Vec<Entry<Problem>> = Vec::with_capacity(problems.len());
    let mut diagnosed: HashMap<_, Diagnosed> = HashMap::new();
    let of_condition = |entry: &Entry<Problem>| entry.what.role.is_none();
    let recorded: HashSet<_> = problems
        .iter()
        .filter(|entry| of_condition(entry))
        .map(|entry| key(&entry.what))
        .collect();
    // From the latest backwards, so that the one kept is the latest; counted on the way.
    for entry in problems.into_iter().rev() {
        if of_condition(&entry) {
            kept.push(entry);
            continue;
        }
        let at = entry.provenance.occurred_at;
        match diagnosed.entry(key(&entry.what)) {
            hash_map::Entry::Occupied(mut later) => {
                let later = later.get_mut();
                later.times += 1;
                later.first_at = at;
            }
            hash_map::Entry::Vacant(new) => {
                new.insert(Diagnosed {
                    times: 1,
                    first_at: at,
                    latest_at: at,
                });
                if !recorded.contains(&key(&entry.what)) {
                    kept.push(entry);
                }
            }
        }
    }
    // Each count goes to the latest entry of its code.
    for entry in &mut kept {
        entry.what.diagnosed = diagnosed.remove(&key(&entry.what));
    }
    kept.reverse();
    kept
}

fn problem(event: &Effective<'_>, what: Problem) -> (TimeKey, Entry<Problem>) {
    let mut provenance = event.provenance(&[]);
    provenance.unchecked = !what.code.checked;
    (event.key(), Entry { what, provenance })
}

fn of_condition(condition: &ConditionRecorded) -> Problem {
    Problem {
        code: condition.code.clone(),
        clinical_status: condition.clinical_status.into(),
        certainty: condition.certainty,
        onset: condition.onset,
        severity: condition.severity.clone(),
        encounter_id: condition.encounter_id.clone(),
        role: None,
        text: None,
        resolved_on: None,
        diagnosed: None,
    }
}

fn diagnoses(encounter: &EncounterRecorded) -> impl Iterator<Item = Problem> {
    encounter.diagnoses.iter().map(|diagnosis| Problem {
        code: diagnosis.code.clone(),
        clinical_status: ProblemStatus::Active,
        certainty: match diagnosis.role {
            // What was thought at admission is what the encounter then confirms or not.
            DiagnosisRole::Admission => Certainty::Provisional,
            _ => Certainty::Confirmed,
        },
        onset: None,
        severity: None,
        encounter_id: Some(encounter.encounter_id.clone()),
        role: Some(diagnosis.role),
        text: diagnosis.text.clone(),
        resolved_on: None,
        diagnosed: None,
    })
}

/// Marks the problem of the named event; without one, every problem of that code that began by then.
fn resolve(problems: &mut [Entry<Problem>], resolved: &ConditionResolved) {
    let mark = |problem: &mut Problem| {
        problem.clinical_status = ProblemStatus::Resolved;
        problem.resolved_on = Some(resolved.resolved_on);
    };
    if let Some(event) = resolved.condition_event_id {
        let named = problems
            .iter_mut()
            .filter(|problem| problem.provenance.event_id == event);
        let fits = |problem: &Problem| {
            resolved
                .code
                .as_ref()
                .is_none_or(|code| problem.code.same_as(code))
        };
        named
            .filter(|problem| fits(&problem.what))
            .for_each(|problem| mark(&mut problem.what));
        return;
    }
    let Some(code) = &resolved.code else {
        return;
    };
    for problem in problems
        .iter_mut()
        .filter(|problem| problem.what.code.same_as(code))
    {
        let began = problem
            .what
            .onset
            .unwrap_or_else(|| problem.provenance.occurred_at.date());
        if began.earliest() <= resolved.resolved_on.latest() {
            mark(&mut problem.what);
        }
    }
}

words! {
    /// What is known about allergies as a whole.
    pub enum AllergyAsked {
        NotAsked = "not_asked",
        NoneKnown = "none_known",
        Recorded = "recorded",
    }
}

/// Allergies, and whether the person was asked at all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Allergies {
    /// What is known as a whole. An allergy in force outweighs a statement that none is known.
    pub status: AllergyAsked,
    /// Every allergy that was recorded, refuted and resolved ones too.
    pub items: Vec<Entry<AllergyRecorded>>,
}

/// Lists allergies and says what is known as a whole.
pub(crate) fn allergies(events: &[Effective<'_>]) -> Allergies {
    let mut items = Vec::new();
    let mut none_known = false;
    for event in events {
        if let Data::AllergyRecorded(allergy) = &*event.data {
            if allergy.substance.is_none() {
                none_known |= allergy.none_known == Some(true);
                continue;
            }
            let what = AllergyRecorded {
                labels: Vec::new(),
                ..(**allergy).clone()
            };
            items.push((event.key(), event.entry(what, &[])));
        }
    }
    let items = by_time(items);
    let in_force = |entry: &Entry<AllergyRecorded>| {
        entry.what.status.unwrap_or_default() == AllergyStatus::Active
    };
    let status = match none_known {
        _ if items.iter().any(in_force) => AllergyAsked::Recorded,
        true => AllergyAsked::NoneKnown,
        false if items.is_empty() => AllergyAsked::NotAsked,
        false => AllergyAsked::Recorded,
    };
    Allergies { status, items }
}

/// Lists the entries of kinds that are shown as they were recorded.
macro_rules! listed {
    ($( $(#[$doc:meta])* $name:ident : $variant:ident($type:ident) ),+ $(,)?) => {
        $(
            $(#[$doc])*
            pub(crate) fn $name(events: &[Effective<'_>]) -> Vec<Entry<$type>> {
                by_time(events.iter().filter_map(|event| {
                    let Data::$variant(data) = &*event.data else {
                        return None;
                    };
                    let what = $type { labels: Vec::new(), ..(**data).clone() };
                    Some((event.key(), event.entry(what, &[])))
                }).collect())
            }
        )+
    };
}

listed! {
    /// Lists vaccinations.
    vaccinations: VaccinationRecorded(VaccinationRecorded),
    /// Lists encounters, with what was made in them.
    encounters: EncounterRecorded(EncounterRecorded),
    /// Lists pregnancies.
    pregnancies: PregnancyRecorded(PregnancyRecorded),
}

/// Lists medicines, those of encounters too.
pub(crate) fn medications(events: &[Effective<'_>]) -> Vec<Entry<MedicationRecorded>> {
    let made = |event: &Effective<'_>, medication: &MedicationRecorded, id: Option<&String>| {
        let mut what = medication.clone();
        let labels = std::mem::take(&mut what.labels);
        what.encounter_id = what.encounter_id.or_else(|| id.cloned());
        (event.key(), event.entry(what, &labels))
    };
    let mut all = Vec::new();
    for event in events {
        match &*event.data {
            Data::MedicationRecorded(medication) => all.push(made(event, medication, None)),
            Data::EncounterRecorded(encounter) => {
                let id = Some(&encounter.encounter_id);
                all.extend(encounter.medications.iter().map(|one| made(event, one, id)));
            }
            _ => {}
        }
    }
    by_time(all)
}

/// Lists procedures, those of encounters too.
pub(crate) fn procedures(events: &[Effective<'_>]) -> Vec<Entry<ProcedureRecorded>> {
    let made = |event: &Effective<'_>, procedure: &ProcedureRecorded, id: Option<&String>| {
        let mut what = procedure.clone();
        let labels = std::mem::take(&mut what.labels);
        what.encounter_id = what.encounter_id.or_else(|| id.cloned());
        (event.key(), event.entry(what, &labels))
    };
    let mut all = Vec::new();
    for event in events {
        match &*event.data {
            Data::ProcedureRecorded(procedure) => all.push(made(event, procedure, None)),
            Data::EncounterRecorded(encounter) => {
                let id = Some(&encounter.encounter_id);
                all.extend(encounter.procedures.iter().map(|one| made(event, one, id)));
            }
            _ => {}
        }
    }
    by_time(all)
}

/// Lists answers about the family, each entry of a report on its own.
pub(crate) fn family_history(events: &[Effective<'_>]) -> Vec<FamilyHistoryEntry> {
    let mut all = Vec::new();
    for event in events {
        if let Data::FamilyHistoryReported(history) = &*event.data {
            let made = |entry: &FamilyCondition| (event.key(), event.entry(entry.clone(), &[]));
            all.extend(history.entries.iter().map(made));
        }
    }
    by_time(all)
}

/// A document or a kept resource, without its content, which the history has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentEntry {
    /// What it is called; the type of a kept resource.
    pub title: String,
    /// Its media type; the format of a kept resource.
    pub media_type: String,
    /// Characters of the content in the event, when it is not in a blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_chars: Option<usize>,
    /// The digest of the blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Whether it is a resource that has no kind of its own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub kept_whole: bool,
}

/// Lists documents and kept resources.
pub(crate) fn documents(events: &[Effective<'_>]) -> Vec<Entry<DocumentEntry>> {
    let listed = |event: &Effective<'_>| {
        let what = match &*event.data {
            Data::DocumentAttached(document) => DocumentEntry {
                title: document.title.clone(),
                media_type: document.media_type.clone(),
                content_chars: document.content.as_ref().map(String::len),
                digest: document.digest.clone(),
                about: document.about.clone(),
                kept_whole: false,
            },
            Data::ResourceKept(kept) => DocumentEntry {
                title: kept.resource_type.clone(),
                media_type: kept.format.clone(),
                content_chars: kept.content.as_ref().map(String::len),
                digest: kept.digest.clone(),
                about: None,
                kept_whole: true,
            },
            _ => return None,
        };
        Some((
            event.key(),
            Entry {
                what,
                provenance: event.provenance(&[]),
            },
        ))
    };
    by_time(events.iter().filter_map(listed).collect())
}
