//! Reading and checking whole events: the one rule set for senders, imports and code.

use super::{Event, Incoming};
use crate::{
    block::{Author, PersonRef, Source},
    data::Data,
    field::{Cx, Field, FieldError, Member, Path, Slot, object_schema},
    id::EventId,
    json::{self, JsonError, Limits, Node},
    kind::Kind,
    limits::{EVENT_BYTES_MAX, WORD_CHARS_MAX},
    time::Occurred,
};

/// Why an event is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is longer than an event may be.
    #[error("read event: longer than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// It is not JSON.
    #[error("read event: malformed JSON")]
    Malformed(#[source] JsonError),
    /// Its kind is one that only the server writes.
    #[error("read event: events of kind {kind} are written by the server alone")]
    ForbiddenKind {
        /// The kind.
        kind: Kind,
    },
    /// It is JSON, but its content is not that of an event.
    #[error("read event: {} bad field(s)", errors.len())]
    Content {
        /// Every bad field, up to a limit.
        errors: Vec<FieldError>,
    },
}

/// Reads one event from JSON, checking everything that can be checked without other knowledge.
///
/// # Errors
/// Says whether the JSON, the kind or the content is at fault, and names every bad field.
///
/// # Example
/// ```
/// let incoming = sokhoe_record::parse_event(
///     br#"{
///         "event_id": "0192f0c1-7a3b-7c11-9e2f-0242ac120002",
///         "person": {"identifier": {"system": "cccd", "value": "099085012345"}},
///         "kind": "observation_recorded",
///         "occurred_at": "2026-11-01T08:00:00+07:00",
///         "data": {
///             "code": {"system": "loinc", "code": "8480-6"},
///             "value": {"quantity": {"value": 148, "unit": "mm[Hg]"}}
///         }
///     }"#,
/// )?;
/// assert_eq!(incoming.event.kind().as_str(), "observation_recorded");
/// # Ok::<(), sokhoe_record::Invalid>(())
/// ```
pub fn parse_event(bytes: &[u8]) -> Result<Incoming, Invalid> {
    if bytes.len() > EVENT_BYTES_MAX {
        return Err(Invalid::TooLarge {
            bytes_max: EVENT_BYTES_MAX,
        });
    }
    let node = json::parse_with(bytes, Limits::default()).map_err(Invalid::Malformed)?;
    read_event(&node)
}

/// Reads one event from a JSON value.
///
/// # Errors
/// Says whether the kind or the content is at fault, and names every bad field.
pub fn read_event(node: &Node<'_>) -> Result<Incoming, Invalid> {
    match node.text("kind").and_then(Kind::from_word) {
        Some(kind) if kind.server_only() => Err(Invalid::ForbiddenKind { kind }),
        _ => read_any_event(node),
    }
}

/// Reads one event of any kind, those that the server alone writes included: no sender's.
///
/// # Errors
/// As [`read_event`].
pub fn read_any_event(node: &Node<'_>) -> Result<Incoming, Invalid> {
    let mut cx = Cx::default();
    let kind = read_kind(node, &mut cx);
    let incoming = envelope(node, kind, &mut cx);
    match incoming {
        Some(incoming) if cx.clean() => Ok(incoming),
        _ => Err(Invalid::Content {
            errors: cx.into_errors(),
        }),
    }
}

/// Checks an event that was made in code by the rules that reading keeps.
///
/// # Errors
/// Names every bad field.
pub fn validate(incoming: &Incoming) -> Result<(), Invalid> {
    let event = &incoming.event;
    let (at, mut cx) = (Path::ROOT, Cx::default());
    event.event_id.check(at.key("event_id"), 0, &mut cx);
    event.person.check(at.key("person"), 0, &mut cx);
    event.occurred_at.check(at.key("occurred_at"), 0, &mut cx);
    event
        .facility
        .check(at.key("facility"), WORD_CHARS_MAX, &mut cx);
    event.author.check(at.key("author"), 0, &mut cx);
    event.source.check(at.key("source"), 0, &mut cx);
    event.data.check(at.key("data"), &mut cx);
    check_person(event.kind(), event.person.as_ref(), &mut cx);
    match cx.clean() {
        true => Ok(()),
        false => Err(Invalid::Content {
            errors: cx.into_errors(),
        }),
    }
}

fn read_kind(node: &Node<'_>, cx: &mut Cx) -> Option<Kind> {
    let at = Path::ROOT;
    let Some(kind) = node.get("kind") else {
        if node.as_object().is_some() {
            cx.missing(at.key("kind"));
        }
        return None;
    };
    let read = Kind::from_word(cx.text(kind, at.key("kind"))?);
    if read.is_none() {
        let known: Vec<_> = sendable().map(Kind::as_str).collect();
        cx.error(
            at.key("kind"),
            "unknown_kind",
            format!("expected one of: {}", known.join(", ")),
        );
    }
    read
}

/// Reads the envelope and, when the kind is known, the data.
fn envelope(node: &Node<'_>, kind: Option<Kind>, cx: &mut Cx) -> Option<Incoming> {
    let at = Path::ROOT;
    let mut event_id: Slot<EventId> = Slot::Absent;
    let mut person: Slot<Option<PersonRef>> = Slot::Absent;
    let mut occurred_at: Slot<Occurred> = Slot::Absent;
    let mut facility: Slot<Option<String>> = Slot::Absent;
    let mut author: Slot<Option<Author>> = Slot::Absent;
    let mut source: Slot<Option<Source>> = Slot::Absent;
    let mut expected_version: Slot<Option<Version>> = Slot::Absent;
    let mut data = None;
    let mut data_met = false;
    for (key, value) in cx.object(node, at)? {
        match &**key {
            "kind" => {}
            "event_id" => event_id = Slot::read(value, at.key("event_id"), 0, cx),
            "person" => person = Slot::read(value, at.key("person"), 0, cx),
            "occurred_at" => occurred_at = Slot::read(value, at.key("occurred_at"), 0, cx),
            "facility" => facility = Slot::read(value, at.key("facility"), WORD_CHARS_MAX, cx),
            "author" => author = Slot::read(value, at.key("author"), 0, cx),
            "source" => source = Slot::read(value, at.key("source"), 0, cx),
            "expected_version" => {
                expected_version = Slot::read(value, at.key("expected_version"), 0, cx);
            }
            "data" => {
                data_met = true;
                data = kind.and_then(|kind| Data::read(kind, value, at.key("data"), cx));
            }
            other => cx.unknown_field(at, other),
        }
    }
    if !data_met {
        cx.missing(at.key("data"));
    }
    let event_id = event_id.finish(at, "event_id", cx);
    let occurred_at = occurred_at.finish(at, "occurred_at", cx);
    let person = person.finish(at, "person", cx);
    if let (Some(kind), Some(person)) = (kind, &person) {
        check_person(kind, person.as_ref(), cx);
    }
    let event = Event {
        event_id: event_id?,
        person: person?,
        occurred_at: occurred_at?,
        facility: facility.finish(at, "facility", cx)?,
        author: author.finish(at, "author", cx)?,
        source: source.finish(at, "source", cx)?,
        data: data?,
    };
    let expected = expected_version.finish(at, "expected_version", cx)?;
    Some(Incoming {
        event,
        expected_version: expected.map(|version| version.0),
    })
}

fn check_person(kind: Kind, person: Option<&PersonRef>, cx: &mut Cx) {
    let at = Path::ROOT;
    match person {
        None if kind.without_person() || kind.person_optional() => {}
        None => cx.missing(at.key("person")),
        Some(PersonRef::Id(_)) if kind == Kind::PersonRegistered => {
            cx.error(
                at.key("person"),
                "conflict",
                "a registration gives the id: expected an identifier, or nothing",
            );
        }
        Some(_) if kind.without_person() => {
            cx.error(
                at.key("person"),
                "conflict",
                "events of this kind are about no person",
            );
        }
        Some(PersonRef::Unresolved(_)) => {
            cx.error(
                at.key("person"),
                "wrong_type",
                "expected an id or an identifier",
            );
        }
        Some(_) => {}
    }
}

/// A version that a sender expects, a whole number.
struct Version(u64);

impl Field for Version {
    fn read(node: &Node<'_>, at: Path<'_>, _limit: usize, cx: &mut Cx) -> Option<Self> {
        let read = node.as_number().and_then(|text| text.parse().ok());
        if read.is_none() {
            cx.wrong_type(at, "a whole number");
        }
        read.map(Self)
    }

    fn schema(_limit: usize) -> serde_json::Value {
        serde_json::json!({ "type": "integer", "minimum": 0 })
    }
}

fn sendable() -> impl Iterator<Item = Kind> {
    Kind::ALL.iter().copied().filter(|kind| !kind.server_only())
}

/// Describes every kind of event that may be sent, as JSON Schema of the whole event.
pub fn event_schemas() -> Vec<(Kind, serde_json::Value)> {
    sendable()
        .filter_map(|kind| Some((kind, event_schema(kind, Data::schema(kind)?))))
        .collect()
}

fn event_schema(kind: Kind, data: serde_json::Value) -> serde_json::Value {
    let mut schema = object_schema(vec![
        Member::of::<EventId>("event_id", 0),
        Member::of::<Option<PersonRef>>("person", 0),
        Member::of::<Occurred>("occurred_at", 0),
        Member::of::<Option<String>>("facility", WORD_CHARS_MAX),
        Member::of::<Option<Author>>("author", 0),
        Member::of::<Option<Source>>("source", 0),
        Member::of::<Option<Version>>("expected_version", 0),
    ]);
    if let Some(properties) = schema
        .get_mut("properties")
        .and_then(|it| it.as_object_mut())
    {
        properties.insert(
            "kind".to_owned(),
            serde_json::json!({ "const": kind.as_str() }),
        );
        properties.insert("data".to_owned(), data);
    }
    if let Some(required) = schema.get_mut("required").and_then(|it| it.as_array_mut()) {
        required.extend(["kind".into(), "data".into()]);
        if !kind.without_person() && !kind.person_optional() {
            required.push("person".into());
        }
    }
    schema
}
