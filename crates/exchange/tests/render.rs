//! Events out again as FHIR: what came in as a resource comes out as its equivalent.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::{Value, json};
use sokhoe_exchange::fhir::{
    Context, Outcome, capability_statement, read_document, render, rendered_type, translate,
};
use sokhoe_record::{Event, Instant, PersonId, PersonRef};

const PERSON: PersonId = PersonId::from_bytes([7; 16]);

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    blake3::hash(&parts.concat()).into()
}

/// Reads a resource and gives the events it became, their person resolved as the write side does.
fn events(resource: &Value) -> Vec<Event> {
    let ctx = Context::new(
        "fhir",
        None,
        Instant::from_micros(1_790_000_000_000_000),
        &hash,
    )
    .unwrap();
    let text = resource.to_string();
    let mut items = translate(&read_document(text.as_bytes()).unwrap(), &ctx);
    let mut events: Vec<Event> = match items.remove(0).outcome {
        Outcome::Events(events) => events.into_iter().map(|incoming| incoming.event).collect(),
        Outcome::Kept { event, .. } => vec![event.event],
        Outcome::Refused(refused) => panic!("{refused:?}"),
    };
    for event in &mut events {
        event.person = event.person.as_ref().map(|_| PersonRef::Id(PERSON));
    }
    events
}

/// Checks that the resource comes back with `members` as they went in.
fn check(resource: &Value, members: &[&str]) -> Value {
    let event = events(resource).remove(0);
    let rendered = render(&event, Some(PERSON)).unwrap().into_value();
    for member in members {
        assert_eq!(
            rendered[member], resource[member],
            "{member} of {rendered:#}"
        );
    }
    assert_eq!(rendered["resourceType"], rendered_type(&event).unwrap());
    rendered
}

#[test]
fn resources_come_back_as_they_went_in() {
    let code = json!({"coding": [{"system": "http://loinc.org", "code": "8302-2", "display": "Height"}],
        "text": "Height"});
    let subject = json!({"reference": "Patient/p"});
    let height = check(
        &json!({"resourceType": "Observation", "id": "o", "status": "final", "code": code,
            "subject": subject, "effectiveDateTime": "2026-01-02T03:04:05Z",
            "valueQuantity": {"value": 150, "unit": "cm", "system": "http://unitsofmeasure.org", "code": "cm"},
            "component": [{"code": code, "valueString": "a"}, {"code": code, "valueBoolean": true}]}),
        &[
            "status",
            "code",
            "effectiveDateTime",
            "valueQuantity",
            "component",
        ],
    );
    assert_eq!(height["subject"]["reference"], format!("Patient/{PERSON}"));
    check(
        &json!({"resourceType": "Condition", "id": "c", "code": code, "subject": subject,
            "onsetDateTime": "2020-03", "recordedDate": "2020-04-05"}),
        &["code", "onsetDateTime", "recordedDate"],
    );
    check(
        &json!({"resourceType": "Procedure", "id": "r", "status": "completed", "code": code,
            "subject": subject, "performedDateTime": "2020-03-04"}),
        &["status", "code", "performedDateTime"],
    );
    check(
        &json!({"resourceType": "MedicationStatement", "id": "m", "status": "active",
            "medicationCodeableConcept": code, "subject": subject,
            "effectivePeriod": {"start": "2020-01-01", "end": "2020-02-01"}, "dosage": [{"text": "1 a day"}]}),
        &[
            "status",
            "medicationCodeableConcept",
            "effectivePeriod",
            "dosage",
        ],
    );
    check(
        &json!({"resourceType": "Immunization", "id": "i", "status": "completed", "vaccineCode": code,
            "patient": subject, "occurrenceDateTime": "2020-03-04", "primarySource": true,
            "lotNumber": "L1", "protocolApplied": [{"doseNumberPositiveInt": 2}]}),
        &[
            "status",
            "vaccineCode",
            "occurrenceDateTime",
            "primarySource",
            "lotNumber",
            "protocolApplied",
        ],
    );
    check(
        &json!({"resourceType": "AllergyIntolerance", "id": "a", "code": code, "patient": subject,
            "category": ["food"], "criticality": "high", "recordedDate": "2020-03-04",
            "reaction": [{"manifestation": [{"text": "hives"}], "severity": "severe"}]}),
        &[
            "code",
            "category",
            "criticality",
            "recordedDate",
            "reaction",
        ],
    );
    check(
        &json!({"resourceType": "DocumentReference", "id": "d", "status": "current",
            "type": {"text": "Note"}, "subject": subject, "date": "2026-01-02T03:04:05Z",
            "content": [{"attachment": {"contentType": "text/plain", "title": "Note", "data": "aGVsbG8="}}]}),
        &["status", "type", "date", "content"],
    );
    check(
        &json!({"resourceType": "Encounter", "id": "e", "status": "finished", "subject": subject,
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER"},
            "period": {"start": "2026-01-02T03:04:05Z", "end": "2026-01-02T04:00:00Z"},
            "reasonCode": [{"text": "chest pain"}]}),
        &["status", "class", "period", "reasonCode"],
    );
}

#[test]
fn a_patient_has_the_persons_id() {
    let patient = check(
        &json!({"resourceType": "Patient", "id": "p", "gender": "male", "birthDate": "1985-03-07",
            "name": [{"text": "Trần Văn A"}], "telecom": [{"system": "phone", "value": "0900000000"}]}),
        &["gender", "birthDate", "name", "telecom"],
    );
    assert_eq!(patient["id"], PERSON.to_string());
}

#[test]
fn what_was_kept_comes_back_as_it_came() {
    let claim = json!({"resourceType": "Claim", "id": "x", "patient": {"reference": "Patient/p"},
        "total": {"value": 1.50}});
    assert_eq!(check(&claim, &[]), claim);
}

#[test]
fn kinds_without_an_equivalent_are_not_rendered() {
    let condition = json!({"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p"},
        "code": {"text": "cough"}, "recordedDate": "2020-01-01", "abatementDateTime": "2020-01-09"});
    assert!(render(&events(&condition)[1], Some(PERSON)).is_none());
    let patient = json!({"resourceType": "Patient", "id": "p", "birthDate": "1985"});
    assert!(render(&events(&patient)[0], None).is_none());
}

#[test]
fn the_capability_statement_names_version_and_interactions() {
    let statement = capability_statement("http://127.0.0.1/fhir/R4", "0.1.0", "2026-01-01");
    assert_eq!(statement["fhirVersion"], "4.0.1");
    assert_eq!(
        statement["rest"][0]["interaction"][0]["code"],
        "transaction"
    );
}
