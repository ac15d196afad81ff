//! Events as outside programs send them.

use serde_json::{Value, json};

/// The facility of most stories.
pub(crate) const FACILITY: &str = "99001";

/// The id of a test's event with this number.
pub(crate) fn event_id(number: u64) -> String {
    format!("0192f0c1-7a3b-7c11-9e2f-{number:012x}")
}

/// A person by personal number; numbers beginning with 099 were never assigned.
pub(crate) fn identified(person: u64) -> Value {
    json!({"identifier": {"system": "cccd", "value": format!("099085{person:06}")}})
}

/// Somebody becomes known.
pub(crate) fn registration(number: u64, person: u64) -> Value {
    let mut event = envelope(number, "person_registered", "2026-01-05", Value::Null);
    event["data"] = json!({
        "identifiers": [identified(person)["identifier"]],
        "name": {"full": "Nguyễn Văn An"}, "sex": "male", "birth_date": "1985-03-07",
    });
    event
}

/// A body weight in kilograms.
pub(crate) fn weight(number: u64, person: u64, day: &str, kilograms: u64) -> Value {
    let mut event = envelope(number, "observation_recorded", day, identified(person));
    event["data"] = weighed(kilograms);
    event
}

/// What a weighing says.
pub(crate) fn weighed(kilograms: u64) -> Value {
    json!({"code": {"system": "loinc", "code": "29463-7"},
           "value": {"quantity": {"value": kilograms, "unit": "kg"}}})
}

/// An event of this kind at the facility of the stories, its data still to be filled in.
pub(crate) fn envelope(number: u64, kind: &str, occurred_at: &str, person: Value) -> Value {
    let mut event = json!({
        "event_id": event_id(number), "kind": kind, "occurred_at": occurred_at,
        "facility": FACILITY, "data": {},
    });
    if !person.is_null() {
        event["person"] = person;
    }
    event
}

/// A copy with another value at a JSON pointer.
pub(crate) fn with(event: &Value, pointer: &str, value: Value) -> Value {
    let mut event = event.clone();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    event.pointer_mut(parent).expect("a parent")[key] = value;
    event
}

/// A copy without the member at a JSON pointer.
pub(crate) fn without(event: &Value, pointer: &str) -> Value {
    let mut event = event.clone();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = event.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.expect("an object").remove(key);
    event
}
