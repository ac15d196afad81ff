//! Small bundles, one promise each: references, fallbacks, bad input.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::{Value, json};
use sokhoe_disk::testing::Random;
use sokhoe_exchange::fhir::{Context, Item, Outcome, as_correction, read_document, translate};
use sokhoe_record::{Event, Instant, Kind};

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(&[7; 32]);
    for part in parts {
        hasher.update(&u64::try_from(part.len()).unwrap().to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn context(facility: Option<&str>) -> Context<'static> {
    Context::new(
        "fhir",
        facility,
        Instant::from_micros(1_790_000_000_000_000),
        &hash,
    )
    .unwrap()
}

fn read(document: &Value) -> Vec<Item> {
    let text = document.to_string();
    translate(&read_document(text.as_bytes()).unwrap(), &context(None))
}

fn bundle(resources: &[Value]) -> Value {
    let entries: Vec<Value> = resources
        .iter()
        .map(|resource| {
            let id = resource["id"].as_str().unwrap_or("none");
            json!({"fullUrl": format!("urn:uuid:{id}"), "resource": resource})
        })
        .collect();
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

fn patient() -> Value {
    json!({
        "resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1985-03",
        "name": [{"family": "Nguyễn", "given": ["Thị", "Lan"], "text": "Nguyễn Thị Lan"}],
        "identifier": [
            {"system": "http://moh.gov.vn/id/cccd", "value": "099085012345"},
            {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "999-11-2222"},
            {"system": "http://hospital.vn", "value": "77"},
        ],
    })
}

fn observation(extra: &Value) -> Value {
    let mut observation = json!({
        "resourceType": "Observation", "id": "o1", "status": "final",
        "subject": {"reference": "urn:uuid:p1"}, "effectiveDateTime": "2026-01-02T03:04:05+07:00",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2", "display": "Body height"}]},
        "valueQuantity": {"value": 1.50, "unit": "m", "code": "m"},
    });
    for (key, value) in extra.as_object().unwrap() {
        observation[key] = value.clone();
    }
    observation
}

fn find<'a>(items: &'a [Item], kind: &str) -> &'a Item {
    items
        .iter()
        .find(|item| item.place.resource_type == kind)
        .unwrap()
}

fn events(item: &Item) -> Vec<&Event> {
    match &item.outcome {
        Outcome::Events(events) => events.iter().map(|incoming| &incoming.event).collect(),
        other => panic!("{other:?}"),
    }
}

/// The event of the one resource of type `kind`, as a sender would write it.
fn event(items: &[Item], kind: &str) -> Value {
    serde_json::to_value(events(find(items, kind))[0]).unwrap()
}

fn kept<'a>(items: &'a [Item], kind: &str) -> (&'a Event, Option<&'static str>) {
    match &find(items, kind).outcome {
        Outcome::Kept { event, because } => (&event.event, *because),
        other => panic!("{other:?}"),
    }
}

fn refused(items: &[Item], kind: &str) -> (String, &'static str) {
    match &find(items, kind).outcome {
        Outcome::Refused(refused) => (refused.pointer.clone(), refused.code),
        other => panic!("{other:?}"),
    }
}

#[test]
fn people_come_first_with_the_sources_id_among_their_identifiers() {
    let items = read(&bundle(&[observation(&json!({})), patient()]));
    assert_eq!(items[0].place.resource_type, "Patient");
    assert_eq!(items[0].place.index, Some(1));
    let registered = event(&items, "Patient");
    assert_eq!(registered["data"]["birth_date"], "1985-03");
    let identifiers: Vec<&str> = registered["data"]["identifiers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|identifier| identifier["system"].as_str().unwrap())
        .collect();
    assert_eq!(identifiers, ["mrn/fhir", "cccd", "mrn/fhir.hospital.vn"]);
    assert!(
        registered["data"]["extra"]
            .to_string()
            .contains("999-11-2222")
    );
}

#[test]
fn a_urn_reference_finds_its_person_and_exact_numbers_stay() {
    let observed = event(
        &read(&bundle(&[observation(&json!({})), patient()])),
        "Observation",
    );
    assert_eq!(
        observed["person"],
        json!({"identifier": {"system": "mrn/fhir", "value": "p1"}})
    );
    assert_eq!(observed["occurred_at"], "2026-01-01T20:04:05Z");
    assert_eq!(observed["data"]["value"]["quantity"]["unit"], "m");
    assert_eq!(observed["data"]["code"]["system"], "loinc");
    assert_eq!(observed["source"]["record"], "Observation/o1");
}

#[test]
fn numbers_keep_their_digits() {
    let text = observation(&json!({"subject": {"reference": "Patient/p1"}}))
        .to_string()
        .replace(":1.5", ":1.50");
    let items = translate(&read_document(text.as_bytes()).unwrap(), &context(None));
    let text = serde_json::to_string(events(&items[0])[0]).unwrap();
    assert!(text.contains("1.50"), "{text}");
}

#[test]
fn a_persons_identifier_resolves_as_the_registration_maps_it() {
    let check = |subject: Value, system: &str, value: &str| {
        let items = read(&observation(&json!({"subject": subject})));
        let person = event(&items, "Observation")["person"]["identifier"].clone();
        assert_eq!(person, json!({"system": system, "value": value}));
    };
    check(json!({"reference": "Patient/9"}), "mrn/fhir", "9");
    check(
        json!({"reference": "https://a.vn/fhir/Patient/9/_history/1"}),
        "mrn/fhir",
        "9",
    );
    let cccd = "Patient?identifier=http://moh.gov.vn/id/cccd|099085012345";
    check(json!({"reference": cccd}), "cccd", "099085012345");
    let encoded = "Patient?identifier=http%3A%2F%2Fhospital.vn%7C77";
    check(json!({"reference": encoded}), "mrn/fhir.hospital.vn", "77");
    let identifier = json!({"identifier": {"system": "http://hospital.vn", "value": "77"}});
    check(identifier, "mrn/fhir.hospital.vn", "77");
}

#[test]
fn conditional_references_meet_the_registrations_they_name_in_whatever_file() {
    let places = read(&bundle(&[
        json!({"resourceType": "Organization", "id": "o", "name": "Bệnh viện",
            "identifier": [{"system": "http://a.vn/org", "value": "17"}]}),
        json!({"resourceType": "Practitioner", "id": "d", "name": [{"family": "Trần"}],
            "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "9999"}]}),
    ]));
    let encounter = json!({
        "resourceType": "Encounter", "id": "e1", "status": "finished", "class": {"code": "AMB"},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2026-01-02T03:04:05+07:00", "end": "2026-01-02T03:30:00+07:00"},
        "participant": [{"individual": {
            "reference": "Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|9999",
            "display": "BS Trần"}}],
        "serviceProvider": {"reference": "Organization?identifier=http://a.vn/org|17"},
    });
    let seen = observation(&json!({
        "subject": {"reference": "Patient/p1"}, "encounter": {"reference": "urn:uuid:e1"},
    }));
    let items = read(&bundle(&[seen, encounter]));
    let met = event(&items, "Encounter");
    assert_eq!(
        met["facility"],
        event(&places, "Organization")["data"]["facility"]
    );
    assert_eq!(
        met["author"]["id"],
        event(&places, "Practitioner")["data"]["id"]
    );
    assert_eq!(met["author"]["name"], "BS Trần");
    let seen = event(&items, "Observation");
    assert_eq!(seen["facility"], met["facility"]);
    assert_eq!(seen["data"]["encounter_id"], met["data"]["encounter_id"]);
}

#[test]
fn the_callers_facility_wins_and_keeps_its_ids_apart() {
    let text = observation(&json!({"subject": {"reference": "Patient/p1"}})).to_string();
    let node = read_document(text.as_bytes()).unwrap();
    let ours = translate(&node, &context(Some("99001")));
    let theirs = translate(&node, &context(Some("99002")));
    assert_eq!(events(&ours[0])[0].facility.as_deref(), Some("99001"));
    assert_ne!(events(&ours[0])[0].event_id, events(&theirs[0])[0].event_id);
    assert_eq!(
        event(&ours, "Observation")["person"]["identifier"]["system"],
        "mrn/fhir-99001"
    );
}

#[test]
fn components_take_the_place_of_a_value() {
    let pressure = observation(&json!({
        "valueQuantity": null,
        "component": [
            {"code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
             "valueQuantity": {"value": 148, "unit": "mm[Hg]", "code": "mm[Hg]"}},
            {"code": {"coding": [{"system": "http://loinc.org", "code": "8462-4"}]},
             "dataAbsentReason": {"coding": [{"code": "not-asked"}]}},
        ],
    }));
    let mut pressure = pressure;
    pressure.as_object_mut().unwrap().remove("valueQuantity");
    let data = event(&read(&bundle(&[patient(), pressure])), "Observation")["data"].clone();
    assert!(data.get("value").is_none());
    assert_eq!(
        data["components"][0]["value"]["quantity"]["value"].to_string(),
        "148"
    );
    assert_eq!(
        data["components"][1]["value"],
        json!({"absent": "not-asked"})
    );
}

#[test]
fn a_contained_medication_and_one_in_the_bundle_are_read_in_place() {
    let drug = |id: &str| {
        json!({"resourceType": "Medication", "id": id, "code": {"coding": [
            {"system": "http://www.whocc.no/atc", "code": "A10BA02", "display": "metformin"}]}})
    };
    let request = |id: &str, reference: &str| {
        json!({"resourceType": "MedicationRequest", "id": id, "status": "active", "intent": "order",
            "subject": {"reference": "Patient/p1"}, "authoredOn": "2026-01-02",
            "medicationReference": {"reference": reference},
            "dosageInstruction": [{"timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 500, "unit": "mg"}}]}]})
    };
    let mut contained = request("m1", "#drug");
    contained["contained"] = json!([drug("drug")]);
    for resources in [
        vec![contained],
        vec![drug("x"), request("m2", "urn:uuid:x")],
    ] {
        let data = event(&read(&bundle(&resources)), "MedicationRequest")["data"].clone();
        assert_eq!(data["code"]["system"], "atc");
        assert_eq!(data["dose"]["text"], "500 mg, 2 × / 1 d");
        assert_eq!(data["dose"]["per_day"].to_string(), "2");
    }
}

#[test]
fn no_known_allergy_is_an_answer_and_no_information_is_not() {
    let allergy = |code: &str| {
        json!({"resourceType": "AllergyIntolerance", "id": "a", "patient": {"reference": "Patient/p1"},
            "recordedDate": "2026-01-02",
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": code}]}})
    };
    let data = event(&read(&allergy("716186003")), "AllergyIntolerance")["data"].clone();
    assert_eq!(data["none_known"], true);
    assert!(data.get("substance").is_none());
    for code in ["no-allergy-info", "409137002"] {
        assert!(
            kept(&read(&allergy(code)), "AllergyIntolerance")
                .1
                .is_some(),
            "{code}"
        );
    }
}

#[test]
fn an_abated_condition_gives_a_second_event_that_names_the_first() {
    let condition = json!({
        "resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p1"},
        "clinicalStatus": {"coding": [{"code": "resolved"}]},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "J20.9"}]},
        "onsetDateTime": "2026-01-02", "abatementDateTime": "2026-01-09T08:00:00+07:00",
    });
    let items = read(&condition);
    let both = events(&items[0]);
    assert_eq!(both.len(), 2);
    let resolved = serde_json::to_value(both[1]).unwrap();
    assert_eq!(
        resolved["data"]["condition_event_id"],
        both[0].event_id.to_string()
    );
    assert_eq!(resolved["data"]["resolved_on"], "2026-01-09");
    assert_eq!(
        event(&items, "Condition")["data"]["code"]["system"],
        "icd10"
    );
}

#[test]
fn vaccines_not_given_say_why_or_are_kept() {
    let not_done = |reason: &str| {
        json!({"resourceType": "Immunization", "id": "i", "status": "not-done",
            "patient": {"reference": "Patient/p1"}, "occurrenceDateTime": "2026-01-02",
            "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "01"}]},
            "statusReason": {"coding": [{"code": reason}]}})
    };
    for (reason, status) in [("MEDPREC", "contraindicated"), ("PATOBJ", "refused")] {
        assert_eq!(
            event(&read(&not_done(reason)), "Immunization")["data"]["status"],
            status
        );
    }
    assert!(kept(&read(&not_done("OSTOCK")), "Immunization").1.is_some());
}

#[test]
fn documents_are_attached_as_they_came() {
    let report = json!({"resourceType": "DiagnosticReport", "id": "r", "status": "final",
        "subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2026-01-02",
        "code": {"text": "Lipid panel"}});
    let text = report.to_string();
    let data = event(&read(&report), "DiagnosticReport")["data"].clone();
    assert_eq!(data["title"], "Lipid panel");
    assert_eq!(data["media_type"], "application/fhir+json");
    use base64::Engine as _;
    let content = data["content"].as_str().unwrap();
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(content)
        .unwrap();
    assert_eq!(decoded, text.as_bytes());

    let note = json!({"resourceType": "DocumentReference", "id": "d", "status": "current",
        "subject": {"reference": "Patient/p1"}, "type": {"text": "Note"},
        "content": [{"attachment": {"contentType": "text/plain", "data": "aGVsbG8="}}]});
    let data = event(&read(&note), "DocumentReference")["data"].clone();
    assert_eq!(
        (&data["media_type"], &data["content"]),
        (&json!("text/plain"), &json!("aGVsbG8="))
    );
}

#[test]
fn what_has_no_kind_or_was_entered_in_error_is_kept_whole() {
    let claim = json!({"resourceType": "Claim", "id": "x", "patient": {"reference": "Patient/p1"}});
    let items = read(&claim);
    let (event, because) = kept(&items, "Claim");
    assert_eq!(because, None);
    let written = serde_json::to_value(event).unwrap();
    assert_eq!(written["data"]["content"], claim.to_string());
    assert_eq!(written["person"]["identifier"]["value"], "p1");

    let items = read(&bundle(&[
        patient(),
        observation(&json!({"status": "entered-in-error"})),
    ]));
    assert_eq!(kept(&items, "Observation").1, Some("entered in error"));

    let items = read(&json!({"resourceType": "Medication", "id": "m"}));
    assert_eq!(kept(&items, "Medication").0.person, None);
}

#[test]
fn what_belongs_to_someone_who_cannot_be_told_is_refused_with_the_place() {
    let check = |subject: Value, document: fn(Value) -> Value, pointer: &str| {
        let items = read(&document(observation(&json!({"subject": subject}))));
        assert_eq!(
            refused(&items, "Observation"),
            (pointer.to_owned(), "unresolved_person")
        );
    };
    check(json!({"reference": "urn:uuid:absent"}), |o| o, "/subject");
    check(
        json!({"display": "somebody"}),
        |o| bundle(&[o]),
        "/entry/0/resource/subject",
    );
    check(json!({"reference": "Patient?name=lan"}), |o| o, "/subject");
}

#[test]
fn broken_entries_are_refused_and_the_others_read() {
    let mut document = bundle(&[patient(), json!({"id": "x"}), json!(5)]);
    document["entry"]
        .as_array_mut()
        .unwrap()
        .push(json!({"request": {"method": "DELETE"}}));
    let items = read(&document);
    assert_eq!(items.len(), 4);
    let told: Vec<(String, &str)> = items
        .iter()
        .filter_map(|item| match &item.outcome {
            Outcome::Refused(refused) => Some((refused.pointer.clone(), refused.code)),
            _ => None,
        })
        .collect();
    let expected = [
        ("/entry/1/resource/resourceType".to_owned(), "missing"),
        ("/entry/2/resource/resourceType".to_owned(), "missing"),
        ("/entry/3".to_owned(), "not_supported"),
    ];
    assert_eq!(told, expected);
    for text in ["", "{", "{\"a\":1,\"a\":2}", "\u{1}", "[1"] {
        assert!(read_document(text.as_bytes()).is_err(), "{text}");
    }
    for document in [
        json!([]),
        json!(null),
        json!({"resourceType": "Bundle", "entry": 1}),
    ] {
        for item in read(&document) {
            assert!(matches!(item.outcome, Outcome::Refused(_)));
        }
    }
    let mut nobody = patient();
    nobody.as_object_mut().unwrap().remove("birthDate");
    assert_eq!(
        refused(&read(&nobody), "Patient"),
        ("/birthDate".to_owned(), "invalid")
    );
}

#[test]
fn a_resource_too_large_to_keep_is_refused() {
    let text = "x".repeat(2_000_000);
    let claim = json!({"resourceType": "Claim", "id": "x", "patient": {"reference": "Patient/p1"},
        "note": text});
    assert_eq!(
        refused(&read(&claim), "Claim"),
        (String::new(), "too_large")
    );
}

#[test]
fn ids_depend_on_source_and_resource_alone_and_content_tells_a_change() {
    let first = read(&bundle(&[patient(), observation(&json!({}))]));
    let again = read(&bundle(&[observation(&json!({})), patient()]));
    let changed = read(&bundle(&[
        patient(),
        observation(&json!({"status": "amended"})),
    ]));
    let (first, again, changed) = (
        find(&first, "Observation"),
        find(&again, "Observation"),
        find(&changed, "Observation"),
    );
    assert_eq!(events(first)[0], events(again)[0]);
    assert_eq!(first.content, again.content);
    assert_eq!(events(first)[0].event_id, events(changed)[0].event_id);
    assert_ne!(first.content, changed.content);
}

#[test]
fn a_changed_resource_becomes_a_correction_with_an_id_of_its_own() {
    let items = read(&bundle(&[
        patient(),
        observation(&json!({"status": "amended"})),
    ]));
    let item = find(&items, "Observation");
    let Outcome::Events(new) = &item.outcome else {
        panic!()
    };
    let ctx = context(None);
    let original = new[0].event.event_id;
    let same = as_correction(
        &ctx,
        original,
        Kind::ObservationRecorded,
        &new[0],
        &item.content,
    );
    assert_eq!(same.len(), 1);
    let written = serde_json::to_value(&same[0].event).unwrap();
    assert_eq!(written["data"]["action"], "replace");
    assert_eq!(written["data"]["corrects"], original.to_string());
    assert_ne!(same[0].event.event_id, original);
    sokhoe_record::validate(&same[0]).unwrap();

    let other = as_correction(&ctx, original, Kind::ResourceKept, &new[0], &item.content);
    assert_eq!(other.len(), 2);
    assert_eq!(
        serde_json::to_value(&other[0].event).unwrap()["data"]["action"],
        "void"
    );
    assert_eq!(other[1].event.kind(), Kind::ObservationRecorded);
    assert_ne!(other[1].event.event_id, original);
}

#[test]
fn what_no_field_takes_stays_readable_and_labels_are_heeded() {
    let vaccination = json!({
        "resourceType": "Immunization", "id": "i", "status": "completed",
        "meta": {"security": [{"code": "HIV"}, {"code": "R"}]},
        "text": {"status": "generated", "div": "<div/>"},
        "patient": {"reference": "Patient/p1"}, "encounter": {"reference": "Encounter/e1"},
        "occurrenceDateTime": "2026-01-02", "note": [{"text": "left arm sore"}],
        "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "01"}]},
    });
    let data = event(&read(&vaccination), "Immunization")["data"].clone();
    assert_eq!(data["labels"], json!(["hiv"]));
    let expected = json!({"fhir": {
        "meta": vaccination["meta"], "encounter": vaccination["encounter"], "note": vaccination["note"],
    }});
    assert_eq!(data["extra"], expected);
}

/// Puts something else in the place of a random value.
fn mutate(value: &mut Value, random: &mut Random) {
    let children: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(members) => members.values_mut().collect(),
        _ => Vec::new(),
    };
    let count = children.len();
    if count > 0 && random.index(8) > 0 {
        let chosen = random.index(count);
        if let Some(child) = children.into_iter().nth(chosen) {
            return mutate(child, random);
        }
    }
    *value = match random.index(8) {
        0 => Value::Null,
        1 => json!(-1),
        2 => json!(""),
        3 => json!("Patient/p1"),
        4 => json!([]),
        5 => json!({}),
        6 => json!("2026-13-45T99:00:00Z"),
        _ => json!([{"reference": "urn:uuid:r1"}, true]),
    };
}

#[test]
fn no_mutation_of_a_bundle_panics_or_loses_an_entry() {
    let role = json!({"resourceType": "PractitionerRole", "id": "r1",
        "practitioner": {"reference": "urn:uuid:r1"}});
    let encounter = json!({"resourceType": "Encounter", "id": "e1", "class": {"code": "AMB"},
        "subject": {"reference": "urn:uuid:p1"}, "period": {"start": "2026-01-02"},
        "participant": [{"individual": {"reference": "urn:uuid:r1"}}]});
    let allergy = json!({"resourceType": "AllergyIntolerance", "id": "a1", "code": {"text": "x"},
        "patient": {"reference": "urn:uuid:p1"}, "reaction": [{"manifestation": [{"text": "y"}]}]});
    let request = json!({"resourceType": "MedicationRequest", "id": "m1", "status": "active",
        "subject": {"reference": "urn:uuid:p1"}, "medicationCodeableConcept": {"text": "z"},
        "dosageInstruction": [{"timing": {"repeat": {"frequency": 1, "period": 0, "periodUnit": "d"}}}]});
    let original = bundle(&[
        patient(),
        role,
        encounter,
        observation(&json!({})),
        allergy,
        request,
    ]);
    for seed in 1..2_000 {
        let mut random = Random::new(seed);
        let mut document = original.clone();
        for _ in 0..=random.index(4) {
            let entries = document["entry"].as_array_mut().unwrap();
            let count = entries.len();
            mutate(&mut entries[random.index(count)], &mut random);
        }
        assert_eq!(read(&document).len(), 6, "seed {seed}");
    }
}
