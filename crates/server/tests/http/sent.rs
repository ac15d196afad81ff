//! What tests send: registrations, measurements, and the hospital's way of sending them.

use serde_json::{Value, json};
use sokhoe_access::Role;

use crate::house::House;
use crate::peer::{Answer, send};

pub(crate) const NDJSON: &str = "application/x-ndjson";

pub(crate) fn event_id(number: u32) -> String {
    format!("0192f0c1-7a3b-7c11-9e2f-{number:012x}")
}

pub(crate) fn registration(number: u32) -> Value {
    json!({
        "event_id": event_id(number),
        "person": identified(number),
        "kind": "person_registered",
        "occurred_at": "2026-11-01T08:00:00+07:00",
        "facility": "99001",
        "data": {
            "identifiers": [identified(number)["identifier"]],
            "name": {"full": "Nguyễn Văn A"},
            "sex": "male",
            "birth_date": "1985-03-07",
        },
    })
}

pub(crate) fn identified(number: u32) -> Value {
    json!({"identifier": {"system": "cccd", "value": format!("099085{number:06}")}})
}

pub(crate) fn pressure(number: u32, person: u32) -> Value {
    json!({
        "event_id": event_id(number),
        "person": identified(person),
        "kind": "observation_recorded",
        "occurred_at": "2026-11-01T08:10:00+07:00",
        "data": {
            "code": {"system": "loinc", "code": "8480-6"},
            "value": {"quantity": {"value": 148, "unit": "mm[Hg]"}},
        },
    })
}

pub(crate) async fn post(house: &House, path: &str, media_type: &str, body: &str) -> Answer {
    let token = house.bearer(Role::Hospital);
    let headers = [
        ("authorization", token.as_str()),
        ("content-type", media_type),
    ];
    send(house.addr, &format!("POST {path}"), &headers, body).await
}

pub(crate) async fn append(house: &House, event: &Value) -> Answer {
    post(house, "/v1/events", "application/json", &event.to_string()).await
}
