//! Bundles in and resources out, as another system sees them.

use serde_json::{Value, json};
use sokhoe_access::Role;

use crate::house::House;
use crate::peer::{Answer, send};
use crate::sent::post;

fn bundle(kind: &str, resources: &[Value]) -> String {
    let entries: Vec<Value> = resources
        .iter()
        .map(|resource| json!({"resource": resource}))
        .collect();
    json!({"resourceType": "Bundle", "type": kind, "entry": entries}).to_string()
}

fn patient() -> Value {
    json!({"resourceType": "Patient", "id": "p1", "birthDate": "1980-01-01", "gender": "male",
           "name": [{"family": "Mẫu"}]})
}

fn height(cm: u32) -> Value {
    json!({"resourceType": "Observation", "id": "o1", "status": "final",
           "subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2026-11-01T08:00:00+07:00",
           "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]},
           "valueQuantity": {"value": cm, "unit": "cm", "system": "http://unitsofmeasure.org", "code": "cm"}})
}

async fn take(house: &House, body: &str) -> Answer {
    post(house, "/fhir/R4", "application/fhir+json", body).await
}

async fn read(house: &House, location: &str) -> Answer {
    let token = house.bearer(Role::Hospital);
    let headers = [
        ("authorization", token.as_str()),
        ("sokhoe-purpose", "TREAT"),
    ];
    send(
        house.addr,
        &format!("GET /fhir/R4/{location}"),
        &headers,
        "",
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_of_a_transaction_is_found_where_its_answer_says() {
    let house = House::open().await;
    let claim = json!({"resourceType": "Claim", "id": "of-the-source", "patient": {"reference": "Patient/p1"}});
    let body = bundle("transaction", &[patient(), height(170), claim]);
    let answer = take(&house, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for entry in answer.json()["entry"].as_array().unwrap() {
        assert_eq!(entry["response"]["status"], "201 Created");
        let location = entry["response"]["location"].as_str().unwrap();
        let found = read(&house, location).await;
        assert_eq!(found.status, 200, "{location}");
        let resource = found.json();
        let (kind, id) = (&resource["resourceType"], &resource["id"]);
        assert_eq!(
            format!("{}/{}", kind.as_str().unwrap(), id.as_str().unwrap()),
            location
        );
    }
    for entry in take(&house, &body).await.json()["entry"]
        .as_array()
        .unwrap()
    {
        assert_eq!(
            entry["response"]["status"], "200 OK",
            "the second time adds nothing"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_changed_is_corrected_in_a_transaction_and_a_batch() {
    let house = House::open().await;
    let first = bundle("transaction", &[patient(), height(170)]);
    let first = take(&house, &first).await.json();
    let location = first["entry"][1]["response"]["location"].as_str().unwrap();
    for (kind, cm) in [("transaction", 171), ("batch", 172), ("transaction", 173)] {
        let changed = bundle(kind, &[patient(), height(cm)]);
        let before = house.commands.opener().reader().position().get();
        for _ in 0..2 {
            let answer = take(&house, &changed).await.json();
            let found = answer["entry"][1]["response"]["location"].as_str();
            assert_eq!(found, Some(location), "a correction moves nothing");
            assert_eq!(
                answer["entry"][1]["response"]["status"], "200 OK",
                "{answer}"
            );
        }
        let after = house.commands.opener().reader().position().get();
        assert_eq!(after, before + 1, "the second time adds nothing");
        let resource = read(&house, location).await.json();
        assert_eq!(resource["valueQuantity"]["value"], cm);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_transaction_names_the_entry_and_takes_nothing() {
    let house = House::open().await;
    take(&house, &bundle("transaction", &[patient()])).await;
    let before = house.commands.opener().reader().position().get();
    let lost = json!({"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p2"},
                      "code": {"text": "ho"}});
    let refused = take(&house, &bundle("transaction", &[height(171), lost])).await;
    assert_eq!(refused.status, 422);
    let place = refused.json()["issue"][0]["expression"][0].clone();
    assert_eq!(place, "Bundle.entry[1].resource.subject");
    assert_eq!(house.commands.opener().reader().position().get(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_entry_of_a_batch_names_the_fhir_member() {
    let house = House::open().await;
    let lost = json!({"resourceType": "Immunization", "id": "i1", "status": "completed",
                      "patient": {"reference": "Patient/nobody"}, "occurrenceDateTime": "2026-11-01",
                      "vaccineCode": {"text": "BCG"}});
    let mut never = height(171);
    never["effectiveDateTime"] = json!("2026-02-30");
    let mut ahead = height(172);
    ahead["effectiveDateTime"] = json!("2190-01-01");
    let body = bundle("batch", &[patient(), lost, never, ahead]);
    let entries = take(&house, &body).await.json()["entry"].clone();
    assert_eq!(entries[0]["response"]["status"], "201 Created");
    for (at, member, code) in [
        (1, "patient", "unknown_person"),
        (2, "effectiveDateTime", "impossible_date"),
        (3, "effectiveDateTime", "in_the_future"),
    ] {
        let issue = &entries[at]["response"]["outcome"]["issue"][0];
        let place = format!("Bundle.entry[{at}].resource.{member}");
        assert_eq!(issue["expression"][0], place, "{issue}");
        assert_eq!(issue["details"]["coding"][1]["code"], code, "{issue}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_back_is_given_no_location() {
    let house = House::open().await;
    let ward = json!({"resourceType": "Organization", "id": "w", "name": "Khoa Nội"});
    let stuff = json!({"resourceType": "Substance", "id": "s"});
    let body = bundle("batch", &[patient(), ward, stuff]);
    let entries = take(&house, &body).await.json()["entry"].clone();
    assert!(entries[0]["response"]["location"].is_string(), "{entries}");
    for at in [1, 2] {
        let location = entries[at]["response"]["location"].as_str();
        assert_eq!(location, None, "{entries}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_whose_entries_are_no_list_is_refused() {
    let house = House::open().await;
    let body = json!({"resourceType": "Bundle", "type": "batch", "entry": {}}).to_string();
    let refused = take(&house, &body).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json()["issue"][0]["expression"][0], "Bundle.entry");
}

#[tokio::test]
async fn an_unknown_parameter_of_a_resource_is_said() {
    let house = House::open().await;
    let path = format!("Patient/{}", crate::house::CITIZEN);
    assert_eq!(
        read(&house, &format!("{path}?_format=json")).await.status,
        404
    );
    assert_eq!(read(&house, &format!("{path}?fields=id")).await.status, 400);
}
