//! Checking a log from its first byte, without its writer, its lock, its caches or any key.

use std::path::Path;
use std::sync::Arc;

use sokhoe_chain::{NodeHash, VerifierKey};

use crate::disk::Disk;
use crate::error::{Damage, OpenError};
use crate::format::meta::Meta;
use crate::progress::Progress;
use crate::recovery::{self, TornTail};

/// How a log is verified.
#[derive(Clone, Debug)]
pub struct Verify {
    /// Tree size and root of a checkpoint that somebody kept; the log must still have that root at that size.
    pub kept: Option<(u64, NodeHash)>,
    /// The key that the stored checkpoint must be signed with. One that is not says nothing about the log: it is named, and
    /// the log is checked without it. Without a key the checkpoint is taken at its word.
    pub key: Option<VerifierKey>,
    /// Of a hundred payloads, how many are compared with their digests; everything else is always checked.
    pub payload_percent: u32,
    /// Which payloads: the same for the same number.
    pub seed: u64,
    /// Who is told how far it is.
    pub progress: Progress,
}

impl Default for Verify {
    fn default() -> Self {
        Self {
            kept: None,
            key: None,
            payload_percent: 100,
            seed: 0,
            progress: Progress::default(),
        }
    }
}

/// A log as far as it is right.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Which log it is.
    pub meta: Meta,
    /// Segment files.
    pub segments: u64,
    /// Commit groups that are right.
    pub groups: u64,
    /// Events that are right, keeper events among them.
    pub events: u64,
    /// Payloads compared with their digests.
    pub payloads: u64,
    /// Streams whose chains are right.
    pub streams: u64,
    /// Root of the tree over these events.
    pub root: NodeHash,
    /// Bytes behind the last group that were never acknowledged.
    pub torn: Option<TornTail>,
    /// The stored signed checkpoint as it is, to be checked against a key; `None` where there is none.
    pub checkpoint: Option<Vec<u8>>,
    /// The first place that is not right.
    pub damage: Option<Damage>,
}

impl Verified {
    /// Says whether the first bad place points at somebody rather than at a disk; `None` where nothing is bad.
    ///
    /// A log that ends before the checkpoint beside it has lost its end: that is damage. One that ends before a
    /// checkpoint that somebody kept elsewhere was taken back.
    #[must_use]
    pub fn tampered(&self) -> Option<bool> {
        let damage = self.damage.as_ref()?;
        Some(damage.kind.tampering() && damage.part != recovery::OWN_SIZE)
    }
}

/// Reads all of a log: checksums, digests, links of groups and of streams, payload digests, the tree, and the roots
/// that the stored checkpoint and a kept one state. The log may be written meanwhile.
///
/// # Errors
/// When there is no log, the disk refuses, or a file has an unknown version.
pub fn verify(disk: &Arc<dyn Disk>, folder: &Path, how: &Verify) -> Result<Verified, OpenError> {
    let meta = recovery::read_meta(disk.as_ref(), folder)?;
    recovery::verify(disk, folder, &meta, how)
}
