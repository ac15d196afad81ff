//! Inclusion and consistency proofs of RFC 6962, made and verified as RFC 9162 describes.
//!
//! Proofs are made from complete nodes only (level, index), which is what tiles hold: the caller
//! gives a function that reads one. Verification is strict: every hash of the proof is used.
//! A consistency proof from size 0 is refused here: every tree extends the empty one, so there
//! is nothing to prove; an endpoint that must accept it treats 0 as its own case.

use thiserror::Error;

use crate::identity::NodeHash;
use crate::tree::node_hash;

/// Why a proof does not hold.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum ProofError {
    /// The leaf is not inside the tree.
    #[error("leaf index {index} is outside a tree of size {size}")]
    IndexOutside {
        /// Index of the leaf.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
    /// The sizes cannot be of an earlier and a later tree.
    #[error("a tree of size {old} cannot be proved to lead to one of size {new}")]
    BadSizes {
        /// Size of the earlier tree.
        old: u64,
        /// Size of the later tree.
        new: u64,
    },
    /// The proof has too few or too many hashes.
    #[error("proof has {given} hashes, not the number that the sizes demand")]
    WrongLength {
        /// Hashes given.
        given: usize,
    },
    /// The computed root is another.
    #[error("proof leads to root {computed}, not {expected}")]
    RootMismatch {
        /// Root by the proof.
        computed: NodeHash,
        /// Root expected.
        expected: NodeHash,
    },
}

/// A leaf, the tree it is said to be in, and the tree's root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inclusion {
    /// 0-based index of the leaf: position − 1.
    pub index: u64,
    /// Leaves in the tree.
    pub size: u64,
    /// Hash of the leaf.
    pub leaf: NodeHash,
    /// Root of the tree.
    pub root: NodeHash,
}

/// An earlier and a later tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consistency {
    /// Leaves of the earlier tree.
    pub old_size: u64,
    /// Leaves of the later tree.
    pub new_size: u64,
    /// Root of the earlier tree.
    pub old_root: NodeHash,
    /// Root of the later tree.
    pub new_root: NodeHash,
}

/// Verifies that the leaf is in the tree.
///
/// # Errors
/// Says why the proof does not hold.
pub fn verify_inclusion(claim: &Inclusion, proof: &[NodeHash]) -> Result<(), ProofError> {
    if claim.index >= claim.size {
        return Err(ProofError::IndexOutside {
            index: claim.index,
            size: claim.size,
        });
    }
    let wrong_length = ProofError::WrongLength { given: proof.len() };
    let (mut index, mut last) = (claim.index, claim.size - 1);
    let mut hash = claim.leaf;
    for sibling in proof {
        if last == 0 {
            return Err(wrong_length);
        }
        if index & 1 == 1 || index == last {
            hash = node_hash(sibling, &hash);
            let up = climb(index);
            index = index.checked_shr(up).unwrap_or(0);
            last = last.checked_shr(up).unwrap_or(0);
        } else {
            hash = node_hash(&hash, sibling);
        }
        index >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(wrong_length);
    }
    expect_root(hash, claim.root)
}

/// Verifies that the later tree only appended to the earlier one.
///
/// # Errors
/// Says why the proof does not hold.
pub fn verify_consistency(claim: &Consistency, proof: &[NodeHash]) -> Result<(), ProofError> {
    let (old, new) = (claim.old_size, claim.new_size);
    if old == 0 || old > new {
        return Err(ProofError::BadSizes { old, new });
    }
    let wrong_length = ProofError::WrongLength { given: proof.len() };
    if old == new {
        return if proof.is_empty() {
            expect_root(claim.old_root, claim.new_root)
        } else {
            Err(wrong_length)
        };
    }
    let (start, rest) = if old.is_power_of_two() {
        (claim.old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(wrong_length)?;
        (*first, rest)
    };
    let complete = (old - 1).trailing_ones();
    let (mut index, mut last) = ((old - 1) >> complete, (new - 1) >> complete);
    let (mut old_hash, mut new_hash) = (start, start);
    for sibling in rest {
        if last == 0 {
            return Err(wrong_length);
        }
        if index & 1 == 1 || index == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            let up = climb(index);
            index = index.checked_shr(up).unwrap_or(0);
            last = last.checked_shr(up).unwrap_or(0);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        index >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(wrong_length);
    }
    expect_root(old_hash, claim.old_root)?;
    expect_root(new_hash, claim.new_root)
}

/// Makes the inclusion proof of leaf `index` in the tree of `size`.
///
/// `read(level, index)` gives the hash of a complete node; see [`crate::tile`].
///
/// # Errors
/// When the leaf is outside the tree, or `read` fails.
pub fn prove_inclusion<E: From<ProofError>>(
    index: u64,
    size: u64,
    mut read: impl FnMut(u32, u64) -> Result<NodeHash, E>,
) -> Result<Vec<NodeHash>, E> {
    if index >= size {
        return Err(ProofError::IndexOutside { index, size }.into());
    }
    let mut proof = Vec::new();
    path(
        Range {
            first: 0,
            end: size,
        },
        index,
        &mut proof,
        &mut read,
    )?;
    Ok(proof)
}

/// Makes the consistency proof from the tree of `old_size` to that of `new_size`.
///
/// # Errors
/// When the sizes do not fit, or `read` fails.
pub fn prove_consistency<E: From<ProofError>>(
    old_size: u64,
    new_size: u64,
    mut read: impl FnMut(u32, u64) -> Result<NodeHash, E>,
) -> Result<Vec<NodeHash>, E> {
    if old_size == 0 || old_size > new_size {
        return Err(ProofError::BadSizes {
            old: old_size,
            new: new_size,
        }
        .into());
    }
    let mut proof = Vec::new();
    let mut range = Range {
        first: 0,
        end: new_size,
    };
    let mut siblings = Vec::new();
    // Goes down to the subtree that ends where the old tree ended, noting siblings on the way.
    while range.end != old_size {
        let (left, right) = range.split();
        if old_size <= left.end {
            siblings.push(right);
            range = left;
        } else {
            siblings.push(left);
            range = right;
        }
    }
    if range.first != 0 {
        proof.push(range_hash(range, &mut read)?);
    }
    for sibling in siblings.into_iter().rev() {
        proof.push(range_hash(sibling, &mut read)?);
    }
    Ok(proof)
}

/// Leaves `first .. end`, a subtree of the definition: `first` is aligned to its size.
#[derive(Debug, Clone, Copy)]
struct Range {
    first: u64,
    end: u64,
}

impl Range {
    const fn len(self) -> u64 {
        self.end - self.first
    }

    /// Splits at the largest power of two below the length; the length is at least 2.
    fn split(self) -> (Self, Self) {
        let middle = self.first + (1 << (self.len() - 1).ilog2());
        (
            Self {
                first: self.first,
                end: middle,
            },
            Self {
                first: middle,
                end: self.end,
            },
        )
    }
}

fn path<E>(
    range: Range,
    index: u64,
    proof: &mut Vec<NodeHash>,
    read: &mut impl FnMut(u32, u64) -> Result<NodeHash, E>,
) -> Result<(), E> {
    let mut range = range;
    let mut siblings = Vec::new();
    while range.len() > 1 {
        let (left, right) = range.split();
        let (next, sibling) = if index < left.end {
            (left, right)
        } else {
            (right, left)
        };
        siblings.push(sibling);
        range = next;
    }
    for sibling in siblings.into_iter().rev() {
        proof.push(range_hash(sibling, read)?);
    }
    Ok(())
}

/// Hashes a subtree from its complete nodes.
fn range_hash<E>(
    range: Range,
    read: &mut impl FnMut(u32, u64) -> Result<NodeHash, E>,
) -> Result<NodeHash, E> {
    let mut complete = Vec::new();
    let mut rest = range;
    while !rest.len().is_power_of_two() {
        let (left, right) = rest.split();
        complete.push(read_node(left, read)?);
        rest = right;
    }
    let last = read_node(rest, read)?;
    Ok(complete
        .iter()
        .rev()
        .fold(last, |right, left| node_hash(left, &right)))
}

fn read_node<E>(
    range: Range,
    read: &mut impl FnMut(u32, u64) -> Result<NodeHash, E>,
) -> Result<NodeHash, E> {
    let level = range.len().ilog2();
    read(level, range.first >> level)
}

/// How many levels a right-hand or last node climbs without a sibling on its right.
const fn climb(index: u64) -> u32 {
    if index & 1 == 1 {
        0
    } else {
        index.trailing_zeros()
    }
}

fn expect_root(computed: NodeHash, expected: NodeHash) -> Result<(), ProofError> {
    if computed == expected {
        Ok(())
    } else {
        Err(ProofError::RootMismatch { computed, expected })
    }
}

#[cfg(test)]
mod tests;
