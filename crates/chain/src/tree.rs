//! The RFC 6962 tree (SHA-256), kept incrementally.
//!
//! Leaf = SHA-256(0x00 ‖ entry), node = SHA-256(0x01 ‖ left ‖ right), empty root = SHA-256("").
//! In the log's tree the entry is the 32-byte event hash and leaf index = position − 1.
//! A [`Frontier`] holds only the roots of the complete subtrees (at most 64 hashes).

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::identity::{EventHash, NodeHash};

/// Hashes an entry to its leaf.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> NodeHash {
    NodeHash(
        Sha256::new()
            .chain_update([0])
            .chain_update(entry)
            .finalize()
            .into(),
    )
}

/// Hashes an event's hash to its leaf of the log's tree.
#[must_use]
pub fn event_leaf(event: &EventHash) -> NodeHash {
    let mut input = [0; 33];
    let (_, entry) = input.split_at_mut(1);
    entry.copy_from_slice(&event.0);
    NodeHash(Sha256::digest(input).into())
}

/// Hashes two children to their node.
#[must_use]
pub fn node_hash(left: &NodeHash, right: &NodeHash) -> NodeHash {
    let mut input = [1; 65];
    let (_, children) = input.split_at_mut(1);
    let (left_half, right_half) = children.split_at_mut(32);
    left_half.copy_from_slice(&left.0);
    right_half.copy_from_slice(&right.0);
    NodeHash(Sha256::digest(input).into())
}

/// Returns the root of the tree without leaves.
#[must_use]
pub fn empty_root() -> NodeHash {
    NodeHash(Sha256::digest([]).into())
}

/// The roots of a tree's complete subtrees, largest first: enough to append and to state the root.
///
/// ```
/// use sokhoe_chain::{Frontier, EventHash};
///
/// let mut frontier = Frontier::default();
/// frontier.push_event(&EventHash([1; 32]));
/// frontier.push_event(&EventHash([2; 32]));
/// let stored = frontier.to_bytes();
/// assert_eq!(Frontier::from_bytes(&stored)?.root(), frontier.root());
/// # Ok::<(), sokhoe_chain::FrontierError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<NodeHash>,
}

/// Why bytes are not a stored frontier.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum FrontierError {
    /// There are fewer than the eight bytes of the size.
    #[error("stored tree frontier has {bytes} bytes, fewer than its size field")]
    TooShort {
        /// Bytes given.
        bytes: usize,
    },
    /// The number of hashes does not fit the size.
    #[error("stored tree frontier of size {size} has {bytes} bytes of hashes")]
    WrongLength {
        /// Leaves stated.
        size: u64,
        /// Bytes of hashes given.
        bytes: usize,
    },
}

impl Frontier {
    /// Returns how many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Returns the roots of the complete subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[NodeHash] {
        &self.peaks
    }

    /// Appends an event of the log; two hashes on average.
    pub fn push_event(&mut self, event: &EventHash) {
        self.push(event_leaf(event));
    }

    /// Appends a leaf hash; one node hash on average.
    pub fn push(&mut self, leaf: NodeHash) {
        self.push_with(leaf, |_, _, _| {});
    }

    /// Appends a leaf hash and tells of every completed node, leaf first: level, index, hash.
    ///
    /// Level 0 are leaves; node (l, i) covers leaves `i·2^l .. (i+1)·2^l`.
    pub fn push_with(&mut self, leaf: NodeHash, mut completed: impl FnMut(u32, u64, &NodeHash)) {
        completed(0, self.size, &leaf);
        let mut hash = leaf;
        for level in 0..self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            completed(level + 1, self.size >> (level + 1), &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Returns the root of the tree; at most 63 hashes.
    #[must_use]
    pub fn root(&self) -> NodeHash {
        let mut from_right = self.peaks.iter().rev();
        let Some(last) = from_right.next() else {
            return empty_root();
        };
        from_right.fold(*last, |right, left| node_hash(left, &right))
    }

    /// Stores as size (u64, little-endian) and the peaks, largest first, 32 bytes each.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + 32 * self.peaks.len());
        bytes.extend_from_slice(&self.size.to_le_bytes());
        self.peaks
            .iter()
            .for_each(|peak| bytes.extend_from_slice(&peak.0));
        bytes
    }

    /// Reads what [`Frontier::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the length does not fit the size. The hashes themselves cannot be checked here.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let (size, hashes) = bytes
            .split_first_chunk::<8>()
            .ok_or(FrontierError::TooShort { bytes: bytes.len() })?;
        let size = u64::from_le_bytes(*size);
        let (peaks, rest) = hashes.as_chunks::<32>();
        if peaks.len() != size.count_ones() as usize || !rest.is_empty() {
            return Err(FrontierError::WrongLength {
                size,
                bytes: hashes.len(),
            });
        }
        Ok(Self {
            size,
            peaks: peaks.iter().map(|peak| NodeHash(*peak)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reference_root(leaves: &[NodeHash]) -> NodeHash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                let (left, right) = leaves.split_at(split);
                node_hash(&reference_root(left), &reference_root(right))
            }
        }
    }

    #[test]
    fn empty_and_single_roots_are_those_of_the_standard() {
        assert_eq!(
            Frontier::default().root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            leaf_hash(b"").to_string(),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        assert_eq!(event_leaf(&EventHash([7; 32])), leaf_hash(&[7; 32]));
    }

    #[test]
    fn stored_frontier_of_wrong_length_is_refused() {
        let mut frontier = Frontier::default();
        (0..5_u8).for_each(|entry| frontier.push(leaf_hash(&[entry])));
        let bytes = frontier.to_bytes();
        for end in 0..bytes.len() {
            assert!(Frontier::from_bytes(&bytes[..end]).is_err());
        }
        assert_eq!(Frontier::from_bytes(&bytes), Ok(frontier));
    }

    proptest! {
        #[test]
        fn incremental_root_equals_the_definition(count in 0_u16..300) {
            let leaves: Vec<_> = (0..count).map(|entry| leaf_hash(&entry.to_le_bytes())).collect();
            let mut frontier = Frontier::default();
            let mut nodes = 0_u64;
            for leaf in &leaves {
                frontier.push_with(*leaf, |level, index, hash| {
                    let first = usize::try_from(index << level).unwrap();
                    assert_eq!(*hash, reference_root(&leaves[first..first + (1 << level)]));
                    nodes += 1;
                });
            }
            prop_assert_eq!(frontier.size(), u64::from(count));
            prop_assert_eq!(frontier.root(), reference_root(&leaves));
            prop_assert_eq!(nodes, 2 * u64::from(count) - u64::from(count.count_ones()));
        }
    }
}
