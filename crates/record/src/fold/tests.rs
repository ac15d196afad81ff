//! Promises of the fold, told as stories of one person.

use super::{AllergyAsked, ProblemStatus, Record, RecordedEvent, consents, fold};
use crate::{
    EventId, Kind, PersonId,
    data::Data,
    event::{Event, parse_event},
    history::history,
    time::Instant,
};

mod random;

const ME: PersonId = PersonId::from_bytes([1; 16]);
const OTHER: PersonId = PersonId::from_bytes([2; 16]);

pub(super) fn id(number: u8) -> EventId {
    EventId::from_bytes([number; 16])
}

/// The events of a person, each a second after the one before; the n-th has position and id n.
#[derive(Default)]
pub(super) struct Story {
    pub(super) events: Vec<RecordedEvent>,
}

impl Story {
    pub(super) fn of(&mut self, person: PersonId, kind: &str, day: &str, data: &str) -> EventId {
        let number = u8::try_from(self.events.len() + 1).unwrap();
        // A registration names no id; the write side gives it one, as it does to every reference.
        let text = format!(
            r#"{{"event_id": "{}", "person": {{"identifier": {{"system": "temporary", "value": "1"}}}},
            "kind": "{kind}", "occurred_at": "{day}", "facility": "99001", "data": {data}}}"#,
            id(number)
        );
        let event = parse_event(text.as_bytes())
            .unwrap_or_else(|e| panic!("{text}: {e:?}"))
            .event;
        let event = Event {
            person: Some(person.into()),
            ..event
        };
        self.record(person, event)
    }

    fn record(&mut self, person: PersonId, event: Event) -> EventId {
        let number = u8::try_from(self.events.len() + 1).unwrap();
        let event_id = event.event_id;
        self.events.push(RecordedEvent {
            person,
            event,
            position: u64::from(number),
            version: u64::from(number),
            recorded_at: Instant::from_micros(i64::from(number) * Instant::SECOND_US),
            hash: [number; 32],
            previous_hash: [number - 1; 32],
            recorded_by: "99001".into(),
        });
        event_id
    }

    pub(super) fn then(&mut self, kind: &str, day: &str, data: &str) -> EventId {
        self.of(ME, kind, day, data)
    }

    fn weight(&mut self, kilograms: &str) -> EventId {
        self.then("observation_recorded", "2026-11-01", &weight(kilograms))
    }

    fn replace(&mut self, corrects: EventId, replacement: &str) -> EventId {
        self.then(
            "correction_made",
            "2026-11-02",
            &format!(
                r#"{{"corrects": "{corrects}", "action": "replace", "reason": "typo",
            "replacement": {replacement}}}"#
            ),
        )
    }

    fn void(&mut self, corrects: EventId) -> EventId {
        self.then(
            "correction_made",
            "2026-11-02",
            &format!(r#"{{"corrects": "{corrects}", "action": "void", "reason": "wrong person"}}"#),
        )
    }

    fn record_now(&self) -> Record {
        fold(ME, &self.events)
    }

    fn json(&self) -> serde_json::Value {
        serde_json::to_value(self.record_now()).unwrap()
    }

    fn weights(&self) -> Vec<String> {
        let record = self.record_now();
        let series = record.observations.series.get("loinc|29463-7");
        let number = |point: &super::Point| point.value.quantity().unwrap().value.to_string();
        series
            .map(|points| points.iter().map(number).collect())
            .unwrap_or_default()
    }
}

fn weight(kilograms: &str) -> String {
    format!(
        r#"{{"code": {{"system": "loinc", "code": "29463-7"}},
        "value": {{"quantity": {{"value": {kilograms}, "unit": "kg"}}}}}}"#
    )
}

#[test]
fn a_correction_replaces_and_the_history_shows_both_sides() {
    let mut story = Story::default();
    let first = story.weight("650");
    let correction = story.replace(first, &format!(r#"{{"data": {}}}"#, weight("65.0")));
    assert_eq!(story.weights(), ["65.0"]);
    assert!(
        story.record_now().observations.latest[0]
            .provenance
            .corrected
    );
    let history = history(ME, &story.events);
    assert_eq!(history[0].corrected_by, Some(correction));
    assert_eq!(history[1].corrects, Some(first));
    let shown = serde_json::to_value(&history[0]).unwrap();
    assert_eq!(shown["data"]["value"]["quantity"]["value"], 650);
    assert_eq!(shown["hash"].as_str().map(str::len), Some(64));
}

#[test]
fn a_replacement_may_stand_without_its_wrapper_and_move_the_time() {
    let mut story = Story::default();
    let first = story.weight("650");
    let flat = weight("65").replacen('{', r#"{"occurred_at": "2026-10-30","#, 1);
    story.replace(first, &flat);
    let record = story.record_now();
    assert_eq!(story.weights(), ["65"]);
    assert_eq!(
        record.observations.latest[0]
            .provenance
            .occurred_at
            .to_string(),
        "2026-10-30"
    );
}

#[test]
fn voiding_a_correction_restores_what_was_before() {
    let mut story = Story::default();
    let first = story.weight("65");
    let correction = story.replace(first, &weight("56"));
    let void = story.void(correction);
    assert_eq!(story.weights(), ["65"]);
    assert!(history(ME, &story.events)[1].voided);
    assert_eq!(history(ME, &story.events)[0].corrected_by, None);
    story.void(void);
    assert_eq!(story.weights(), ["56"]);
}

#[test]
fn a_voided_event_leaves_the_record_but_not_the_history() {
    let mut story = Story::default();
    let first = story.weight("65");
    story.void(first);
    assert!(story.weights().is_empty());
    assert!(history(ME, &story.events)[0].voided);
}

#[test]
fn a_correction_of_a_correction_says_the_last_word() {
    let mut story = Story::default();
    let first = story.weight("650");
    let correction = story.replace(first, &weight("56"));
    story.replace(
        correction,
        &format!(
            r#"{{"data": {{"corrects": "{first}", "action": "replace", "reason": "x",
        "replacement": {}}}}}"#,
            weight("65")
        ),
    );
    assert_eq!(story.weights(), ["65"]);
    story.replace(correction, &weight("65.5"));
    assert_eq!(story.weights(), ["65.5"], "the data alone will do");
}

#[test]
fn of_two_corrections_the_later_wins_until_it_is_void() {
    let mut story = Story::default();
    let first = story.weight("1");
    story.replace(first, &weight("2"));
    let second = story.replace(first, &weight("3"));
    assert_eq!(story.weights(), ["3"]);
    story.void(second);
    assert_eq!(story.weights(), ["2"]);
}

#[test]
fn a_correction_of_what_comes_later_counts_for_nothing() {
    let mut story = Story::default();
    story.void(id(2));
    story.void(id(1));
    story.void(id(4));
    story.weight("65");
    assert_eq!(story.weights(), ["65"]);
}

#[test]
fn a_dispute_marks_the_entry_until_a_correction_answers() {
    let mut story = Story::default();
    let first = story.weight("65");
    let dispute = story.then(
        "dispute_raised",
        "2026-11-02",
        &format!(r#"{{"disputed_event_id": "{first}", "statement": "not me"}}"#),
    );
    assert!(
        story.record_now().observations.latest[0]
            .provenance
            .disputed
    );
    story.then(
        "correction_made",
        "2026-11-03",
        &format!(
            r#"{{"corrects": "{first}", "action": "replace", "reason": "x",
        "dispute_event_id": "{dispute}", "replacement": {}}}"#,
            weight("66")
        ),
    );
    assert!(
        !story.record_now().observations.latest[0]
            .provenance
            .disputed
    );
}

#[test]
fn a_merge_joins_everything_and_the_survivor_says_who_it_is() {
    let mut story = Story::default();
    let registered = |name: &str, sex: &str, phone: &str, number: &str| {
        format!(
            r#"{{"name": {{"full": "{name}"}}, "sex": "{sex}", "birth_date": "1985", {phone}
            "identifiers": [{{"system": "mrn/99001", "value": "{number}"}}]}}"#
        )
    };
    story.then(
        "person_registered",
        "2026-01-01",
        &registered("An", "male", "", "1"),
    );
    story.weight("65");
    let phone = r#""phones": ["0900"],"#;
    story.of(
        OTHER,
        "person_registered",
        "2026-02-01",
        &registered("Anh", "female", phone, "2"),
    );
    story.of(OTHER, "observation_recorded", "2026-10-01", &weight("64"));
    let merge = format!(r#"{{"retired": {{"id": "{OTHER}"}}, "grounds": "same card"}}"#);
    story.then("people_merged", "2026-11-01", &merge);
    let mut twin = story.events[4].event.clone();
    twin.event_id = id(99);
    story.record(OTHER, twin);
    story.events[5].recorded_at = story.events[4].recorded_at;
    let record = story.record_now();
    assert_eq!(record.demographics.name.unwrap().full, "An");
    assert_eq!(record.demographics.phones, ["0900"]);
    assert_eq!(record.demographics.identifiers.len(), 2);
    assert_eq!(record.demographics.merged, [OTHER]);
    assert_eq!(story.weights(), ["64", "65"]);
    let merges = history(ME, &story.events);
    assert_eq!(
        merges
            .iter()
            .filter(|entry| entry.kind == Kind::PeopleMerged)
            .count(),
        1
    );
    story.events.retain(|event| event.person == ME);
    assert_eq!(
        story.weights(),
        ["65"],
        "after an unmerge the caller passes one member"
    );
}

#[test]
fn demographics_in_force_go_by_their_effective_date() {
    let mut story = Story::default();
    story.then(
        "person_registered",
        "2020-01-01",
        r#"{"name": {"full": "A"}, "sex": "male",
        "birth_date": "1985", "religion": "x", "occupation": "farmer"}"#,
    );
    story.then(
        "demographics_changed",
        "2026-01-01",
        r#"{"occupation": "driver", "religion": null}"#,
    );
    story.then(
        "demographics_changed",
        "2026-02-01",
        r#"{"occupation": "teacher", "effective_on": "2024"}"#,
    );
    story.then("person_died", "2026-03-01", r#"{"died_on": "2026-02-28"}"#);
    let json = story.json();
    assert_eq!(json["demographics"]["occupation"], "driver");
    assert_eq!(json["demographics"].get("religion"), None);
    assert_eq!(json["demographics"]["died_on"], "2026-02-28");
    assert_eq!(json["social"]["occupation"], "driver");
}

#[test]
fn an_encounter_reaches_the_sections_of_what_was_made_in_it() {
    let mut story = Story::default();
    story.then(
        "encounter_recorded",
        "2026-11-01T08:00:00+07:00",
        r#"{"encounter_id": "LK-1",
        "class": "outpatient", "started_at": "2026-11-01T08:00:00+07:00", "labels": ["hiv"],
        "diagnoses": [{"code": {"system": "icd10", "code": "I10"}, "role": "main"}],
        "observations": [{"code": {"system": "loinc", "code": "85354-9"}, "components": [
            {"code": {"system": "loinc", "code": "8480-6"}, "value": {"quantity": {"value": 148,
            "unit": "mm[Hg]"}}}]}],
        "medications": [{"text": "amlodipin", "status": "prescribed"}],
        "procedures": [{"text": "ECG", "performed_on": "2026-11-01"}],
        "next_appointment": "2026-12-01"}"#,
    );
    let json = story.json();
    let problem = &json["problems"][0];
    assert_eq!(problem["encounter_id"], "LK-1");
    assert_eq!(problem["certainty"], "confirmed");
    assert_eq!(problem["labels"][0], "hiv");
    assert_eq!(problem["unchecked"], true);
    assert_eq!(problem["occurred_at"], "2026-11-01T01:00:00Z");
    assert_eq!(
        json["observations"]["series"]["loinc|8480-6"][0]["part_of"],
        "loinc|85354-9"
    );
    assert_eq!(json["medications"][0]["encounter_id"], "LK-1");
    assert_eq!(json["procedures"][0]["text"], "ECG");
    assert_eq!(json["encounters"][0]["class"], "outpatient");
    assert_eq!(json["social"]["appointments"][0]["due_on"], "2026-12-01");
}

#[test]
fn a_disease_diagnosed_at_every_visit_is_one_problem_until_it_is_over() {
    let mut story = Story::default();
    let visit = |story: &mut Story, month: u32| {
        let at = format!("2026-0{month}-01T08:00:00+07:00");
        let data = format!(
            r#"{{"encounter_id": "LK-{month}", "class": "outpatient", "started_at": "{at}",
            "diagnoses": [{{"code": {{"system": "icd10", "code": "I10"}}, "role": "main"}}]}}"#
        );
        story.then("encounter_recorded", &at, &data);
    };
    (1..=3).for_each(|month| visit(&mut story, month));
    let resolved = r#"{"code": {"system": "icd10", "code": "I10"}, "resolved_on": "2026-04"}"#;
    story.then("condition_resolved", "2026-04-02", resolved);
    (6..=7).for_each(|month| visit(&mut story, month));
    let problems = story.json()["problems"].clone();
    assert_eq!(problems.as_array().map(Vec::len), Some(2));
    assert_eq!(problems[0]["resolved_on"], "2026-04");
    assert_eq!(problems[0]["diagnosed"]["times"], 3);
    assert_eq!(problems[0]["diagnosed"]["first_at"], "2026-01-01T01:00:00Z");
    assert_eq!(
        problems[0]["encounter_id"], "LK-3",
        "the latest speaks for all"
    );
    assert_eq!(problems[1]["clinical_status"], "active");
    assert_eq!(problems[1]["diagnosed"]["times"], 2);

    let recorded = r#"{"code": {"system": "icd10", "code": "I10", "version": "qd4469"},
        "clinical_status": "active", "certainty": "confirmed", "onset": "2026-05"}"#;
    story.then("condition_recorded", "2026-08-01", recorded);
    let problems = story.json()["problems"].clone();
    assert_eq!(problems.as_array().map(Vec::len), Some(2));
    assert_eq!(
        problems[1]["onset"], "2026-05",
        "the condition stands for its diagnoses"
    );
    assert_eq!(problems[1]["diagnosed"]["times"], 2);
}

#[test]
fn a_condition_ends_by_its_event_or_by_its_code() {
    let mut story = Story::default();
    let condition = |code: &str| {
        format!(
            r#"{{"code": {{"system": "icd10", "code": "{code}"}}, "clinical_status": "active",
        "certainty": "confirmed"}}"#
        )
    };
    let first = story.then("condition_recorded", "2026-01-01", &condition("J06"));
    story.then("condition_recorded", "2026-01-01", &condition("J18"));
    story.then("condition_recorded", "2026-09-01", &condition("J18"));
    story.then(
        "condition_resolved",
        "2026-02-01",
        &format!(r#"{{"condition_event_id": "{first}", "resolved_on": "2026-01-20"}}"#),
    );
    story.then(
        "condition_resolved",
        "2026-02-01",
        r#"{"code": {"system": "icd10", "code": "J18"}, "resolved_on": "2026-01"}"#,
    );
    let record = story.record_now();
    let status: Vec<_> = record
        .problems
        .iter()
        .map(|it| it.what.clinical_status)
        .collect();
    assert_eq!(
        status,
        [
            ProblemStatus::Resolved,
            ProblemStatus::Resolved,
            ProblemStatus::Active
        ]
    );
}

#[test]
fn no_unknown_and_not_asked_are_three_values() {
    let mut story = Story::default();
    let report = |tobacco: &str, drugs: &str| {
        format!(
            r#"{{"tobacco": "{tobacco}", "water_pipe": "not_asked", "alcohol": {{"answer": "no"}},
        "drugs": "{drugs}", "physical_activity": "unknown"}}"#
        )
    };
    let answers = |story: &Story| {
        let json = story.json();
        [
            "tobacco",
            "water_pipe",
            "alcohol",
            "drugs",
            "physical_activity",
            "salt",
        ]
        .map(|name| {
            json["risk_factors"][name]["answer"]
                .as_str()
                .unwrap()
                .to_owned()
        })
    };
    assert_eq!(answers(&story), ["not_asked"; 6]);
    assert_eq!(story.record_now().allergies.status, AllergyAsked::NotAsked);
    story.then("risk_factors_reported", "2026-01-01", &report("yes", "no"));
    story.then(
        "risk_factors_reported",
        "2026-02-01",
        &report("not_asked", "unknown"),
    );
    assert_eq!(
        answers(&story),
        ["yes", "not_asked", "no", "unknown", "unknown", "not_asked"]
    );
    story.then("allergy_recorded", "2026-01-01", r#"{"none_known": true}"#);
    assert_eq!(story.record_now().allergies.status, AllergyAsked::NoneKnown);
    let rash = r#"{"substance": "latex", "kind": "other", "status": "active"}"#;
    story.then("allergy_recorded", "2025-01-01", rash);
    assert_eq!(story.record_now().allergies.status, AllergyAsked::Recorded);
}

#[test]
fn what_a_person_reports_is_marked() {
    let mut story = Story::default();
    story.weight("65");
    let report = format!(r#"{{"observations": [{}], "note": "tired"}}"#, weight("64"));
    story.then("self_report_submitted", "2026-11-05", &report);
    let json = story.json();
    assert_eq!(json["observations"]["latest"][0]["self_reported"], true);
    assert_eq!(json["observations"]["self_reports"][0]["note"], "tired");
    assert_eq!(
        json["observations"]["series"]["loinc|29463-7"][0].get("self_reported"),
        None
    );
}

#[test]
fn a_record_has_the_thirteen_sections_and_withheld_ones_are_left_out() {
    let mut record = fold(ME, &[]);
    let names = |record: &Record| {
        let json = serde_json::to_value(record).unwrap();
        json.as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&record).len(), 13);
    record.withhold(crate::Section::Problems);
    assert!(!names(&record).contains(&"problems".to_owned()));
}

#[test]
fn programmes_guardians_and_requests_end() {
    let mut story = Story::default();
    story.then(
        "programme_enrolled",
        "2026-01-01",
        r#"{"programme": "diabetes", "enrolled_on": "2026-01-01", "facility": "1"}"#,
    );
    story.then(
        "programme_left",
        "2026-06-01",
        r#"{"programme": "diabetes", "left_on": "2026-06-01", "reason": "moved"}"#,
    );
    story.then(
        "programme_enrolled",
        "2026-07-01",
        r#"{"programme": "diabetes", "enrolled_on": "2026-07-01", "facility": "2"}"#,
    );
    story.then(
        "guardian_appointed",
        "2026-01-01",
        r#"{"guardian": {"name": "B"}, "ground": "parent", "from": "2026-01-01"}"#,
    );
    story.then(
        "guardian_ended",
        "2026-05-01",
        r#"{"guardian": {"name": "B"}}"#,
    );
    story.then(
        "request_made",
        "2026-01-01",
        r#"{"request_id": "r", "right": "view"}"#,
    );
    story.then(
        "request_decided",
        "2026-01-02",
        r#"{"request_id": "r", "decision": "done"}"#,
    );
    let json = story.json();
    let social = &json["social"];
    assert_eq!(social["programmes"][0]["left_on"], "2026-06-01");
    assert_eq!(social["programmes"][1].get("left_on"), None);
    assert_eq!(social["guardians"][0]["ended_at"], "2026-05-01");
    assert_eq!(social["requests"][0]["decision"], "done");
}

#[test]
fn consents_stand_apart_and_end_when_withdrawn() {
    let mut story = Story::default();
    story.then(
        "consent_granted",
        "2026-01-01",
        r#"{"consent_id": "c", "purpose": "TREAT",
        "to": {"facility": "99001"}, "effect": "permit", "from": "2026-01-01", "evidence": "x"}"#,
    );
    story.then(
        "consent_withdrawn",
        "2026-02-01",
        r#"{"consent_id": "c", "from": "2026-02-01"}"#,
    );
    story.then(
        "secondary_use_refused",
        "2026-02-01",
        r#"{"scope": "all", "from": "2026-02-01"}"#,
    );
    let consents = consents(ME, &story.events);
    assert_eq!(
        consents.directives[0]
            .what
            .withdrawn_from
            .unwrap()
            .to_string(),
        "2026-02-01"
    );
    assert!(consents.secondary_use[0].what.refused);
}

#[test]
fn a_settled_replacement_keeps_what_the_server_marked() {
    let mut story = Story::default();
    let first = story.weight("650");
    story.replace(first, &weight("65"));
    let Data::CorrectionMade(correction) = &mut story.events[1].event.data else {
        panic!()
    };
    let replacement = correction.replacement.as_mut().unwrap();
    let mut data = replacement.data(Kind::ObservationRecorded).unwrap();
    data.codes_mut(|_, code| code.checked = true);
    replacement.settle(&data);
    let latest = &story.record_now().observations.latest[0];
    assert!(!latest.provenance.unchecked && latest.what.code.checked);
}

#[test]
fn a_correction_inside_a_correction_is_settled_too() {
    let mut story = Story::default();
    let first = story.weight("650");
    let correction = story.replace(first, &weight("56"));
    let inner = format!(
        r#"{{"data": {{"corrects": "{first}", "action": "replace", "reason": "x",
        "replacement": {}}}}}"#,
        weight("65")
    );
    story.replace(correction, &inner);
    let Data::CorrectionMade(outer) = &mut story.events[2].event.data else {
        panic!()
    };
    let mut mark = |data: &mut Data| data.codes_mut(|_, code| code.checked = true);
    outer
        .settle(Kind::CorrectionMade, Kind::ObservationRecorded, &mut mark)
        .unwrap();
    let record = story.record_now();
    assert!(record.observations.latest[0].what.code.checked);
    assert_eq!(story.weights(), ["65"]);
}
