//! Opening stored events again: frame to typed event.

use std::borrow::Cow;
use std::sync::Arc;

use sokhoe_chain::{EventHash, EventHeader, EventKey, StreamId, StreamKind};
use sokhoe_codec::{CodecError, Stored};
use sokhoe_record::{Data, EventId, Identifier, PersonId};
use sokhoe_registry::{Digests, IdentifierDigest, Registry};
use sokhoe_storage::{Frame, FrameRef, Position, ReadError, Reader};
use sokhoe_vault::{KeyError, OpenError, StreamKey, Vault};

use crate::lookup::root_of;

/// A stored event, opened.
#[derive(Debug, Clone)]
pub struct OpenedEvent {
    /// What was sealed.
    pub stored: Stored,
    /// The stream it lies in.
    pub stream: StreamId,
    /// What kind of stream that is.
    pub stream_kind: StreamKind,
    /// 1-based place in its stream.
    pub version: u64,
    /// 1-based place in the log.
    pub position: u64,
    /// Group time, microseconds since 1970 UTC.
    pub recorded_at_us: i64,
    /// Hash of its header.
    pub hash: EventHash,
    /// Hash of the stream's event before it.
    pub previous: EventHash,
}

impl OpenedEvent {
    pub(crate) fn new(
        stored: Stored,
        header: &EventHeader,
        (position, hash): (u64, EventHash),
    ) -> Self {
        Self {
            stored,
            stream: header.stream,
            stream_kind: header.stream_kind,
            version: header.version,
            position,
            recorded_at_us: header.recorded_at_us,
            hash,
            previous: header.previous,
        }
    }

    /// Returns whose record the stream is; `None` for system streams.
    #[must_use]
    pub fn person(&self) -> Option<PersonId> {
        (self.stream_kind == StreamKind::Record).then(|| PersonId::from_bytes(self.stream.0))
    }

    /// Returns the event that this one corrects, if it is a correction.
    #[must_use]
    pub fn corrects(&self) -> Option<EventId> {
        match &self.stored.event.data {
            Data::CorrectionMade(correction) => Some(correction.corrects),
            _ => None,
        }
    }

    /// Tells whether this is the second frame of a pair, standing in the other person's stream.
    #[must_use]
    pub fn mirror(&self) -> bool {
        let addressed = self
            .stored
            .event
            .person
            .as_ref()
            .and_then(|person| person.id());
        matches!((addressed, self.person()), (Some(to), Some(in_stream)) if to != in_stream)
    }
}

/// Why a stored event could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// The log could not be read.
    #[error("read a stored event")]
    Read(#[from] ReadError),
    /// Its stream's key is missing, destroyed or damaged.
    #[error("open the event at position {position}")]
    Key {
        /// Where it is.
        position: u64,
        /// What is wrong with the key.
        source: KeyError,
    },
    /// The payload does not open under its key.
    #[error("open the event at position {position}")]
    Seal {
        /// Where it is.
        position: u64,
        /// What does not fit.
        source: OpenError,
    },
    /// The payload opens but is no event that this program knows.
    #[error("decode the event at position {position}")]
    Decode {
        /// Where it is.
        position: u64,
        /// What is wrong with the bytes.
        source: CodecError,
    },
}

impl UnsealError {
    /// Tells whether the stream's key was destroyed on purpose.
    #[must_use]
    pub fn erased(&self) -> bool {
        matches!(
            self,
            Self::Key {
                source: KeyError::Destroyed { .. },
                ..
            }
        )
    }
}

/// Opens stored events for the write side and for projections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Opener {
    pub(crate) vault: Arc<Vault>,
    pub(crate) reader: Reader,
    pub(crate) registry: Arc<Registry>,
}

impl Opener {
    /// Returns the log's reader.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Returns the registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the vault.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Finds and opens the event that has an id; `None` when no durable event has it.
    ///
    /// # Errors
    /// When it cannot be read or opened.
    pub fn by_id(&self, id: EventId) -> Result<Option<OpenedEvent>, UnsealError> {
        match self.registry.taken(self.event(&id)) {
            Some(position) if position <= self.reader.position().get() => {
                self.by_position(position).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Returns the entry that a correction, and the corrections that it corrects, are about; `None` when the event is
    /// no correction, or what it corrects is not there or was erased.
    ///
    /// # Errors
    /// When an event on the way cannot be opened.
    pub fn root(&self, event: &OpenedEvent) -> Result<Option<OpenedEvent>, UnsealError> {
        match root_of(self, event) {
            Ok(root) => Ok(root.filter(|root| root.corrects().is_none())),
            Err(error) if error.erased() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the event at a position.
    ///
    /// # Errors
    /// When it cannot be read or opened.
    pub fn by_position(&self, position: u64) -> Result<OpenedEvent, UnsealError> {
        let frame = self.reader.read_position(Position::new(position))?;
        self.open(&frame)
    }

    /// Opens a whole stream, in the order of versions.
    ///
    /// # Errors
    /// When it cannot be read or opened.
    pub fn stream(&self, stream: StreamId) -> Result<Vec<OpenedEvent>, UnsealError> {
        let frames = self.reader.read_stream(&stream)?;
        let Some(first) = frames.first() else {
            return Ok(Vec::new());
        };
        let key = self.key(stream, first.position.get())?;
        frames
            .iter()
            .map(|frame| self.open_with(&key, frame))
            .collect()
    }

    /// Opens one frame.
    ///
    /// # Errors
    /// When its key is not there or its payload does not open.
    pub fn open(&self, frame: &Frame) -> Result<OpenedEvent, UnsealError> {
        let key = self.key(frame.header.stream, frame.position.get())?;
        self.open_with(&key, frame)
    }

    /// Opens a frame of a scan; `None` for the log's own events, which have no sealed payload.
    ///
    /// # Errors
    /// When its key is not there or its payload does not open.
    pub fn open_scanned(&self, frame: &FrameRef<'_>) -> Result<Option<OpenedEvent>, UnsealError> {
        let header = frame.header()?;
        if header.stream_kind == StreamKind::Keeper {
            return Ok(None);
        }
        let position = frame.position.get();
        let key = self.key(header.stream, position)?;
        self.opened(&key, &header, frame).map(Some)
    }

    pub(crate) fn key(&self, stream: StreamId, position: u64) -> Result<StreamKey, UnsealError> {
        self.vault
            .stream_key(stream)
            .map_err(|source| UnsealError::Key { position, source })
    }

    fn open_with(&self, key: &StreamKey, frame: &Frame) -> Result<OpenedEvent, UnsealError> {
        self.opened(key, &frame.header, &frame.borrowed())
    }

    fn opened(
        &self,
        key: &StreamKey,
        header: &EventHeader,
        frame: &FrameRef<'_>,
    ) -> Result<OpenedEvent, UnsealError> {
        let position = frame.position.get();
        let stored = self.unseal(key, header, frame)?;
        let stored = sokhoe_codec::decode(&stored)
            .map_err(|source| UnsealError::Decode { position, source })?;
        Ok(OpenedEvent::new(stored, header, (position, frame.hash())))
    }

    /// Opens a payload and returns the stored event's bytes.
    pub(crate) fn unseal(
        &self,
        key: &StreamKey,
        header: &EventHeader,
        frame: &FrameRef<'_>,
    ) -> Result<Vec<u8>, UnsealError> {
        let position = frame.position.get();
        let packed = self.vault.unseal(key, header, frame.payload);
        let packed = packed.map_err(|source| {
            if let Some(part) = suspect(source) {
                self.reader.distrust(frame.address, frame.position, part);
            }
            UnsealError::Seal { position, source }
        })?;
        match sokhoe_codec::unpack(header.compression, &packed) {
            Ok(Cow::Borrowed(_)) => Ok(packed),
            Ok(Cow::Owned(unpacked)) => Ok(unpacked),
            Err(source) => Err(UnsealError::Decode { position, source }),
        }
    }
}

/// What is wrong with a stored event that does not open, where it is the event.
fn suspect(error: OpenError) -> Option<&'static str> {
    match error {
        OpenError::WrongDigest => Some("digest of an event's payload"),
        OpenError::WrongKey => Some("commitment to an event's key"),
        OpenError::BrokenSeal => Some("seal of an event's payload"),
        OpenError::NotSealed | OpenError::WrongStream { .. } | OpenError::BadPadding => None,
    }
}

impl Digests for Opener {
    fn event(&self, id: &EventId) -> EventKey {
        self.vault.secrets().event_mac(id.as_bytes())
    }

    fn identifier(&self, identifier: &Identifier) -> IdentifierDigest {
        let secrets = self.vault.secrets();
        IdentifierDigest(secrets.identifier_digest(identifier.system.as_str(), &identifier.value))
    }
}
