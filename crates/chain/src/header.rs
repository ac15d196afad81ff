//! The hashed event header: 192 bytes, three BLAKE3 blocks, every field at a fixed place.
//!
//! Little-endian; words lie at multiples of their width.
//!
//! | offset | bytes | field | meaning |
//! |--:|--:|---|---|
//! | 0 | 1 | suite | 1 = BLAKE3-256 for event hash and payload digest |
//! | 1 | 1 | aead | 0 = clear keeper body, 1 = AES-256-GCM with derived key and commitment |
//! | 2 | 1 | compression | 0 = none, 1 = zstd with the first dictionary of `crates/codec` |
//! | 3 | 1 | flags | zero |
//! | 4 | 1 | retention class | meaning belongs to policy, not to the chain |
//! | 5 | 1 | kind of stream | 1 record, 2 access, 3 system, 4 keeper |
//! | 6 | 2 | reserved | zero |
//! | 8 | 4 | key epoch | of the stream's key |
//! | 12 | 4 | payload bytes | stored length, without alignment padding |
//! | 16 | 4 | attachment bytes | place for a source system's signature after the payload |
//! | 20 | 2 | batch index | 0-based place in the atomic batch |
//! | 22 | 2 | batch count | events in the batch, 0 when not in one |
//! | 24 | 8 | batch id | 0 when not in a batch |
//! | 32 | 16 | stream id | random |
//! | 48 | 8 | version | 1-based place in the stream; stamped by the writer |
//! | 56 | 8 | recorded at | group time, i64 µs since 1970 UTC; stamped by the writer |
//! | 64 | 16 | event key | keyed digest of the event id |
//! | 80 | 16 | salt | zero for a clear body |
//! | 96 | 32 | key commitment | zero for a clear body |
//! | 128 | 32 | payload digest | BLAKE3 of the stored payload |
//! | 160 | 32 | previous | event hash of the stream's previous event, zero for version 1; stamped |
//!
//! The position in the log is not here, so that a stream can move to another log engine.

use thiserror::Error;

use crate::fixed::{field, set_field};
use crate::identity::{EventHash, EventKey, KeyCommitment, PayloadDigest, Salt, StreamId};

/// Length of an encoded event header.
pub const EVENT_HEADER_BYTES: usize = 192;

/// An encoded event header.
pub type EventHeaderBytes = [u8; EVENT_HEADER_BYTES];

const SUITE: usize = 0;
const AEAD: usize = 1;
const COMPRESSION: usize = 2;
const FLAGS: usize = 3;
const RETENTION: usize = 4;
const STREAM_KIND: usize = 5;
const RESERVED: usize = 6;
const KEY_EPOCH: usize = 8;
const PAYLOAD_BYTES: usize = 12;
const ATTACHMENT_BYTES: usize = 16;
const BATCH_INDEX: usize = 20;
const BATCH_COUNT: usize = 22;
const BATCH_ID: usize = 24;
const STREAM_ID: usize = 32;
const VERSION: usize = 48;
const RECORDED_AT: usize = 56;
const EVENT_KEY: usize = 64;
const SALT: usize = 80;
const COMMITMENT: usize = 96;
const PAYLOAD_DIGEST: usize = 128;
const PREVIOUS: usize = 160;

/// The hash algorithms of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Suite {
    /// BLAKE3-256 for event hash and payload digest.
    Blake3 = 1,
}

/// How the payload is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Aead {
    /// Not at all: a keeper body.
    Clear = 0,
    /// AES-256-GCM under a key derived per event, with a commitment to that key.
    Aes256Gcm = 1,
}

/// How the payload was compressed before it was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Compression {
    /// Not at all.
    None = 0,
    /// A zstd frame without its magic number, under the first dictionary of `crates/codec`.
    ZstdDictionary1 = 1,
}

/// What kind of stream an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StreamKind {
    /// Facts and consents of a person.
    Record = 1,
    /// Who looked at a person's record.
    Access = 2,
    /// Facilities, professionals, catalogue, policy, queries.
    System = 3,
    /// The log's own events, with clear fixed bodies.
    Keeper = 4,
}

/// How long an event must be kept; its meaning belongs to policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RetentionClass(pub u8);

/// An event's place in an atomic batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Batch {
    /// Not zero, unique in the log.
    pub id: u64,
    /// 0-based, below `count`.
    pub index: u16,
    /// Events in the batch.
    pub count: u16,
}

/// The clear part of an event, covered by its hash.
///
/// ```
/// use sokhoe_chain::{Aead, EventHeader, Stamp, StreamId, StreamKind, event_hash, stamp, EventHash};
///
/// let header = EventHeader::new(StreamKind::Record, StreamId([7; 16]), Aead::Aes256Gcm);
/// let mut bytes = header.encode();
/// stamp(&mut bytes, Stamp { version: 1, previous: EventHash::ZERO, recorded_at_us: 5 });
/// let decoded = EventHeader::decode(&bytes)?;
/// assert_eq!((decoded.version, decoded.recorded_at_us), (1, 5));
/// assert_eq!(event_hash(&bytes), event_hash(&decoded.encode()));
/// # Ok::<(), sokhoe_chain::HeaderError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventHeader {
    /// The hash algorithms.
    pub suite: Suite,
    /// How the payload is sealed.
    pub aead: Aead,
    /// How the payload was compressed.
    pub compression: Compression,
    /// How long the event must be kept.
    pub retention: RetentionClass,
    /// The kind of the stream.
    pub stream_kind: StreamKind,
    /// The epoch of the stream's key.
    pub key_epoch: u32,
    /// Stored bytes of the payload, without alignment padding.
    pub payload_bytes: u32,
    /// Bytes of a source system's signature after the payload; none so far.
    pub attachment_bytes: u32,
    /// The atomic batch the event came in, if any.
    pub batch: Option<Batch>,
    /// The stream.
    pub stream: StreamId,
    /// 1-based place in the stream; 0 before it is stamped.
    pub version: u64,
    /// Group time in microseconds since the Unix epoch, UTC.
    pub recorded_at_us: i64,
    /// Keyed digest of the event id.
    pub event_key: EventKey,
    /// Salt of the event's own key.
    pub salt: Salt,
    /// Commitment to the event's own key.
    pub commitment: KeyCommitment,
    /// Digest of the stored payload.
    pub payload_digest: PayloadDigest,
    /// Hash of the stream's previous event; zero for the first.
    pub previous: EventHash,
}

/// What the writer alone knows and stamps into an encoded header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// 1-based place in the stream.
    pub version: u64,
    /// Hash of the stream's previous event; zero for the first.
    pub previous: EventHash,
    /// Group time in microseconds since the Unix epoch, UTC.
    pub recorded_at_us: i64,
}

/// Why bytes are not an event header of this version.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum HeaderError {
    /// The suite byte names no known hash.
    #[error("event header names unknown suite {0}")]
    UnknownSuite(u8),
    /// The aead byte names no known sealing.
    #[error("event header names unknown sealing {0}")]
    UnknownAead(u8),
    /// The compression byte names no known compression.
    #[error("event header names unknown compression {0}")]
    UnknownCompression(u8),
    /// The stream kind is unknown.
    #[error("event header names unknown kind of stream {0}")]
    UnknownStreamKind(u8),
    /// Flags or reserved bytes are not zero.
    #[error("event header has non-zero reserved bytes at offset {offset}")]
    ReservedNotZero {
        /// Where they begin.
        offset: usize,
    },
    /// Only keeper events are clear, and all of them are.
    #[error("event header of a {kind:?} stream cannot have sealing {aead:?}")]
    SealingDoesNotFit {
        /// The kind of stream.
        kind: StreamKind,
        /// The sealing that it names.
        aead: Aead,
    },
    /// Batch id, index and count contradict each other.
    #[error("event header has batch index {index} of {count} in batch {id}")]
    BatchInconsistent {
        /// The batch id.
        id: u64,
        /// The index in it.
        index: u16,
        /// The count of it.
        count: u16,
    },
}

impl EventHeader {
    /// Makes a header with the given stream and everything else empty.
    #[must_use]
    pub const fn new(stream_kind: StreamKind, stream: StreamId, aead: Aead) -> Self {
        Self {
            suite: Suite::Blake3,
            aead,
            compression: Compression::None,
            retention: RetentionClass(0),
            stream_kind,
            key_epoch: 0,
            payload_bytes: 0,
            attachment_bytes: 0,
            batch: None,
            stream,
            version: 0,
            recorded_at_us: 0,
            event_key: EventKey::ZERO,
            salt: Salt::ZERO,
            commitment: KeyCommitment::ZERO,
            payload_digest: PayloadDigest::ZERO,
            previous: EventHash::ZERO,
        }
    }

    /// Encodes to the bytes that are stored and hashed.
    #[must_use]
    pub fn encode(&self) -> EventHeaderBytes {
        let mut bytes = [0; EVENT_HEADER_BYTES];
        set_field::<SUITE, 1, _>(&mut bytes, [self.suite as u8]);
        set_field::<AEAD, 1, _>(&mut bytes, [self.aead as u8]);
        set_field::<COMPRESSION, 1, _>(&mut bytes, [self.compression as u8]);
        set_field::<RETENTION, 1, _>(&mut bytes, [self.retention.0]);
        set_field::<STREAM_KIND, 1, _>(&mut bytes, [self.stream_kind as u8]);
        set_field::<KEY_EPOCH, 4, _>(&mut bytes, self.key_epoch.to_le_bytes());
        set_field::<PAYLOAD_BYTES, 4, _>(&mut bytes, self.payload_bytes.to_le_bytes());
        set_field::<ATTACHMENT_BYTES, 4, _>(&mut bytes, self.attachment_bytes.to_le_bytes());
        if let Some(batch) = self.batch {
            set_field::<BATCH_INDEX, 2, _>(&mut bytes, batch.index.to_le_bytes());
            set_field::<BATCH_COUNT, 2, _>(&mut bytes, batch.count.to_le_bytes());
            set_field::<BATCH_ID, 8, _>(&mut bytes, batch.id.to_le_bytes());
        }
        set_field::<STREAM_ID, 16, _>(&mut bytes, self.stream.0);
        set_field::<EVENT_KEY, 16, _>(&mut bytes, self.event_key.0);
        set_field::<SALT, 16, _>(&mut bytes, self.salt.0);
        set_field::<COMMITMENT, 32, _>(&mut bytes, self.commitment.0);
        set_field::<PAYLOAD_DIGEST, 32, _>(&mut bytes, self.payload_digest.0);
        stamp(
            &mut bytes,
            Stamp {
                version: self.version,
                previous: self.previous,
                recorded_at_us: self.recorded_at_us,
            },
        );
        bytes
    }

    /// Decodes stored bytes.
    ///
    /// # Errors
    /// Unknown algorithms or kinds, non-zero reserved bytes, and contradictions.
    pub fn decode(bytes: &EventHeaderBytes) -> Result<Self, HeaderError> {
        let header = Self {
            suite: suite(bytes)?,
            aead: aead(bytes)?,
            compression: compression(bytes)?,
            retention: RetentionClass(byte::<RETENTION>(bytes)),
            stream_kind: stream_kind(bytes)?,
            key_epoch: u32::from_le_bytes(field::<KEY_EPOCH, 4, _>(bytes)),
            payload_bytes: u32::from_le_bytes(field::<PAYLOAD_BYTES, 4, _>(bytes)),
            attachment_bytes: u32::from_le_bytes(field::<ATTACHMENT_BYTES, 4, _>(bytes)),
            batch: batch(bytes)?,
            stream: stream_of(bytes),
            version: u64::from_le_bytes(field::<VERSION, 8, _>(bytes)),
            recorded_at_us: i64::from_le_bytes(field::<RECORDED_AT, 8, _>(bytes)),
            event_key: event_key_of(bytes),
            salt: Salt(field::<SALT, 16, _>(bytes)),
            commitment: KeyCommitment(field::<COMMITMENT, 32, _>(bytes)),
            payload_digest: PayloadDigest(field::<PAYLOAD_DIGEST, 32, _>(bytes)),
            previous: EventHash(field::<PREVIOUS, 32, _>(bytes)),
        };
        if byte::<FLAGS>(bytes) != 0 {
            return Err(HeaderError::ReservedNotZero { offset: FLAGS });
        }
        if field::<RESERVED, 2, _>(bytes) != [0; 2] {
            return Err(HeaderError::ReservedNotZero { offset: RESERVED });
        }
        let clear = header.aead == Aead::Clear;
        if clear != (header.stream_kind == StreamKind::Keeper) {
            return Err(HeaderError::SealingDoesNotFit {
                kind: header.stream_kind,
                aead: header.aead,
            });
        }
        if clear && (header.salt != Salt::ZERO || header.commitment != KeyCommitment::ZERO) {
            return Err(HeaderError::ReservedNotZero { offset: SALT });
        }
        Ok(header)
    }
}

/// Writes what only the writer knows into a header that was encoded before.
pub fn stamp(bytes: &mut EventHeaderBytes, stamp: Stamp) {
    set_field::<VERSION, 8, _>(bytes, stamp.version.to_le_bytes());
    set_field::<RECORDED_AT, 8, _>(bytes, stamp.recorded_at_us.to_le_bytes());
    set_field::<PREVIOUS, 32, _>(bytes, stamp.previous.0);
}

/// Reads the stream id of an encoded header without decoding the rest.
#[must_use]
pub fn stream_of(bytes: &EventHeaderBytes) -> StreamId {
    StreamId(field::<STREAM_ID, 16, _>(bytes))
}

/// Reads the event key of an encoded header without decoding the rest.
#[must_use]
pub fn event_key_of(bytes: &EventHeaderBytes) -> EventKey {
    EventKey(field::<EVENT_KEY, 16, _>(bytes))
}

/// Reads the writer's stamp of an encoded header without decoding the rest.
#[must_use]
pub fn stamp_of(bytes: &EventHeaderBytes) -> Stamp {
    Stamp {
        version: u64::from_le_bytes(field::<VERSION, 8, _>(bytes)),
        previous: EventHash(field::<PREVIOUS, 32, _>(bytes)),
        recorded_at_us: i64::from_le_bytes(field::<RECORDED_AT, 8, _>(bytes)),
    }
}

/// Reads the stored payload length of an encoded header without decoding the rest.
#[must_use]
pub fn payload_bytes_of(bytes: &EventHeaderBytes) -> u32 {
    u32::from_le_bytes(field::<PAYLOAD_BYTES, 4, _>(bytes))
}

/// Reads the payload's digest of an encoded header without decoding the rest.
#[must_use]
pub fn payload_digest_of(bytes: &EventHeaderBytes) -> PayloadDigest {
    PayloadDigest(field::<PAYLOAD_DIGEST, 32, _>(bytes))
}

fn byte<const AT: usize>(bytes: &EventHeaderBytes) -> u8 {
    let [value] = field::<AT, 1, _>(bytes);
    value
}

fn suite(bytes: &EventHeaderBytes) -> Result<Suite, HeaderError> {
    match byte::<SUITE>(bytes) {
        1 => Ok(Suite::Blake3),
        unknown => Err(HeaderError::UnknownSuite(unknown)),
    }
}

fn aead(bytes: &EventHeaderBytes) -> Result<Aead, HeaderError> {
    match byte::<AEAD>(bytes) {
        0 => Ok(Aead::Clear),
        1 => Ok(Aead::Aes256Gcm),
        unknown => Err(HeaderError::UnknownAead(unknown)),
    }
}

fn compression(bytes: &EventHeaderBytes) -> Result<Compression, HeaderError> {
    match byte::<COMPRESSION>(bytes) {
        0 => Ok(Compression::None),
        1 => Ok(Compression::ZstdDictionary1),
        unknown => Err(HeaderError::UnknownCompression(unknown)),
    }
}

fn stream_kind(bytes: &EventHeaderBytes) -> Result<StreamKind, HeaderError> {
    match byte::<STREAM_KIND>(bytes) {
        1 => Ok(StreamKind::Record),
        2 => Ok(StreamKind::Access),
        3 => Ok(StreamKind::System),
        4 => Ok(StreamKind::Keeper),
        unknown => Err(HeaderError::UnknownStreamKind(unknown)),
    }
}

fn batch(bytes: &EventHeaderBytes) -> Result<Option<Batch>, HeaderError> {
    let id = u64::from_le_bytes(field::<BATCH_ID, 8, _>(bytes));
    let index = u16::from_le_bytes(field::<BATCH_INDEX, 2, _>(bytes));
    let count = u16::from_le_bytes(field::<BATCH_COUNT, 2, _>(bytes));
    match (id, index, count) {
        (0, 0, 0) => Ok(None),
        _ if id != 0 && index < count => Ok(Some(Batch { id, index, count })),
        _ => Err(HeaderError::BatchInconsistent { id, index, count }),
    }
}

#[cfg(test)]
mod tests;
