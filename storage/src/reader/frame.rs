//! An event as it is stored: owned, or borrowed from a scan's buffer.

use sokhoe_chain::{EventHash, EventHeader, EventHeaderBytes, event_hash};

use crate::error::{Damage, DamageKind, ReadError};
use crate::position::{Address, Position};

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Place in the log.
    pub position: Position,
    /// Where it lies.
    pub address: Address,
    /// Where the stream's event before it lies.
    pub previous: Option<Address>,
    /// The clear header.
    pub header: EventHeader,
    /// The header's bytes, which the event's hash covers.
    pub header_bytes: EventHeaderBytes,
    /// The stored payload.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Computes the event's hash.
    #[must_use]
    pub fn hash(&self) -> EventHash {
        event_hash(&self.header_bytes)
    }

    /// Borrows the frame as a scan shows it.
    #[must_use]
    pub fn borrowed(&self) -> FrameRef<'_> {
        FrameRef {
            position: self.position,
            address: self.address,
            previous: self.previous,
            header_bytes: &self.header_bytes,
            payload: &self.payload,
        }
    }
}

/// An event as it is stored, borrowed from a scan's buffer.
#[derive(Clone, Copy, Debug)]
pub struct FrameRef<'a> {
    /// Place in the log.
    pub position: Position,
    /// Where it lies.
    pub address: Address,
    /// Where the stream's event before it lies.
    pub previous: Option<Address>,
    /// The header's bytes, which the event's hash covers.
    pub header_bytes: &'a EventHeaderBytes,
    /// The stored payload.
    pub payload: &'a [u8],
}

impl FrameRef<'_> {
    /// Computes the event's hash.
    #[must_use]
    pub fn hash(&self) -> EventHash {
        event_hash(self.header_bytes)
    }

    /// Decodes the clear header.
    ///
    /// # Errors
    /// When it is not one of this version, though its checksum holds.
    pub fn header(&self) -> Result<EventHeader, ReadError> {
        decode_header(self.header_bytes, self.address, self.position)
    }

    /// Copies the frame.
    ///
    /// # Errors
    /// As for `header`.
    pub fn to_frame(&self) -> Result<Frame, ReadError> {
        Ok(Frame {
            position: self.position,
            address: self.address,
            previous: self.previous,
            header: self.header()?,
            header_bytes: *self.header_bytes,
            payload: self.payload.to_vec(),
        })
    }
}

/// Decodes the event header of a frame whose checksum holds.
pub(super) fn decode_header(
    bytes: &EventHeaderBytes,
    address: Address,
    position: Position,
) -> Result<EventHeader, ReadError> {
    EventHeader::decode(bytes).map_err(|error| {
        Damage::in_segment(
            DamageKind::Misplaced,
            address,
            Some(position),
            "event header",
        )
        .expected_found("an event header of a known version", error.to_string())
        .into()
    })
}
