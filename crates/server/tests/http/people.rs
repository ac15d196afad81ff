//! Reading people over HTTP: search, record, history, as of, tags, resources, and who sees what.

use serde_json::{Value, json};
use sokhoe_access::{Claims, Role};

use crate::house::{House, bearer_of, claims};
use crate::peer::{Answer, send};
use crate::sent::{append, event_id, identified, pressure, registration};

const TREAT: (&str, &str) = ("sokhoe-purpose", "TREAT");

/// A house where person 1 is registered (position 1) and was measured (position 2).
async fn with_person() -> (House, String) {
    let house = House::open().await;
    let receipt = append(&house, &registration(1)).await.json();
    assert_eq!(append(&house, &pressure(2, 1)).await.status, 201);
    (house, receipt["person_id"].as_str().unwrap().to_owned())
}

async fn get(house: &House, claims: Claims, path: &str, headers: &[(&str, &str)]) -> Answer {
    let token = bearer_of(house.issuer(), claims);
    let mut all = vec![("authorization", token.as_str())];
    all.extend(headers);
    send(house.addr, &format!("GET {path}"), &all, "").await
}

/// What the hospital sees, at or after the position.
async fn seen(house: &House, path: &str) -> Answer {
    get(house, claims(Role::Hospital), path, &[TREAT]).await
}

fn citizen(person: &str) -> Claims {
    Claims {
        person: person.parse().ok(),
        ..claims(Role::Citizen)
    }
}

fn elsewhere() -> Claims {
    Claims {
        facility: Some("99002".to_owned()),
        ..claims(Role::Clinician)
    }
}

async fn search(house: &House, claims: Claims, body: &Value) -> Vec<Value> {
    let token = bearer_of(house.issuer(), claims);
    let json = ("content-type", "application/json");
    let headers = [("authorization", token.as_str()), json, TREAT];
    let answer = send(
        house.addr,
        "POST /v1/people/search",
        &headers,
        &body.to_string(),
    )
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_shows_what_was_sent_and_where_it_is_true() {
    let (house, person) = with_person().await;
    let answer = seen(&house, &format!("/v1/people/{person}?at_least=2")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let record = answer.json();
    assert_eq!(
        (record["version"].as_u64(), record["position"].as_u64()),
        (Some(2), Some(2))
    );
    assert_eq!(
        record["sections"]["demographics"]["name"]["full"],
        "Nguyễn Văn A"
    );
    assert_eq!(answer.header("sokhoe-position"), Some("2"));
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    assert!(answer.header("vary").unwrap().contains("authorization"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_record_is_304_until_it_changes() {
    let (house, person) = with_person().await;
    let path = format!("/v1/people/{person}");
    let first = seen(&house, &path).await;
    let tag = first.header("etag").unwrap().to_owned();
    let again = async || {
        let headers = [TREAT, ("if-none-match", tag.as_str())];
        get(&house, claims(Role::Hospital), &path, &headers).await
    };
    let same = again().await;
    assert_eq!((same.status, same.body.as_str()), (304, ""));
    assert_eq!(same.header("etag"), Some(tag.as_str()));
    append(&house, &pressure(3, 1)).await;
    assert_eq!(again().await.status, 200);
    let headers = [("if-none-match", tag.as_str())];
    assert_eq!(
        get(&house, citizen(&person), &path, &headers).await.status,
        200,
        "another viewer"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_stays_as_it_was() {
    let (house, person) = with_person().await;
    let path = format!("/v1/people/{person}");
    let version = async |as_of: &str| {
        let answer = seen(&house, &format!("{path}?as_of={as_of}")).await;
        (answer.status, answer.json()["version"].as_u64())
    };
    assert_eq!(version("1").await, (200, Some(1)));
    assert_eq!(version("2").await, (200, Some(2)));
    assert_eq!(version("99").await.0, 400, "the future is not known");
    assert_eq!(
        version("2020-01-01T00:00:00Z").await.0,
        404,
        "nobody was known then"
    );
    assert_eq!(version("2100-01-01T00:00:00%2B07:00").await, (200, Some(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_does_not_come_is_said_in_time() {
    let house = House::hasty().await;
    let person = append(&house, &registration(1)).await.json();
    let path = format!(
        "/v1/people/{}?at_least=99",
        person["person_id"].as_str().unwrap()
    );
    let answer = seen(&house, &path).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn citizens_see_themselves_and_staff_their_facility() {
    let (house, person) = with_person().await;
    let path = format!("/v1/people/{person}");
    assert_eq!(get(&house, citizen(&person), &path, &[]).await.status, 200);
    assert_eq!(
        get(&house, claims(Role::Citizen), &path, &[]).await.status,
        404
    );
    let stranger = Claims {
        facility: Some("99002".to_owned()),
        ..claims(Role::Hospital)
    };
    let hidden = get(&house, stranger.clone(), &path, &[TREAT]).await;
    assert_eq!(hidden.status, 404);
    let told = get(&house, elsewhere(), &path, &[TREAT]).await.json();
    assert_eq!(
        told["sections"],
        json!({}),
        "a clinician is told that somebody is there, and no more"
    );
    assert_eq!(told["withheld"].as_array().unwrap().len(), 13);
    let history = format!("{path}/events");
    assert_eq!(
        get(&house, claims(Role::Citizen), &history, &[])
            .await
            .status,
        404
    );
    assert_eq!(get(&house, stranger, &history, &[TREAT]).await.status, 404);
    for role in [Role::Guardian, Role::Auditor, Role::Admin, Role::Operator] {
        assert_eq!(
            get(&house, claims(role), &path, &[]).await.status,
            403,
            "{role}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_comes_page_by_page_and_links_its_hashes() {
    let (house, person) = with_person().await;
    for number in 3..8 {
        append(&house, &pressure(number, 1)).await;
    }
    let mut path = Some(format!("/v1/people/{person}/events?limit=3&at_least=7"));
    let mut items = Vec::new();
    while let Some(at) = path {
        let page = seen(&house, &at).await.json();
        items.extend(page["items"].as_array().unwrap().clone());
        path = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(items.len(), 7);
    for (before, after) in items.iter().zip(&items[1..]) {
        assert_eq!(before["hash"], after["previous_hash"]);
    }
    assert_eq!(items[0]["kind"], "person_registered");
    assert_eq!(items[6]["event_id"], event_id(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_shows_on_both_sides() {
    let (house, person) = with_person().await;
    let correction = json!({
        "event_id": event_id(3), "person": identified(1), "kind": "correction_made",
        "occurred_at": "2026-11-02T08:00:00+07:00",
        "data": {"corrects": event_id(2), "action": "void", "reason": "wrong person"},
    });
    let taken = append(&house, &correction).await;
    assert_eq!(taken.status, 201, "{taken:?}");
    let history = seen(&house, &format!("/v1/people/{person}/events"))
        .await
        .json();
    assert_eq!(history["items"][1]["corrected_by"], event_id(3));
    assert_eq!(history["items"][2]["corrects"], event_id(2));
    let resource = seen(&house, &format!("/fhir/R4/Observation/{}", event_id(2))).await;
    assert_eq!(resource.status, 410);
    assert_eq!(resource.json()["resourceType"], "OperationOutcome");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_found_by_number_and_by_name() {
    let (house, person) = with_person().await;
    // Reads that name the position see what the directory knows by then.
    seen(&house, &format!("/v1/people/{person}?at_least=2")).await;
    let by_number = search(&house, claims(Role::Hospital), &identified(1)).await;
    assert_eq!(by_number[0]["person_id"], person.as_str());
    assert_eq!(by_number[0]["match"], "identifier");
    let name = json!({"name": "nguyen van a", "birth_date": "1985"});
    let by_name = search(&house, claims(Role::Hospital), &name).await;
    assert_eq!(by_name[0]["person_id"], person.as_str());
    let nobody: Vec<Value> = Vec::new();
    let stranger = Claims {
        facility: Some("99002".to_owned()),
        ..claims(Role::Hospital)
    };
    assert_eq!(search(&house, stranger, &identified(1)).await, nobody);
    let carded = search(&house, elsewhere(), &identified(1)).await;
    assert_eq!(carded.len(), 1, "whoever treats finds the owner of a card");
    assert!(carded[0].get("name").is_none());
    assert_eq!(search(&house, elsewhere(), &name).await, nobody);
    assert_eq!(
        search(&house, claims(Role::Citizen), &identified(1)).await,
        nobody
    );
    assert_eq!(
        search(&house, citizen(&person), &identified(1)).await.len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_come_out_corrected() {
    let (house, person) = with_person().await;
    let observation = format!("/fhir/R4/Observation/{}", event_id(2));
    let value = async || {
        let resource = seen(&house, &observation).await;
        assert_eq!(resource.status, 200, "{resource:?}");
        resource.json()["valueQuantity"]["value"].clone()
    };
    assert_eq!(value().await, json!(148));
    let mut data = pressure(2, 1)["data"].clone();
    data["value"]["quantity"]["value"] = json!(138);
    let correction = json!({
        "event_id": event_id(3), "person": identified(1), "kind": "correction_made",
        "occurred_at": "2026-11-02T08:00:00+07:00",
        "data": {"corrects": event_id(2), "action": "replace", "replacement": data,
                 "reason": "misread"},
    });
    assert_eq!(append(&house, &correction).await.status, 201);
    assert_eq!(value().await, json!(138));
    let patient = seen(&house, &format!("/fhir/R4/Patient/{person}"))
        .await
        .json();
    assert_eq!(patient["name"][0]["text"], "Nguyễn Văn A");
    let other_type = seen(&house, &format!("/fhir/R4/Condition/{}", event_id(2))).await;
    assert_eq!(other_type.status, 404);
    let hidden = get(&house, elsewhere(), &observation, &[TREAT]).await;
    assert_eq!(hidden.status, 404);
}
