//! Events to bytes and back: what is sealed inside a frame.
//!
//! Owns the stored form of an event in the bincode wire format and the table of kinds and schema
//! versions. Refuses hashing, I/O and meaning. Invariant: bytes once written decode for ever; what
//! does not decode to the last byte is an error, never a panic and never a guess.
//!
//! What keeps it so: `tests/samples` has one event of each kind to read, `tests/golden` its stored bytes in
//! every version ever written. Golden bytes are added by the example `golden`, never edited; a row or a
//! version of [`LATEST`] without them fails the tests.
#![deny(clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod envelope;
mod pack;
mod schema;
mod wire;

pub use envelope::{Glimpse, STORED_FORMAT, Stored, decode, encode, glimpse};
pub use pack::{STORED_BYTES_MAX, pack, unpack};
pub use schema::{LATEST, SchemaVersion, schema_of};

/// Why bytes are not a stored event, or an event cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The stored form itself is newer than this program.
    #[error("stored event has format {found}, this program reads up to {STORED_FORMAT}")]
    UnknownFormat {
        /// The format number found.
        found: u8,
    },
    /// The kind, or this version of it, is not known here.
    #[error("stored event has kind number {kind} in schema version {version}, unknown here")]
    UnknownSchema {
        /// The kind's number on disk.
        kind: u16,
        /// The schema version on disk.
        version: u16,
    },
    /// Cut short, trailing bytes, or values that cannot be.
    #[error("decode a stored event")]
    Malformed(#[source] wincode::ReadError),
    /// What was packed does not come back.
    #[error("unpack a stored event")]
    Unpacked(#[source] std::io::Error),
    /// The bytes end inside the fixed prefix.
    #[error("decode a stored event: {bytes} bytes are too few")]
    TooShort {
        /// How many there were.
        bytes: usize,
    },
    /// Events of this kind are not stored as sealed payloads.
    #[error("encode an event: {kind} is not stored this way")]
    NotStored {
        /// The kind.
        kind: sokhoe_record::Kind,
    },
    /// The event does not fit the wire format's limits.
    #[error("encode an event")]
    Unencodable(#[source] wincode::WriteError),
}
