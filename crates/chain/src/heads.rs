//! Commitments to all stream heads: so that evidence can prove a stream has no hidden tail.
//!
//! The heads are the leaves of an RFC 6962 tree of their own, sorted by stream id, each entry
//! `"sokhoe:head:v1\n" ‖ 0x00 ‖ stream id (16) ‖ version (u64 LE) ‖ head hash (32)` = 72 bytes.
//! The prefix keeps these entries apart from those of every other tree.
//!
//! Proves: at the position that the keeper event names, the stream ended with that event. Does
//! not prove anything about later events; two neighbours in the order prove a stream's absence.

use thiserror::Error;

use crate::identity::{EventHash, NodeHash, StreamId};
use crate::proof::{Inclusion, ProofError, verify_inclusion};
use crate::tree::{Frontier, leaf_hash};

const ENTRY_PREFIX: &[u8; 16] = b"sokhoe:head:v1\n\0";

/// The last event of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamHead {
    /// The stream.
    pub stream: StreamId,
    /// Version of its last event.
    pub version: u64,
    /// Hash of its last event.
    pub hash: EventHash,
}

impl StreamHead {
    /// Returns the head's leaf in the heads tree.
    #[must_use]
    pub fn leaf(&self) -> NodeHash {
        let mut entry = [0; 72];
        crate::fixed::set_field::<0, 16, _>(&mut entry, *ENTRY_PREFIX);
        crate::fixed::set_field::<16, 16, _>(&mut entry, self.stream.0);
        crate::fixed::set_field::<32, 8, _>(&mut entry, self.version.to_le_bytes());
        crate::fixed::set_field::<40, 32, _>(&mut entry, self.hash.0);
        leaf_hash(&entry)
    }
}

/// The count and root that a keeper event commits to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadsCommitment {
    /// How many streams.
    pub streams: u64,
    /// Root of the heads tree.
    pub root: NodeHash,
}

/// That a stream ended with one event, as of the position that the commitment names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadProof {
    /// The head.
    pub head: StreamHead,
    /// Its 0-based place among all heads in the order of stream ids.
    pub index: u64,
    /// The inclusion proof in the heads tree, from the leaf up.
    pub hashes: Vec<NodeHash>,
}

impl HeadProof {
    /// Verifies that the head is one of those committed to.
    ///
    /// # Errors
    /// Says why the proof does not hold.
    pub fn verify(&self, heads: &HeadsCommitment) -> Result<(), ProofError> {
        let claim = Inclusion {
            index: self.index,
            size: heads.streams,
            leaf: self.head.leaf(),
            root: heads.root,
        };
        verify_inclusion(&claim, &self.hashes)
    }
}

/// Why heads cannot be committed to.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum HeadsError {
    /// Not in strictly ascending order of stream ids.
    #[error("stream head of {stream} does not come after the one before it")]
    NotAscending {
        /// The stream out of order.
        stream: StreamId,
    },
}

/// Builds a commitment from heads that come in order.
#[derive(Debug, Clone, Default)]
pub struct HeadsTree {
    last: Option<StreamId>,
    frontier: Frontier,
}

impl HeadsTree {
    /// Adds the next head in ascending order of stream ids.
    ///
    /// # Errors
    /// When the order is broken or a stream comes twice.
    pub fn push(&mut self, head: &StreamHead) -> Result<(), HeadsError> {
        self.push_with(head, |_, _, _| {})
    }

    /// Adds the next head and tells of every completed node: level, index, hash.
    ///
    /// # Errors
    /// When the order is broken or a stream comes twice.
    pub fn push_with(
        &mut self,
        head: &StreamHead,
        completed: impl FnMut(u32, u64, &NodeHash),
    ) -> Result<(), HeadsError> {
        if self.last.is_some_and(|last| last >= head.stream) {
            return Err(HeadsError::NotAscending {
                stream: head.stream,
            });
        }
        self.last = Some(head.stream);
        self.frontier.push_with(head.leaf(), completed);
        Ok(())
    }

    /// Returns the commitment to all heads so far.
    #[must_use]
    pub fn finish(&self) -> HeadsCommitment {
        HeadsCommitment {
            streams: self.frontier.size(),
            root: self.frontier.root(),
        }
    }
}

/// Sorts heads and commits to them.
///
/// # Errors
/// When a stream comes twice.
pub fn heads_root(heads: &mut [StreamHead]) -> Result<HeadsCommitment, HeadsError> {
    heads.sort_unstable();
    let mut tree = HeadsTree::default();
    heads.iter().try_for_each(|head| tree.push(head))?;
    Ok(tree.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(id: u8, version: u64) -> StreamHead {
        StreamHead {
            stream: StreamId([id; 16]),
            version,
            hash: EventHash([id ^ 0xFF; 32]),
        }
    }

    #[test]
    fn order_of_collection_does_not_matter() {
        let mut one = [head(3, 1), head(1, 9), head(2, 4)];
        let mut two = [head(1, 9), head(2, 4), head(3, 1)];
        assert_eq!(heads_root(&mut one), heads_root(&mut two));
        assert_eq!(heads_root(&mut one).unwrap().streams, 3);
    }

    #[test]
    fn every_part_of_a_head_changes_the_root() {
        let root = |changed: StreamHead| heads_root(&mut [head(1, 1), changed]).unwrap().root;
        let base = head(5, 7);
        let others = [
            StreamHead {
                stream: StreamId([6; 16]),
                ..base
            },
            StreamHead { version: 8, ..base },
            StreamHead {
                hash: EventHash::ZERO,
                ..base
            },
        ];
        others
            .into_iter()
            .for_each(|other| assert_ne!(root(other), root(base)));
    }

    #[test]
    fn a_stream_that_comes_twice_is_refused() {
        let twice = heads_root(&mut [head(1, 1), head(1, 2)]);
        assert_eq!(
            twice,
            Err(HeadsError::NotAscending {
                stream: StreamId([1; 16])
            })
        );
    }

    #[test]
    fn entry_is_golden() {
        let mut entry = b"sokhoe:head:v1\n\0".to_vec();
        entry.extend([5; 16]);
        entry.extend(7_u64.to_le_bytes());
        entry.extend([0xFA; 32]);
        assert_eq!(head(5, 7).leaf(), leaf_hash(&entry));
    }
}
