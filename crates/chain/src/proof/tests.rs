//! Promises of proofs, over every small tree.

use std::collections::HashMap;

use super::*;
use crate::tree::{Frontier, leaf_hash};

struct Tree {
    nodes: HashMap<(u32, u64), NodeHash>,
    roots: Vec<NodeHash>,
}

fn tree(leaves: u64) -> Tree {
    let mut frontier = Frontier::default();
    let mut nodes = HashMap::new();
    let mut roots = vec![frontier.root()];
    for entry in 0..leaves {
        frontier.push_with(leaf_hash(&entry.to_le_bytes()), |level, index, hash| {
            nodes.insert((level, index), *hash);
        });
        roots.push(frontier.root());
    }
    Tree { nodes, roots }
}

impl Tree {
    fn root(&self, size: u64) -> NodeHash {
        self.roots[usize::try_from(size).unwrap()]
    }

    fn reader(&self) -> impl FnMut(u32, u64) -> Result<NodeHash, ProofError> + '_ {
        |level, index| Ok(self.nodes[&(level, index)])
    }
}

const LEAVES: u64 = 70;

#[test]
fn every_leaf_of_every_small_tree_is_proved_and_no_other() {
    let tree = tree(LEAVES);
    for size in 1..=LEAVES {
        for index in 0..size {
            let proof = prove_inclusion(index, size, tree.reader()).unwrap();
            let claim = Inclusion {
                index,
                size,
                leaf: tree.nodes[&(0, index)],
                root: tree.root(size),
            };
            assert_eq!(
                verify_inclusion(&claim, &proof),
                Ok(()),
                "{index} of {size}"
            );
            let other = Inclusion {
                leaf: leaf_hash(b"other"),
                ..claim
            };
            assert!(verify_inclusion(&other, &proof).is_err());
            let longer = [proof.as_slice(), &[claim.root]].concat();
            assert!(verify_inclusion(&claim, &longer).is_err());
            if let Some((_, shorter)) = proof.split_last() {
                assert!(verify_inclusion(&claim, shorter).is_err());
            }
        }
    }
}

#[test]
fn every_pair_of_small_trees_is_proved_consistent() {
    let tree = tree(LEAVES);
    for new_size in 1..=LEAVES {
        for old_size in 1..=new_size {
            let proof = prove_consistency(old_size, new_size, tree.reader()).unwrap();
            let claim = Consistency {
                old_size,
                new_size,
                old_root: tree.root(old_size),
                new_root: tree.root(new_size),
            };
            assert_eq!(
                verify_consistency(&claim, &proof),
                Ok(()),
                "{old_size} to {new_size}"
            );
            let forked = Consistency {
                old_root: leaf_hash(b"fork"),
                ..claim
            };
            assert!(verify_consistency(&forked, &proof).is_err());
            let longer = [proof.as_slice(), &[claim.new_root]].concat();
            assert!(verify_consistency(&claim, &longer).is_err());
            if let Some((_, shorter)) = proof.split_last() {
                assert!(verify_consistency(&claim, shorter).is_err());
            }
        }
    }
}

#[test]
fn impossible_sizes_are_refused() {
    let tree = tree(4);
    assert!(prove_inclusion(4, 4, tree.reader()).is_err());
    assert!(prove_consistency(0, 4, tree.reader()).is_err());
    assert!(prove_consistency(5, 4, tree.reader()).is_err());
}

#[test]
fn huge_indices_do_not_overflow() {
    let claim = Inclusion {
        index: u64::MAX - 1,
        size: u64::MAX,
        leaf: NodeHash::ZERO,
        root: NodeHash::ZERO,
    };
    assert!(verify_inclusion(&claim, &[NodeHash::ZERO; 64]).is_err());
    let claim = Consistency {
        old_size: u64::MAX - 1,
        new_size: u64::MAX,
        old_root: NodeHash::ZERO,
        new_root: NodeHash::ZERO,
    };
    assert!(verify_consistency(&claim, &[NodeHash::ZERO; 64]).is_err());
}
