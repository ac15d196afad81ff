//! The BLAKE3 digests of the log: of event headers, payloads and commit groups.
//!
//! Always over stored bytes, never over a re-encoding, so that proofs outlive codecs and keys.

use crate::header::EventHeaderBytes;
use crate::identity::{EventHash, GroupDigest, PayloadDigest};

/// Hashes an encoded event header: three BLAKE3 blocks.
#[must_use]
pub fn event_hash(header: &EventHeaderBytes) -> EventHash {
    EventHash(*blake3::hash(header).as_bytes())
}

/// Digests the stored bytes of a payload.
#[must_use]
pub fn payload_digest(stored: &[u8]) -> PayloadDigest {
    PayloadDigest(*blake3::hash(stored).as_bytes())
}

/// Digests a commit group that lies in one piece: its header followed by its frames.
#[must_use]
pub fn group_digest(header_and_frames: &[u8]) -> GroupDigest {
    GroupDigest(*blake3::hash(header_and_frames).as_bytes())
}

/// Digests a commit group that comes in pieces.
///
/// ```
/// use sokhoe_chain::{GroupHasher, group_digest};
///
/// let mut hasher = GroupHasher::default();
/// hasher.update(b"header");
/// hasher.update(b"frames");
/// assert_eq!(hasher.finish(), group_digest(b"headerframes"));
/// ```
#[derive(Debug, Default, Clone)]
pub struct GroupHasher(blake3::Hasher);

impl GroupHasher {
    /// Adds the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Returns the digest of all pieces so far.
    #[must_use]
    pub fn finish(&self) -> GroupDigest {
        GroupDigest(*self.0.finalize().as_bytes())
    }
}
