//! Events over HTTP: receipts, retries, conflicts, batches, blobs and bundles, on a house of their own.

use crate::house::{House, bearer_of, claims};
use crate::peer::{Answer, send};
use crate::sent::{NDJSON, append, event_id, identified, post, pressure, registration};
use serde_json::{Value, json};
use sokhoe_access::{Claims, Role};
use sokhoe_server::Limits;

async fn batch(house: &House, path: &str, events: &[Value]) -> Answer {
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    post(house, path, NDJSON, &lines).await
}

fn statuses(answer: &Answer) -> Vec<u64> {
    let lines = answer.lines();
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(
            line["line"].as_u64(),
            Some(index as u64 + 1),
            "results are in order"
        );
    }
    lines
        .iter()
        .map(|line| line["status"].as_u64().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_gets_a_receipt_and_a_retry_the_same_one() {
    let house = House::open().await;
    let first = append(&house, &registration(1)).await;
    assert_eq!(first.status, 201, "{first:?}");
    let receipt = first.json();
    assert_eq!(receipt["event_id"], event_id(1));
    assert_eq!(receipt["version"], 1);
    assert_eq!(receipt["hash"].as_str().unwrap().len(), 64);
    assert!(receipt["recorded_at"].as_str().unwrap().ends_with('Z'));
    let again = append(&house, &registration(1)).await;
    assert_eq!((again.status, again.json()), (200, receipt));
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_are_told_apart() {
    let house = House::open().await;
    assert_eq!(append(&house, &registration(1)).await.status, 201);
    let mut other = registration(1);
    other["data"]["sex"] = json!("female");
    let taken = append(&house, &other).await;
    assert_eq!(taken.status, 409);
    assert!(
        !taken.body.contains("Nguy"),
        "nothing of the first event is shown"
    );
    let mut late = pressure(2, 1);
    late["expected_version"] = json!(7);
    assert_eq!(append(&house, &late).await.status, 412);
    let unknown = append(&house, &pressure(3, 99)).await;
    assert_eq!(unknown.status, 422, "{unknown:?}");
    let mut foreign = pressure(4, 1);
    foreign["facility"] = json!("99002");
    let foreign = append(&house, &foreign).await;
    assert_eq!(foreign.status, 403);
    assert!(
        foreign.json()["detail"]
            .as_str()
            .unwrap()
            .contains("append.staff.clinical")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_event_from_another_sender_is_409() {
    let house = House::open().await;
    assert_eq!(append(&house, &registration(1)).await.status, 201);
    let other = Claims {
        sub: "another".to_owned(),
        ..claims(Role::Hospital)
    };
    let token = bearer_of(house.issuer(), other);
    let headers = [
        ("authorization", token.as_str()),
        ("content-type", "application/json"),
    ];
    let body = registration(1).to_string();
    assert_eq!(
        send(house.addr, "POST /v1/events", &headers, &body)
            .await
            .status,
        409
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_answers_each_line_in_order() {
    let house = House::open().await;
    let mut events = vec![
        registration(1),
        json!("no event"),
        pressure(2, 1),
        pressure(3, 77),
    ];
    events.push(registration(1));
    events.extend((10..300).map(|number| pressure(number, 1)));
    let answer = batch(&house, "/v1/events/batch", &events).await;
    let statuses = statuses(&answer);
    assert_eq!(statuses.len(), events.len());
    assert_eq!(statuses[..5], [201, 422, 201, 422, 200]);
    assert!(statuses[5..].iter().all(|status| *status == 201));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_reads_only_after_writing_is_served() {
    let house = House::open().await;
    // More results than the sockets between take, from a sender that writes all before it reads.
    let lines = "1\n".repeat(20_000);
    let answer = post(&house, "/v1/events/batch", NDJSON, &lines).await;
    assert!(answer.body.len() > 4 << 20, "{}", answer.body.len());
    assert_eq!(statuses(&answer), vec![422; 20_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_atomic_batch_is_taken_whole_or_not_at_all() {
    let house = House::open().await;
    let path = "/v1/events/batch?atomic=true";
    let good = [registration(1), pressure(2, 1)];
    let bad = [registration(1), pressure(2, 1), pressure(3, 77)];
    let refused = batch(&house, path, &bad).await;
    assert_eq!(
        (refused.status, statuses(&refused)),
        (422, vec![424, 424, 422])
    );
    assert_eq!(house.commands.opener().registry().people_count(), 0);
    let taken = batch(&house, path, &good).await;
    assert_eq!((taken.status, statuses(&taken)), (200, vec![201, 201]));
    let again = batch(&house, path, &good).await;
    assert_eq!(statuses(&again), vec![200, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_named_by_its_digest() {
    let house = House::open().await;
    let blob = post(&house, "/v1/blobs", "image/png", "pixels").await;
    assert_eq!(blob.status, 201, "{blob:?}");
    assert_eq!(blob.json()["size"], 6);
    append(&house, &registration(1)).await;
    let document = |number, digest: &Value| {
        let data = json!({"title": "X-ray", "media_type": "image/png", "digest": digest});
        json!({"event_id": event_id(number), "person": identified(1), "kind": "document_attached",
               "occurred_at": "2026-11-01", "data": data})
    };
    let named = append(&house, &document(2, &blob.json()["digest"])).await;
    assert_eq!(named.status, 201, "{named:?}");
    let unknown = append(&house, &document(3, &json!("00".repeat(32)))).await;
    assert_eq!(unknown.status, 422);
}

fn bundle(kind: &str) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": [
        {"fullUrl": "urn:uuid:0192f0c1-7a3b-4c11-9e2f-0242ac120009",
         "resource": {"resourceType": "Observation", "id": "o1", "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
            "subject": {"reference": "urn:uuid:0192f0c1-7a3b-4c11-9e2f-0242ac120008"},
            "effectiveDateTime": "2026-11-01T08:00:00+07:00",
            "valueQuantity": {"value": 148, "unit": "mmHg", "code": "mm[Hg]",
                              "system": "http://unitsofmeasure.org"}},
         "request": {"method": "POST", "url": "Observation"}},
        {"fullUrl": "urn:uuid:0192f0c1-7a3b-4c11-9e2f-0242ac120008",
         "resource": {"resourceType": "Patient", "id": "p1", "gender": "male",
            "birthDate": "1985-03-07", "name": [{"text": "Nguyễn Văn A"}]},
         "request": {"method": "POST", "url": "Patient"}},
    ]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_answered_entry_by_entry() {
    for (kind, answered) in [
        ("transaction", "transaction-response"),
        ("batch", "batch-response"),
    ] {
        let house = House::open().await;
        let body = bundle(kind).to_string();
        let load = async || {
            let answer = post(&house, "/fhir/R4", "application/fhir+json", &body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.json()
        };
        let first = load().await;
        assert_eq!(first["type"], answered);
        for (entry, name) in [(0, "Observation/"), (1, "Patient/")] {
            let response = &first["entry"][entry]["response"];
            assert_eq!(response["status"], "201 Created", "{first}");
            assert!(response["location"].as_str().unwrap().starts_with(name));
        }
        let again = load().await;
        assert_eq!(again["entry"][0]["response"]["status"], "200 OK", "{again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_sent_again_with_other_content_corrects_the_first() {
    let house = House::open().await;
    let mut body = bundle("batch");
    let load = async |body: &Value| {
        let body = body.to_string();
        let answer = post(&house, "/fhir/R4", "application/fhir+json", &body).await;
        answer.json()["entry"][0]["response"]["status"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(load(&body).await, "201 Created");
    let before = house.commands.opener().reader().position().get();
    body["entry"][0]["resource"]["valueQuantity"]["value"] = json!(138);
    assert_eq!(load(&body).await, "200 OK");
    assert_eq!(
        house.commands.opener().reader().position().get(),
        before + 1
    );
    assert_eq!(load(&body).await, "200 OK");
    let last = house.commands.opener().by_position(before + 1).unwrap();
    assert_eq!(last.stored.event.kind().as_str(), "correction_made");
    assert_eq!(
        house.commands.opener().reader().position().get(),
        before + 1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_loses_nothing_that_was_acknowledged() {
    let house = House::open().await;
    append(&house, &registration(1)).await;
    let writes = (10..60).map(|number| {
        let event = pressure(number, 1);
        let house = &house;
        async move { append(house, &event).await.status }
    });
    let statuses = futures_util::future::join_all(writes).await;
    assert!(statuses.iter().all(|status| *status == 201));
    let commands = house.commands.clone();
    house.handle.shutdown().await;
    let closed = tokio::task::spawn_blocking(move || commands.close())
        .await
        .unwrap();
    assert_eq!(closed.unwrap(), 51);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_log_is_said() {
    let house = House::open().await;
    assert_eq!(send(house.addr, "GET /readyz", &[], "").await.status, 200);
    let commands = house.commands.clone();
    tokio::task::spawn_blocking(move || commands.close())
        .await
        .unwrap()
        .unwrap();
    let ready = send(house.addr, "GET /readyz", &[], "").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["reasons"][0]["part"], "writer");
    assert_eq!(append(&house, &registration(1)).await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_checkpoint_need_no_token_and_show_no_one() {
    let house = House::open().await;
    append(&house, &registration(1)).await;
    let metrics = send(house.addr, "GET /metrics", &[], "").await;
    assert!(
        metrics.body.contains("sokhoe_position 1"),
        "{}",
        metrics.body
    );
    assert!(!metrics.body.contains(&event_id(1)));
    let checkpoint = send(house.addr, "GET /checkpoint", &[], "").await;
    assert_eq!(checkpoint.status, 200);
    assert!(
        checkpoint.body.contains("\u{2014} "),
        "a signed note: {}",
        checkpoint.body
    );
}

#[tokio::test]
async fn a_malformed_line_is_named_once_by_its_number_and_column() {
    let house = House::open().await;
    let body = format!("{}\n{{bad\n", registration(1));
    let lines = post(&house, "/v1/events/batch", NDJSON, &body)
        .await
        .lines();
    assert_eq!(
        (&lines[0]["status"], &lines[1]["line"]),
        (&201.into(), &2.into())
    );
    let detail = lines[1]["detail"].as_str().unwrap();
    assert!(detail.starts_with("column 2: "), "{detail}");
}

#[tokio::test]
async fn a_batch_of_nothing_is_answered_with_nothing() {
    let house = House::open().await;
    for path in ["/v1/events/batch", "/v1/events/batch?atomic=true"] {
        let answer = post(&house, path, NDJSON, "").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_beyond_what_is_on_its_way_is_told_to_come_back_and_nothing_is_taken() {
    let limits = Limits {
        events_in_flight_max: 0,
        ..Limits::default()
    };
    let house = House::with(limits).await;
    let answer = append(&house, &registration(1)).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(house.commands.opener().reader().position().get(), 0);
}
