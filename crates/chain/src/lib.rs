//! Hashes, links, the Merkle tree, checkpoints and their verification: pure functions over bytes.
//!
//! Owns what makes the log tamper-evident. Refuses I/O, clocks, and knowing what an event means.
//!
//! What is proved, and by what:
//!
//! * [`event_hash`] covers every byte of an [`EventHeader`], and through its payload digest every
//!   stored byte of the payload: neither can change without changing the hash.
//! * `previous` links an event to the one before it in its stream: order and completeness of a
//!   stream *up to a known head*. That the head is the latest is proved only by a [`heads`]
//!   commitment, and only as of the position that the commitment names.
//! * An inclusion [`proof`] shows that an event hash stands at one index of the tree with a given
//!   root; a consistency proof shows that a later tree only appended to an earlier one.
//! * A signed [`checkpoint`] shows that the holder of the key stated an origin, size and root. It
//!   does not show that the key's holder tells everyone the same: that takes witnesses, or two
//!   kept checkpoints and a consistency proof.
//!
//! What is not proved: that a payload is true, that its sender is honest, that the group time is
//! the real time, that an event was not withheld before it was committed, and (without the stream
//! key) what a payload says.
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

pub mod checkpoint;
pub mod digest;
mod fixed;
pub mod header;
pub mod heads;
pub mod identity;
pub mod keeper;
pub mod note;
pub mod proof;
pub mod signature;
pub mod tile;
pub mod tree;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use digest::{GroupHasher, event_hash, group_digest, payload_digest};
pub use header::{
    Aead, Batch, Compression, EVENT_HEADER_BYTES, EventHeader, EventHeaderBytes, HeaderError,
    RetentionClass, Stamp, StreamKind, Suite, stamp,
};
pub use heads::{HeadProof, HeadsCommitment, HeadsError, HeadsTree, StreamHead};
pub use identity::{
    EventHash, EventKey, GroupDigest, KeyCommitment, LogId, NodeHash, PayloadDigest, Salt, StreamId,
};
pub use keeper::{KeeperBody, KeeperError};
pub use note::{NoteError, NoteSignature, SignedNote, VerifierKey, VerifierKeyError};
pub use proof::ProofError;
pub use signature::{SignatureError, Signer};
pub use tree::{Frontier, FrontierError};
