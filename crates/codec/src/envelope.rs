//! The stored event: format, kind, schema version, envelope, data.
//!
//! | bytes | what |
//! |--:|---|
//! | 1 | format of the stored event, 1 |
//! | 2 | number of the kind, little-endian |
//! | 2 | schema version of the kind's data, little-endian |
//! | n | envelope: id, person, times, facility, author, source, sender, digest of what was received |
//! | m | data, to the last byte |

use sokhoe_record::{Author, Event, EventId, Kind, Occurred, PersonRef, Source};
use wincode::{SchemaRead, SchemaWrite};

use crate::CodecError;
use crate::schema::{SchemaVersion, kind_numbered, put_data, schema_of, take_data};
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

/// The envelope as far as the facility.
#[derive(SchemaRead)]
struct EnvelopeBegun<'a> {
    _event_id: EventId,
    _person: Option<PersonRef>,
    _occurred_at: Occurred,
    facility: Option<&'a str>,
}

/// What a stored event begins with, for those who need no more of most events: telling takes a tenth of decoding.
#[derive(Debug, Clone, Copy)]
pub struct Glimpse<'a> {
    /// The kind of event.
    pub kind: Kind,
    /// The facility that states it.
    pub facility: Option<&'a str>,
    stored: &'a [u8],
}

impl Glimpse<'_> {
    /// Reads the whole event.
    ///
    /// # Errors
    /// As [`decode`].
    pub fn decode(&self) -> Result<Stored, CodecError> {
        decode(self.stored)
    }
}

/// Reads what a stored event begins with.
///
/// # Errors
/// Unknown formats and kinds, and a beginning that is malformed; what follows is not looked at.
pub fn glimpse(stored: &[u8]) -> Result<Glimpse<'_>, CodecError> {
    let (kind, version, mut rest) = prefix(stored)?;
    let known = kind_numbered(kind).ok_or(CodecError::UnknownSchema { kind, version })?;
    let envelope: EnvelopeBegun<'_> = take(&mut rest)?;
    Ok(Glimpse {
        kind: known,
        facility: envelope.facility,
        stored,
    })
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
    let (kind, version, mut rest) = prefix(bytes)?;
    let envelope: EnvelopeV1 = take(&mut rest)?;
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

/// Reads number of the kind and schema version, and what follows them.
fn prefix(bytes: &[u8]) -> Result<(u16, SchemaVersion, &[u8]), CodecError> {
    let too_short = || CodecError::TooShort { bytes: bytes.len() };
    let (&[format, kind_low, kind_high, version_low, version_high], rest) =
        bytes.split_first_chunk::<5>().ok_or_else(too_short)?;
    if format != STORED_FORMAT {
        return Err(CodecError::UnknownFormat { found: format });
    }
    let kind = u16::from_le_bytes([kind_low, kind_high]);
    let version = u16::from_le_bytes([version_low, version_high]);
    Ok((kind, version, rest))
}
