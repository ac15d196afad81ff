//! An event before it is written, and what the writer gives it.

use std::fmt;

use sokhoe_chain::{EventHash, EventHeader, EventHeaderBytes, StreamId};

use crate::FRAME_BYTES_MAX;
use crate::error::AppendError;
use crate::format::frame::frame_bytes;
use crate::position::{Address, Position};

/// An event ready to be written: its header without what the writer stamps, and its stored payload.
#[derive(Clone)]
pub struct Draft {
    pub(crate) header: EventHeaderBytes,
    pub(crate) stream: StreamId,
    pub(crate) payload: Vec<u8>,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.payload.len();
        f.debug_struct("Draft")
            .field("stream", &self.stream)
            .field("bytes", &bytes)
            .finish()
    }
}

impl Draft {
    /// Encodes the header; version, previous hash and time in it are overwritten when it is stamped.
    ///
    /// # Errors
    /// When the header states another length than the payload (with its attachment) has, or the frame
    /// would be larger than [`FRAME_BYTES_MAX`].
    pub fn new(header: &EventHeader, payload: Vec<u8>) -> Result<Self, AppendError> {
        let stated = u64::from(header.payload_bytes) + u64::from(header.attachment_bytes);
        let stated = usize::try_from(stated).unwrap_or(usize::MAX);
        if stated != payload.len() {
            return Err(AppendError::PayloadLength {
                header: stated,
                payload: payload.len(),
            });
        }
        let bytes = frame_bytes(payload.len());
        if bytes > FRAME_BYTES_MAX {
            return Err(AppendError::FrameTooLarge {
                bytes,
                max: FRAME_BYTES_MAX,
            });
        }
        Ok(Self {
            header: header.encode(),
            stream: header.stream,
            payload,
        })
    }

    /// Makes a draft whose lengths are known to fit.
    pub(crate) fn trusted(header: &EventHeader, payload: Vec<u8>) -> Self {
        Self {
            header: header.encode(),
            stream: header.stream,
            payload,
        }
    }

    /// Returns the event's stream.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        self.stream
    }

    /// Returns the bytes that its frame takes in the log.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        frame_bytes(self.payload.len())
    }

    /// Returns the stored payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }
}

/// What the writer gave an event; true once its group is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// Place in the log.
    pub position: Position,
    /// The event's stream.
    pub stream: StreamId,
    /// Place in the stream, from 1.
    pub version: u64,
    /// The event's hash.
    pub hash: EventHash,
    /// Hash of the stream's event before, zero for the first.
    pub previous: EventHash,
    /// Group time in microseconds since the Unix epoch.
    pub recorded_at_us: i64,
    /// Where its frame lies.
    pub address: Address,
}
