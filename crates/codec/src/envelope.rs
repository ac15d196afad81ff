//! The stored event: format, kind, schema version, envelope, data.
//!
//! | bytes | what |
//! |--:|---|
//! | 1 | format of the stored event, 1 |
//! | 2 | number of the kind, little-endian |
//! | 2 | schema version of the kind's data, little-endian |
//! | n | envelope: id, person, times, facility, author, source, sender, digest of what was received |
//! | m | data, to the last byte |

use sokhoe_record::{Author, Event, EventId, Occurred, PersonRef, Source};
use wincode::{SchemaRead, SchemaWrite};

use crate::CodecError;
use crate::schema::{put_data, schema_of, take_data};
use crate::wire::{put, take};

/// The format of a stored event that is written today.
pub const STORED_FORMAT: u8 = 1;

/// An event as it is sealed: what the sender said and what the server added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The event, its references to people resolved.
    pub event: Event,
    /// The authenticated sender.
    pub recorded_by: String,
    /// Digest of sender and canonical received bytes; tells a retry from another event.
    pub content: [u8; 32],
    /// The event that caused this one, for events that the server derives.
    pub cause: Option<EventId>,
}

/// What is written; borrows, and has the layout of [`EnvelopeV1`], field by field.
#[derive(SchemaWrite)]
struct EnvelopeRef<'a> {
    event_id: EventId,
    person: &'a Option<PersonRef>,
    occurred_at: Occurred,
    facility: &'a Option<String>,
    author: &'a Option<Author>,
    source: &'a Option<Source>,
    recorded_by: &'a str,
    content: [u8; 32],
    cause: Option<EventId>,
}

#[derive(SchemaRead)]
struct EnvelopeV1 {
    event_id: EventId,
    person: Option<PersonRef>,
    occurred_at: Occurred,
    facility: Option<String>,
    author: Option<Author>,
    source: Option<Source>,
    recorded_by: String,
    content: [u8; 32],
    cause: Option<EventId>,
}

/// Writes a stored event.
///
/// # Errors
/// When a value does not fit the wire format; validated events do.
pub fn encode(stored: &Stored) -> Result<Vec<u8>, CodecError> {
    let event = &stored.event;
    let unstored = CodecError::NotStored { kind: event.kind() };
    let (number, version) = schema_of(event.kind()).ok_or(unstored)?;
    let mut out = Vec::with_capacity(512);
    out.push(STORED_FORMAT);
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&version.to_le_bytes());
    let envelope = EnvelopeRef {
        event_id: event.event_id,
        person: &event.person,
        occurred_at: event.occurred_at,
        facility: &event.facility,
        author: &event.author,
        source: &event.source,
        recorded_by: &stored.recorded_by,
        content: stored.content,
        cause: stored.cause,
    };
    put(&envelope, &mut out)?;
    put_data(&event.data, &mut out)?;
    Ok(out)
}

/// Reads a stored event, of any schema version ever written.
///
/// # Errors
/// Unknown formats and kinds, malformed or trailing bytes.
pub fn decode(bytes: &[u8]) -> Result<Stored, CodecError> {
    let too_short = || CodecError::TooShort { bytes: bytes.len() };
    let (&[format, kind_low, kind_high, version_low, version_high], mut rest) =
        bytes.split_first_chunk::<5>().ok_or_else(too_short)?;
    if format != STORED_FORMAT {
        return Err(CodecError::UnknownFormat { found: format });
    }
    let envelope: EnvelopeV1 = take(&mut rest)?;
    let kind = u16::from_le_bytes([kind_low, kind_high]);
    let version = u16::from_le_bytes([version_low, version_high]);
    let data = take_data(kind, version, rest)?;
    Ok(Stored {
        event: Event {
            event_id: envelope.event_id,
            person: envelope.person,
            occurred_at: envelope.occurred_at,
            facility: envelope.facility,
            author: envelope.author,
            source: envelope.source,
            data,
        },
        recorded_by: envelope.recorded_by,
        content: envelope.content,
        cause: envelope.cause,
    })
}
