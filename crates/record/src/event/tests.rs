//! Promises of reading events: what is right comes back the same, what is wrong is named.

use super::{Event, Invalid, event_schemas, parse_event, validate};
use crate::{Kind, PersonRef, data::Data, limits};

mod examples;

use examples::EXAMPLES;

fn event(kind: &str, data: &str) -> String {
    let person = match Kind::from_word(kind).is_some_and(Kind::without_person) {
        true => "",
        false => r#""person": {"identifier": {"system": "cccd", "value": "099085012345"}},"#,
    };
    format!(
        r#"{{"event_id": "0192f0c1-7a3b-7c11-9e2f-0242ac120002", {person} "kind": "{kind}",
        "occurred_at": "2026-11-01T08:00:00+07:00", "facility": "99001",
        "author": {{"id": "99001/BS-000123", "name": "A", "role": "doctor"}},
        "source": {{"system": "his-99001", "record": "LK-1"}}, "data": {data}}}"#
    )
}

fn errors(text: &str) -> Vec<(String, &'static str)> {
    match parse_event(text.as_bytes()) {
        Err(Invalid::Content { errors }) => errors
            .into_iter()
            .map(|error| (error.pointer, error.code))
            .collect(),
        other => panic!("expected bad content, got {other:?}"),
    }
}

fn check(kind: &str, data: &str, expected: &[(&str, &str)]) {
    let mut found = errors(&event(kind, data));
    found.sort();
    let mut expected: Vec<_> = expected
        .iter()
        .map(|(at, code)| (at.to_string(), *code))
        .collect();
    expected.sort();
    assert_eq!(found, expected, "{kind} {data}");
}

#[test]
fn every_kind_that_may_be_sent_has_an_example() {
    let shown: Vec<_> = EXAMPLES.iter().map(|(kind, _)| *kind).collect();
    for kind in Kind::ALL.iter().filter(|kind| !kind.server_only()) {
        assert!(shown.contains(&kind.as_str()), "{kind}");
    }
}

#[test]
fn every_kind_is_read_and_written_the_same() {
    for (kind, data) in EXAMPLES {
        let read = parse_event(event(kind, data).as_bytes())
            .unwrap_or_else(|error| panic!("{kind} {data}: {error:?}"));
        assert_eq!(read.event.kind().as_str(), *kind);
        validate(&read).unwrap();
        let written = serde_json::to_string(&read.event)
            .unwrap()
            .replace(r#","unchecked":true"#, "");
        let written = written.replace(r#","unresolved":true"#, "");
        let again = parse_event(written.as_bytes()).unwrap_or_else(|e| panic!("{written}: {e:?}"));
        assert_eq!(again, read, "{written}");
    }
}

#[test]
fn every_kind_survives_its_binary_form() {
    for (kind, data) in EXAMPLES {
        let read = parse_event(event(kind, data).as_bytes()).unwrap().event;
        let bytes = wincode::serialize(&read).unwrap();
        let again: Event = wincode::deserialize(&bytes).unwrap();
        assert_eq!(again, read);
        for cut in 0..bytes.len() {
            assert!(
                wincode::deserialize::<Event>(&bytes[..cut]).is_err(),
                "{kind} cut at {cut}"
            );
        }
    }
}

#[test]
fn what_is_written_fits_the_published_schema() {
    let schemas = event_schemas();
    for (kind, data) in EXAMPLES {
        let kind = Kind::from_word(kind).unwrap();
        let (_, schema) = schemas.iter().find(|(of, _)| *of == kind).unwrap();
        let known = schema["properties"]["data"]["properties"]
            .as_object()
            .unwrap();
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        for key in data.as_object().unwrap().keys() {
            assert!(known.contains_key(key), "{kind} {key}");
        }
    }
}

#[test]
fn malformed_json_is_told_from_bad_content() {
    assert!(matches!(parse_event(b"{"), Err(Invalid::Malformed(_))));
    assert!(matches!(
        parse_event(&[b'['; 100_000]),
        Err(Invalid::Malformed(_))
    ));
    let large = vec![b' '; limits::EVENT_BYTES_MAX + 1];
    assert!(matches!(parse_event(&large), Err(Invalid::TooLarge { .. })));
    assert_eq!(errors("[]"), [(String::new(), "wrong_type")]);
    assert_eq!(errors("null"), [(String::new(), "wrong_type")]);
}

#[test]
fn every_missing_part_of_the_envelope_is_named() {
    let mut found = errors("{}");
    found.sort();
    let expected = ["/data", "/event_id", "/kind", "/occurred_at"];
    assert_eq!(found, expected.map(|at| (at.to_owned(), "missing")));
    let mut found = errors(r#"{"kind":"person_died","surprise":1,"data":{}}"#);
    found.sort();
    assert_eq!(
        found,
        [
            ("/data/died_on".to_owned(), "missing"),
            ("/event_id".to_owned(), "missing"),
            ("/occurred_at".to_owned(), "missing"),
            ("/person".to_owned(), "missing"),
            ("/surprise".to_owned(), "unknown_field"),
        ]
    );
}

#[test]
fn unknown_and_forbidden_kinds_are_told_apart() {
    assert_eq!(
        errors(&event("person_cloned", "{}")),
        [("/kind".to_owned(), "unknown_kind")]
    );
    let sent = event("record_accessed", "{}");
    let expected = Invalid::ForbiddenKind {
        kind: Kind::RecordAccessed,
    };
    assert_eq!(parse_event(sent.as_bytes()), Err(expected));
}

#[test]
fn every_bad_field_is_named() {
    check(
        "observation_recorded",
        r#"{"code": {"system": "loinc"}, "value": {"quantity":
        {"value": "148", "unit": ""}}, "valeu": 1}"#,
        &[
            ("/data/code/code", "missing"),
            ("/data/value/quantity/value", "wrong_type"),
            ("/data/value/quantity/unit", "empty"),
            ("/data/valeu", "unknown_field"),
        ],
    );
    check(
        "person_registered",
        r#"{"identifiers": [{"system": "cccd", "value": "123"},
        {"system": "library", "value": "1"}], "name": {}, "sex": "m", "birth_date": "1985-02-30"}"#,
        &[
            ("/data/identifiers/0/value", "bad_format"),
            ("/data/identifiers/1/system", "unknown_word"),
            ("/data/name/full", "missing"),
            ("/data/sex", "unknown_word"),
            ("/data/birth_date", "impossible_date"),
        ],
    );
    check(
        "encounter_recorded",
        r#"{"encounter_id": "1", "class": "outpatient",
        "started_at": "2026-11-02", "ended_at": "2026-11-01", "observations": [{"code":
        {"system": "loinc", "code": "1"}}], "diagnoses": {}}"#,
        &[
            ("/data/diagnoses", "wrong_type"),
            ("/data/observations/0/value", "missing"),
        ],
    );
    check(
        "encounter_recorded",
        r#"{"encounter_id": "1", "class": "outpatient",
        "started_at": "2026-11-02", "ended_at": "2026-11-01"}"#,
        &[("/data/ended_at", "end_before_start")],
    );
}

#[test]
fn every_broken_rule_is_named() {
    check(
        "medication_recorded",
        r#"{"status": "prescribed", "days": -1}"#,
        &[("/data/days", "out_of_range")],
    );
    check(
        "medication_recorded",
        r#"{"status": "prescribed", "started_on": "2026-02",
        "ended_on": "2026-01"}"#,
        &[
            ("/data/code", "missing"),
            ("/data/ended_on", "end_before_start"),
        ],
    );
    check(
        "allergy_recorded",
        r#"{"substance": "latex", "none_known": true}"#,
        &[("/data/none_known", "conflict")],
    );
    check("allergy_recorded", "{}", &[("/data/substance", "missing")]);
    check(
        "document_attached",
        r#"{"title": "x", "media_type": "text/plain", "content": "a*=="}"#,
        &[("/data/content", "bad_format")],
    );
    check(
        "correction_made",
        r#"{"corrects": "1", "action": "replace", "reason": " "}"#,
        &[("/data/corrects", "bad_format"), ("/data/reason", "empty")],
    );
    check(
        "consent_granted",
        r#"{"consent_id": "c", "purpose": "FUN", "to": {"facility": "1",
        "role": "x"}, "effect": "permit", "from": "2026-13-01", "evidence": "paper"}"#,
        &[
            ("/data/purpose", "unknown_word"),
            ("/data/to", "conflict"),
            ("/data/from", "impossible_date"),
        ],
    );
}

#[test]
fn no_error_repeats_what_was_sent() {
    let secret = "hiv-positive-099085012345";
    let text = event(
        "person_registered",
        &format!(
            r#"{{"identifiers": [{{"system": "{secret}", "value": ""}}], "{secret} x": 1,
        "name": "{secret}", "sex": "{secret}", "birth_date": "{secret}"}}"#
        ),
    );
    let said = format!("{:?}", parse_event(text.as_bytes()).unwrap_err());
    assert!(!said.contains(secret), "{said}");
}

#[test]
fn limits_hold_and_errors_are_capped() {
    let long = "x".repeat(limits::NARRATIVE_CHARS_MAX + 1);
    check(
        "dispute_raised",
        &format!(
            r#"{{"disputed_event_id": "0192f0c1-7a3b-7c11-9e2f-0242ac120002", "statement": "{long}"}}"#
        ),
        &[("/data/statement", "too_long")],
    );
    let many = vec!["\"0900\""; 21].join(",");
    check(
        "demographics_changed",
        &format!(r#"{{"phones": [{many}]}}"#),
        &[("/data/phones", "too_many")],
    );
    let wrong: Vec<_> = (0..500).map(|n| format!("\"w{n}\": 1")).collect();
    let text = event("demographics_changed", &format!("{{{}}}", wrong.join(",")));
    assert_eq!(errors(&text).len(), limits::ERRORS_MAX);
}

#[test]
fn code_made_events_keep_the_same_rules() {
    let text = event(
        "observation_recorded",
        r#"{"code": {"system": "loinc", "code": "1"}, "value": {"text": "x"}}"#,
    );
    let mut incoming = parse_event(text.as_bytes()).unwrap();
    if let Data::ObservationRecorded(observation) = &mut incoming.event.data {
        observation.value = None;
        observation.code.code.clear();
    }
    incoming.event.person = Some(PersonRef::Unresolved("someone".into()));
    let Err(Invalid::Content { errors }) = validate(&incoming) else {
        panic!("it is wrong")
    };
    let places: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(places, ["/data/code/code", "/data/value", "/person"]);
}

#[test]
fn a_death_comes_before_the_birth_only_where_no_day_fits_both() {
    let day = |text: &str| text.parse().unwrap();
    assert!(crate::death_before_birth(day("1984"), day("1985-03")));
    assert!(!crate::death_before_birth(day("1984"), day("1984-12-31")));
}

#[test]
fn codes_people_and_labels_can_be_visited() {
    let text = event(
        "encounter_recorded",
        r#"{"encounter_id": "1", "class": "outpatient",
        "started_at": "2026", "diagnoses": [{"code": {"system": "icd10", "code": "I10"},
        "role": "main"}], "observations": [{"code": {"system": "loinc", "code": "1"},
        "value": {"code": {"system": "snomed", "code": "2"}}}]}"#,
    );
    let mut data = parse_event(text.as_bytes()).unwrap().event.data;
    let mut seen = Vec::new();
    data.codes_mut(|at, code| {
        code.checked = true;
        seen.push(at.to_owned());
    });
    assert_eq!(
        seen,
        [
            "/data/diagnoses/0/code",
            "/data/observations/0/code",
            "/data/observations/0/value/code",
        ]
    );
    assert!(!serde_json::to_string(&data).unwrap().contains("unchecked"));
    assert!(data.labels_mut().unwrap().is_empty());
    let text = event("birth_recorded", examples::BIRTH);
    let mut people = 0;
    let mut data = parse_event(text.as_bytes()).unwrap().event.data;
    data.person_refs_mut(|at, _| {
        assert_eq!(at, "/data/mother");
        people += 1;
    });
    assert_eq!(people, 1);
}

#[test]
fn marks_of_the_server_come_back_unbelieved() {
    let text = event(
        "observation_recorded",
        r#"{"code": {"system": "loinc", "code": "1", "unchecked": false}, "value": {"text": "x"}}"#,
    );
    let mut data = parse_event(text.as_bytes()).unwrap().event.data;
    data.codes_mut(|_, code| assert!(!code.checked));
}

#[test]
fn control_characters_and_space_around_words_are_refused() {
    let read = |code: &str| {
        let text = format!(
            r#"{{"event_id": "0192f0c1-7a3b-7c11-9e2f-0242ac120002", "kind": "observation_recorded",
            "person": {{"identifier": {{"system": "temporary", "value": "1"}}}},
            "occurred_at": "2026-11-01", "data": {{"code": {{"system": "loinc", "code": "{code}"}},
            "value": {{"text": "two\\nlines"}}}}}}"#
        );
        parse_event(text.as_bytes())
    };
    assert!(read("8480-6").is_ok());
    for bad in ["a\\u0000b", "a\\u0007", " I10", "I10 ", "a\\nb"] {
        let Err(Invalid::Content { errors }) = read(bad) else {
            panic!("{bad:?} was taken")
        };
        assert_eq!(errors[0].code, "bad_character", "{bad:?}");
        assert_eq!(errors[0].pointer, "/data/code/code");
    }
}
