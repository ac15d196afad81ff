//! Events that a person states over routes of their own: like any other, with what goes without saying filled in.

use serde_json::{Value, json};
use sokhoe_commands::ContentDigest;
use sokhoe_record::{EventId, Incoming, Instant, PersonId};

use crate::error::Problem;
use crate::intake;

/// Reads the body of a statement: a JSON object, with an `event_id` if it is to be the same when it is sent again.
pub(super) fn body(bytes: &[u8]) -> Result<(Value, Value), Problem> {
    let mut data: Value = serde_json::from_slice(bytes)
        .map_err(|_| Problem::field("", "wrong_type", "expected a JSON object"))?;
    let Some(members) = data.as_object_mut() else {
        return Err(Problem::field("", "wrong_type", "expected an object"));
    };
    let event_id = match members.remove("event_id") {
        Some(id) => id,
        None => json!(random_id()?),
    };
    Ok((event_id, data))
}

/// Puts a member in where there is none.
pub(super) fn fill(data: &mut Value, member: &str, value: impl FnOnce() -> Value) {
    if let Some(members) = data.as_object_mut() {
        members.entry(member).or_insert_with(value);
    }
}

/// Makes the event that states something about a person; errors point into its data.
pub(super) fn event(
    person: PersonId,
    kind: &str,
    event_id: &Value,
    now: Instant,
    data: Value,
) -> Result<(Incoming, ContentDigest), Problem> {
    let event = json!({
        "event_id": event_id,
        "person": {"id": person},
        "kind": kind,
        "occurred_at": now,
        "data": data,
    });
    let bytes = serde_json::to_vec(&event).map_err(|error| Problem::internal(&error))?;
    let read = intake::read(&bytes);
    read.map_err(|problem| {
        problem.moved(|pointer| pointer.strip_prefix("/data").unwrap_or(pointer).to_owned())
    })
}

pub(super) fn random_id() -> Result<EventId, Problem> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| Problem::internal(&error))?;
    Ok(EventId::from_bytes(id))
}
