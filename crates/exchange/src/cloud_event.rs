//! An event of a record as a CloudEvent 1.0 in JSON, which the feed and its export are made of.
//!
//! | attribute | what |
//! |---|---|
//! | `id`, `source` | the event's id; the log that holds it: together they name the event for ever |
//! | `type` | `vn.sokhoe.` and the kind |
//! | `subject` | the person's random id |
//! | `time` | when it was recorded |
//! | `sequence` | the position in 20 digits, so that texts sort as positions do |
//! | `personversion`, `hash` | place in the person's stream; what the chain links |
//! | `data` | the event as its sender wrote it, only where the reader may see it and asks for it |

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use sokhoe_record::RecordedEvent;

/// A recorded event, ready to be written; cheap to make.
#[derive(Debug, Clone, Copy)]
pub struct CloudEvent<'a> {
    /// The event.
    pub event: &'a RecordedEvent,
    /// The log, as a URI.
    pub source: &'a str,
    /// Whether what the event says is written too.
    pub with_data: bool,
}

/// Names a log as the source of its events.
#[must_use]
pub fn source_of(log_id: &[u8; 16]) -> String {
    let mut source = String::from("urn:sokhoe:log:");
    push_hex(&mut source, log_id);
    source
}

impl Serialize for CloudEvent<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let event = self.event;
        let mut hash = String::with_capacity(64);
        push_hex(&mut hash, &event.hash);
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("specversion", "1.0")?;
        map.serialize_entry("id", &event.event.event_id)?;
        map.serialize_entry("source", self.source)?;
        map.serialize_entry("type", &format_args!("vn.sokhoe.{}", event.event.kind()))?;
        map.serialize_entry("subject", &event.person)?;
        map.serialize_entry("time", &event.recorded_at)?;
        map.serialize_entry("sequence", &format_args!("{:020}", event.position))?;
        map.serialize_entry("personversion", &event.version)?;
        map.serialize_entry("hash", &hash)?;
        if self.with_data {
            map.serialize_entry("datacontenttype", "application/json")?;
            map.serialize_entry("data", &event.event)?;
        }
        map.end()
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
}

#[cfg(test)]
mod tests {
    use sokhoe_record::{Instant, PersonId, parse_event};

    use super::*;

    fn recorded() -> RecordedEvent {
        let event = parse_event(
            br#"{"event_id": "0192f0c1-7a3b-7c11-9e2f-0242ac120002", "kind": "observation_recorded",
                "person": {"identifier": {"system": "cccd", "value": "099085012345"}},
                "occurred_at": "2026-11-01", "facility": "99001",
                "data": {"code": {"system": "loinc", "code": "29463-7"},
                         "value": {"quantity": {"value": 61.5, "unit": "kg"}}}}"#,
        );
        RecordedEvent {
            person: PersonId::from_bytes([7; 16]),
            event: event.unwrap().event,
            position: 6995,
            version: 3,
            recorded_at: Instant::from_micros(1_000_000),
            hash: [0xAB; 32],
            previous_hash: [0; 32],
            recorded_by: "hospital/99001".to_owned(),
        }
    }

    #[test]
    fn an_event_has_the_attributes_that_the_standard_requires() {
        let event = recorded();
        let source = source_of(&[0x1F; 16]);
        let written = serde_json::to_value(CloudEvent {
            event: &event,
            source: &source,
            with_data: false,
        });
        let written = written.unwrap();
        assert_eq!(written["specversion"], "1.0");
        assert_eq!(written["id"], "0192f0c1-7a3b-7c11-9e2f-0242ac120002");
        assert_eq!(
            written["source"],
            format!("urn:sokhoe:log:{}", "1f".repeat(16))
        );
        assert_eq!(written["type"], "vn.sokhoe.observation_recorded");
        assert_eq!(written["time"], "1970-01-01T00:00:01Z");
        assert_eq!(written["sequence"], "00000000000000006995");
        assert_eq!(written["hash"], "ab".repeat(32));
    }

    #[test]
    fn what_an_event_says_is_written_only_on_demand() {
        let event = recorded();
        let write = |with_data| {
            let event = CloudEvent {
                event: &event,
                source: "urn:x",
                with_data,
            };
            serde_json::to_string(&event).unwrap()
        };
        for said in ["61.5", "29463-7", "99001", "099085012345"] {
            assert!(!write(false).contains(said), "{said}");
            assert!(write(true).contains(said), "{said}");
        }
    }
}
