//! Bad events: what is wrong with each, how it is answered, and the field that the answer names.

use serde_json::{Value, json};

use crate::sent::{envelope, event_id, identified, registration, weighed, weight, with, without};

/// Stands in what is sent wrongly; no answer and no log line may repeat it.
pub(crate) const SECRET: &str = "Phạm-Thị-Bí-Mật";

/// A body, what is wrong with it, the answer's status, and the field that is named.
pub(crate) type Case = (&'static str, Vec<u8>, u16, Option<&'static str>);

/// What is not JSON, or not JSON that means one thing.
pub(crate) fn not_json() -> Vec<Case> {
    let text = registration(9, 9).to_string();
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let deep = with(&registration(9, 9), "/data/extra", json!({"deep": "DEEP"}));
    let deep = deep.to_string().replace("\"DEEP\"", &nested(70));
    let twice = text.replacen("\"kind\"", "\"kind\":\"person_died\",\"kind\"", 1);
    let twice_within = text.replacen("\"sex\"", "\"sex\":\"male\",\"sex\"", 1);
    let no_utf8 = text.replace("An", "\u{1}").into_bytes();
    let no_utf8 = no_utf8
        .into_iter()
        .map(|byte| if byte == 1 { 0xff } else { byte })
        .collect();
    vec![
        ("nothing", Vec::new(), 400, None),
        (
            "cut off",
            text.as_bytes()[..text.len() - 1].to_vec(),
            400,
            None,
        ),
        (
            "two documents",
            format!("{text}{text}").into_bytes(),
            400,
            None,
        ),
        (
            "not JSON",
            b"event_id=1&kind=person_died".to_vec(),
            400,
            None,
        ),
        (
            "a comma too many",
            text.replacen(',', ",,", 1).into_bytes(),
            400,
            None,
        ),
        (
            "not a number",
            text.replacen("\"male\"", "NaN", 1).into_bytes(),
            400,
            None,
        ),
        ("no UTF-8", no_utf8, 400, None),
        (
            "half a surrogate",
            text.replacen("An", "\\ud800", 1).into_bytes(),
            400,
            None,
        ),
        ("a key twice", twice.into_bytes(), 400, None),
        ("a key twice inside", twice_within.into_bytes(), 400, None),
        ("a depth bomb", nested(200_000).into_bytes(), 400, None),
        ("a depth bomb inside", deep.into_bytes(), 400, None),
    ]
}

/// What is JSON, but no event.
pub(crate) fn wrong_content() -> Vec<Case> {
    [wrong_types(), broken_rules()].concat()
}

fn invalid(what: &'static str, event: Value, at: &'static str) -> Case {
    (what, event.to_string().into_bytes(), 422, Some(at))
}

fn wrong_types() -> Vec<Case> {
    let person = registration(9, 9);
    vec![
        invalid("a list", json!([]), ""),
        invalid("a text", json!(SECRET), ""),
        invalid("null", Value::Null, ""),
        invalid(
            "a number for a word",
            with(&person, "/data/sex", json!(1)),
            "/data/sex",
        ),
        invalid(
            "a text for a name",
            with(&person, "/data/name", json!(SECRET)),
            "/data/name",
        ),
        invalid(
            "a text for a list",
            with(&person, "/data/phones", json!(SECRET)),
            "/data/phones",
        ),
        invalid(
            "data that is none",
            with(&person, "/data", json!(SECRET)),
            "/data",
        ),
        invalid(
            "an unknown word",
            with(&person, "/data/sex", json!(SECRET)),
            "/data/sex",
        ),
        invalid(
            "an unknown kind",
            with(&person, "/kind", json!(SECRET)),
            "/kind",
        ),
        invalid(
            "an unknown field",
            with(&person, "/colour", json!(SECRET)),
            "/colour",
        ),
        invalid(
            "one in data",
            with(&person, "/data/colour", json!(SECRET)),
            "/data/colour",
        ),
    ]
}

fn broken_rules() -> Vec<Case> {
    let person = registration(9, 9);
    let weighing = weight(9, 1, "2026-02-01", 70);
    let mut died = envelope(9, "person_died", "1980-01-01", identified(1));
    died["data"] = json!({"died_on": "1980-01-01"});
    let long = "x".repeat(501);
    let many = vec![json!({"system": "cccd", "value": "099085000009"}); 51];
    vec![
        invalid("no kind", without(&person, "/kind"), "/kind"),
        invalid("no id", without(&person, "/event_id"), "/event_id"),
        invalid(
            "an id that is none",
            with(&person, "/event_id", json!(SECRET)),
            "/event_id",
        ),
        invalid(
            "no birth date",
            without(&person, "/data/birth_date"),
            "/data/birth_date",
        ),
        invalid(
            "30 February",
            with(&weighing, "/occurred_at", json!("2026-02-30")),
            "/occurred_at",
        ),
        invalid(
            "13th month",
            with(&person, "/data/birth_date", json!("1985-13")),
            "/data/birth_date",
        ),
        invalid(
            "no zone",
            with(&weighing, "/occurred_at", json!("2026-02-01T08:00:00")),
            "/occurred_at",
        ),
        invalid(
            "25 o'clock",
            with(&weighing, "/occurred_at", json!("2026-02-01T25:00:00Z")),
            "/occurred_at",
        ),
        invalid("a death before the birth", died, "/data/died_on"),
        invalid(
            "a number too large",
            with(&weighing, "/data/value/quantity/value", json!(1e300)),
            "/data/value/quantity/value",
        ),
        invalid(
            "two values",
            with(&weighing, "/data/value/text", json!("heavy")),
            "/data/value",
        ),
        invalid(
            "a text too long",
            with(&person, "/data/name/full", json!(long)),
            "/data/name/full",
        ),
        invalid(
            "a list too long",
            with(&person, "/data/identifiers", json!(many)),
            "/data/identifiers",
        ),
        invalid(
            "a number of no one",
            with(&weighing, "/person", identified(77)),
            "/person",
        ),
        invalid("a correction of nothing", correction(77), "/data/corrects"),
        invalid("of somebody else's event", correction(3), "/data/corrects"),
    ]
}

fn correction(corrects: u64) -> Value {
    let mut event = envelope(9, "correction_made", "2026-02-02", identified(1));
    event["data"] = json!({"corrects": event_id(corrects), "action": "replace",
        "replacement": {"data": weighed(71)}, "reason": "typed wrong"});
    event
}

/// What is valid by itself, and refused for what it is about or for its size.
pub(crate) fn refused_by_state() -> Vec<Case> {
    let weighing = weight(9, 1, "2026-02-01", 70);
    let large = |bytes: usize| with(&weighing, "/data/method", json!("x".repeat(bytes)));
    let case = |what, event: Value, status| (what, event.to_string().into_bytes(), status, None);
    vec![
        case(
            "a kind of the server's own",
            with(&weighing, "/kind", json!("person_erased")),
            403,
        ),
        case(
            "another facility's",
            with(&weighing, "/facility", json!("99002")),
            403,
        ),
        case("a taken id", weight(2, 1, "2026-02-01", 71), 409),
        case(
            "a stale version",
            with(&weighing, "/expected_version", json!(999_999)),
            412,
        ),
        case("a little too large", large(1 << 20), 413),
        case("ten megabytes", large(10 << 20), 413),
    ]
}
