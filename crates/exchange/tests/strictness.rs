//! What is not FHIR R4 is refused with the member named, and no time is made up.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::{Value, json};
use sokhoe_exchange::fhir::{Context, Outcome, read_document, translate};
use sokhoe_record::Instant;

/// What the one resource of a document became: the pointer and code of a refusal, or why it was kept, or nothing.
fn became(document: &Value) -> (String, &'static str) {
    let hash = |parts: &[&[u8]]| *blake3::hash(&parts.concat()).as_bytes();
    let received = Instant::from_micros(1_790_000_000_000_000);
    let context = Context::new("fhir", None, received, &hash).unwrap();
    let text = document.to_string();
    let items = translate(&read_document(text.as_bytes()).unwrap(), &context);
    assert_eq!(items.len(), 1, "{items:?}");
    match &items[0].outcome {
        Outcome::Refused(refused) => (refused.pointer.clone(), refused.code),
        Outcome::Kept { because, .. } => ("kept".to_owned(), because.unwrap_or_default()),
        Outcome::Events(_) => ("events".to_owned(), ""),
    }
}

fn with(mut resource: Value, key: &str, value: Value) -> Value {
    resource[key] = value;
    resource
}

fn observation() -> Value {
    json!({"resourceType": "Observation", "id": "o", "status": "final",
        "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]}, "valueInteger": 3})
}

fn patient() -> Value {
    json!({"resourceType": "Patient", "id": "p1", "gender": "male", "birthDate": "1980-01-01",
        "name": [{"family": "Mẫu"}]})
}

fn refused(resource: &Value, pointer: &str, code: &str) {
    let (at, told) = became(resource);
    assert_eq!((at.as_str(), told), (pointer, code), "{resource}");
}

#[test]
fn a_date_that_the_calendar_does_not_have_is_refused_by_its_member() {
    let dated = |date: &str| with(observation(), "effectiveDateTime", json!(date));
    refused(
        &dated("2026-02-30"),
        "/effectiveDateTime",
        "impossible_date",
    );
    refused(
        &dated("2026-02-28T25:00:00Z"),
        "/effectiveDateTime",
        "impossible_date",
    );
    refused(&dated("yesterday"), "/effectiveDateTime", "bad_format");
    let period = with(
        observation(),
        "effectivePeriod",
        json!({"start": "2026-13-01"}),
    );
    refused(&period, "/effectivePeriod/start", "impossible_date");
    let updated = with(observation(), "meta", json!({"lastUpdated": "2026-02-30"}));
    refused(&updated, "/meta/lastUpdated", "impossible_date");
    refused(
        &with(patient(), "birthDate", json!("1980-02-30")),
        "/birthDate",
        "impossible_date",
    );
    let claim = json!({"resourceType": "Claim", "id": "c", "created": "2026-02-30",
        "patient": {"reference": "Patient/p1"}});
    refused(&claim, "/created", "impossible_date");
}

#[test]
fn what_has_no_clinical_date_is_kept_whole_and_an_honest_other_time_counts() {
    assert_eq!(
        became(&observation()),
        ("kept".to_owned(), "no clinical date")
    );
    let updated = json!({"lastUpdated": "2026-01-02T03:04:05Z"});
    let updated = with(observation(), "meta", updated);
    assert_eq!(became(&updated).0, "events");
    let issued = with(observation(), "issued", json!("2026-01-02T03:04:05Z"));
    assert_eq!(became(&issued).0, "events");
}

#[test]
fn members_of_another_type_are_refused_by_name() {
    for (resource, key, value, pointer) in [
        (observation(), "code", json!(5), "/code"),
        (observation(), "code", json!({"coding": {}}), "/code/coding"),
        (
            observation(),
            "code",
            json!({"coding": [{"code": 1}]}),
            "/code/coding/0/code",
        ),
        (observation(), "valueInteger", json!("3"), "/valueInteger"),
        (
            observation(),
            "valueQuantity",
            json!({"value": "3"}),
            "/valueQuantity/value",
        ),
        (observation(), "status", json!(true), "/status"),
        (observation(), "id", json!(5), "/id"),
        (observation(), "subject", json!("Patient/p1"), "/subject"),
        (observation(), "component", json!({}), "/component"),
        (
            observation(),
            "effectiveDateTime",
            json!(2026),
            "/effectiveDateTime",
        ),
        (patient(), "name", json!("K"), "/name"),
        (patient(), "name", json!([{"given": "K"}]), "/name/0/given"),
        (patient(), "gender", json!(7), "/gender"),
        (patient(), "birthDate", json!(1980), "/birthDate"),
        (patient(), "resourceType", json!(7), "/resourceType"),
    ] {
        refused(&with(resource, key, value), pointer, "wrong_type");
    }
}

#[test]
fn a_type_that_fhir_does_not_have_is_refused() {
    let named = |name: &str| json!({"resourceType": name, "id": "x"});
    refused(&named("Zorglub"), "/resourceType", "unknown_type");
    refused(&named("DomainResource"), "/resourceType", "unknown_type");
    assert_eq!(became(&named("Substance")).0, "kept");
}

#[test]
fn an_entry_asks_for_nothing_but_that_its_resource_be_taken() {
    let asked = |request: Value| {
        json!({"resourceType": "Bundle", "type": "batch",
            "entry": [{"resource": patient(), "request": request}]})
    };
    for method in ["DELETE", "PATCH", "GET", "HEAD"] {
        let bundle = asked(json!({"method": method, "url": "Patient/p1"}));
        refused(&bundle, "/entry/0/request/method", "not_supported");
    }
    for url in ["Patient/p2", "Observation/p1", "Patient"] {
        let bundle = asked(json!({"method": "PUT", "url": url}));
        refused(&bundle, "/entry/0/request/url", "id_mismatch");
    }
    for request in [
        json!({"method": "PUT", "url": "Patient/p1"}),
        json!({"method": "POST", "url": "Patient"}),
    ] {
        assert_eq!(became(&asked(request)).0, "events");
    }
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": {}});
    refused(&bundle, "/entry", "wrong_type");
}

#[test]
fn an_allergy_without_a_date_is_no_missing_allergy() {
    let allergy = json!({"resourceType": "AllergyIntolerance", "id": "a",
        "patient": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "91936005"}]}});
    assert_eq!(became(&allergy).0, "events");
}
