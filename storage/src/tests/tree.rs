//! The tree's nodes on disk: proofs and tiles as the naive tree gives them, damage noticed and made good.

use std::path::PathBuf;
use std::time::Duration;

use sokhoe_chain::proof::{self, Inclusion, verify_inclusion};
use sokhoe_chain::tile::Tile;
use sokhoe_chain::tree::{empty_root, event_leaf, leaf_hash, node_hash};
use sokhoe_chain::{EventHash, Frontier, NodeHash, ProofError};

use super::{all, create, draft, folder, open};
use crate::tree::{TreeFiles, TreeStore};
use crate::{Access, Disk, Log, Reader};
use sokhoe_disk::testing::{MemDisk, Random};

const PATIENCE: Duration = Duration::from_secs(60);

fn fill(log: &mut Log, seeds: std::ops::Range<u64>) {
    for first in seeds.clone().step_by(50) {
        let drafts: Vec<_> = (first..seeds.end.min(first + 50))
            .map(|seed| draft(u8::try_from(seed % 7 + 1).unwrap(), seed, 16))
            .collect();
        let mut stamped = Vec::new();
        log.commit(|group| group.append(&drafts, &mut stamped))
            .unwrap()
            .0
            .unwrap();
    }
}

fn root(leaves: &[NodeHash]) -> NodeHash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&root(left), &root(right))
        }
    }
}

/// The inclusion proof by its definition in RFC 6962.
fn path(index: usize, leaves: &[NodeHash]) -> Vec<NodeHash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let split = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(split);
    let (mut proof, other) = if index < split {
        (path(index, left), root(right))
    } else {
        (path(index - split, right), root(left))
    };
    proof.push(other);
    proof
}

/// The consistency proof by its definition in RFC 6962.
fn subproof(old: usize, leaves: &[NodeHash], whole: bool) -> Vec<NodeHash> {
    if old == leaves.len() {
        return if whole {
            Vec::new()
        } else {
            vec![root(leaves)]
        };
    }
    let split = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(split);
    let (mut proof, other) = if old <= split {
        (subproof(old, left, whole), root(right))
    } else {
        (subproof(old - split, right, false), root(left))
    };
    proof.push(other);
    proof
}

fn leaves(reader: &Reader) -> Vec<NodeHash> {
    let frames = all(reader);
    frames
        .iter()
        .map(|frame| event_leaf(&frame.hash()))
        .collect()
}

fn claim(leaves: &[NodeHash], index: usize) -> Inclusion {
    Inclusion {
        index: index as u64,
        size: leaves.len() as u64,
        leaf: leaves[index],
        root: root(leaves),
    }
}

fn started(reader: &Reader) -> TreeStore {
    let store = TreeStore::start(reader.clone()).unwrap();
    assert!(store.wait_for(reader.position().get(), PATIENCE));
    store
}

fn file(level: usize) -> PathBuf {
    folder().join(format!("cache/tree-{level}"))
}

#[test]
fn proofs_at_random_sizes_are_those_of_the_naive_tree() {
    let mut log = create(&MemDisk::new());
    fill(&mut log, 0..1_400);
    let reader = log.reader();
    let leaves = leaves(&reader);
    let store = started(&reader);
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut numbers = Random::new(seed);
    let edges = [1, 2, 255, 256, 257, 511, 512, 513, leaves.len()];
    let random: Vec<usize> = (0..60).map(|_| numbers.index(leaves.len()) + 1).collect();
    for size in edges.into_iter().chain(random) {
        let tree = &leaves[..size];
        let index = numbers.index(size);
        let made = store.prove_inclusion(&claim(tree, index)).unwrap();
        assert_eq!(made, path(index, tree), "{index} of {size}");
        let old = numbers.index(size) + 1;
        let head = (size as u64, root(tree));
        let (old_root, made) = store.prove_consistency(old as u64, head).unwrap();
        assert_eq!(old_root, root(&leaves[..old]));
        assert_eq!(made, subproof(old, tree, true), "{old} to {size}");
    }
}

#[test]
fn a_store_of_three_levels_proves_every_kind_of_place() {
    let count = 66_000_u64;
    let disk = MemDisk::new();
    disk.create_dir_all(&folder().join("cache")).unwrap();
    let files = TreeFiles::open(&disk, folder()).unwrap();
    let mut frontier = Frontier::default();
    let leaf = |index: u64| leaf_hash(&index.to_le_bytes());
    let mut at = 0;
    while at < count {
        let end = count.min(at + 999);
        let part: Vec<_> = (at..end).map(leaf).collect();
        files.append(&mut frontier, &part).unwrap();
        at = end;
    }
    assert_eq!(files.leaves().unwrap(), count);
    assert_eq!(files.frontier(count).unwrap(), frontier);
    for index in [0, 1, 255, 256, 65_535, 65_536, 65_999] {
        let read = |level, index| files.node(level, index).map_err(|_| BAD);
        let made = proof::prove_inclusion(index, count, read).unwrap();
        let claim = Inclusion {
            index,
            size: count,
            leaf: leaf(index),
            root: frontier.root(),
        };
        assert_eq!(verify_inclusion(&claim, &made), Ok(()), "{index}");
    }
}

const BAD: ProofError = ProofError::WrongLength { given: 0 };

#[test]
fn tiles_and_entries_are_those_of_the_log_at_every_width() {
    let mut log = create(&MemDisk::new());
    fill(&mut log, 0..700);
    let reader = log.reader();
    let leaves = leaves(&reader);
    let hashes: Vec<EventHash> = all(&reader).iter().map(crate::Frame::hash).collect();
    let store = started(&reader);
    for tile in Tile::new_between(0, leaves.len() as u64) {
        let found = store.tile(&tile).unwrap().unwrap();
        let (level, first) = tile.first_node();
        for (at, node) in (first..).zip(&found) {
            let from = usize::try_from(at << level).unwrap();
            assert_eq!(*node, root(&leaves[from..from + (1 << level)]), "{tile:?}");
        }
        assert_eq!(found.len(), usize::from(tile.width));
    }
    let tile = |level, index, width| {
        let tile = Tile {
            level,
            index,
            width,
        };
        store.tile(&tile).unwrap().map(|hashes| hashes.len())
    };
    // A partial tile that has become full is still there; what is not there yet, or never, is not.
    assert_eq!(tile(0, 0, 7), Some(7));
    assert_eq!(tile(0, 2, 188), Some(188));
    for (level, index, width) in [(0, 2, 189), (0, 2, 256), (0, 3, 1), (0, 0, 0), (2, 0, 1)] {
        assert_eq!(tile(level, index, width), None);
    }
    assert_eq!(tile(9, u64::MAX, 256), None);
    assert_eq!(store.entries(1, 256).unwrap().unwrap(), hashes[256..512]);
    assert_eq!(store.entries(2, 88).unwrap().unwrap(), hashes[512..600]);
    assert_eq!(store.entries(2, 189).unwrap(), None);
}

#[test]
fn the_store_follows_the_log_and_goes_on_after_a_restart() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    fill(&mut log, 0..300);
    let store = started(&log.reader());
    fill(&mut log, 300..600);
    assert!(store.wait_for(600, PATIENCE));
    drop(store);
    fill(&mut log, 600..650);
    log.close().unwrap();
    let log = open(&disk).log;
    let reader = log.reader();
    let store = started(&reader);
    assert_eq!((store.size(), store.rebuilt()), (650, 0));
    let leaves = leaves(&reader);
    assert!(store.prove_inclusion(&claim(&leaves, 649)).is_ok());
}

#[test]
fn spoiled_or_missing_files_are_made_anew_from_the_log() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    fill(&mut log, 0..600);
    let reader = log.reader();
    let leaves = leaves(&reader);
    drop(started(&reader));
    let good: Vec<Vec<u8>> = (0..8)
        .map(|level| disk.get(&file(level)).unwrap())
        .collect();
    let flipped = |level: usize, at: usize| {
        let mut bytes = good[level].clone();
        bytes[at] ^= 1;
        (level, bytes)
    };
    let cut = |level: usize, bytes: usize| (level, good[level][..bytes].to_vec());
    let cases = [
        flipped(0, 0),
        flipped(0, 32 * 599),
        flipped(1, 40),
        cut(0, 0),
        cut(0, 32 * 100 + 5),
        cut(1, 0),
        (0, good[0].iter().map(|_| 0).collect()),
    ];
    for (case, (level, bytes)) in cases.into_iter().enumerate() {
        for (level, bytes) in good.iter().enumerate() {
            disk.put(&file(level), bytes);
        }
        disk.put(&file(level), &bytes);
        let store = TreeStore::start(reader.clone()).unwrap();
        // Whatever was spoiled is met by going over every leaf, and made good by then.
        for index in 0..leaves.len() {
            let proof = loop {
                assert!(store.wait_for(600, PATIENCE), "case {case}");
                match store.prove_inclusion(&claim(&leaves, index)) {
                    Ok(proof) => break proof,
                    Err(crate::ReadError::NotThere { .. }) => {}
                    Err(error) => panic!("case {case}: {error}"),
                }
            };
            assert_eq!(proof, path(index, &leaves), "case {case}");
        }
        store.stop();
        for (level, bytes) in good.iter().enumerate() {
            assert_eq!(disk.get(&file(level)).as_ref(), Some(bytes), "case {case}");
        }
    }
}

#[test]
fn nodes_spoiled_under_a_running_store_are_never_shown() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    fill(&mut log, 0..600);
    let reader = log.reader();
    let leaves = leaves(&reader);
    let store = started(&reader);
    let nodes = disk.open(&file(0), Access::ReadWrite).unwrap();
    nodes.write_at(&[0; 32], 32 * 300).unwrap();
    let tile = Tile {
        level: 0,
        index: 1,
        width: 256,
    };
    assert!(store.tile(&tile).is_err());
    assert!(store.wait_for(600, PATIENCE));
    assert_eq!(store.tile(&tile).unwrap().unwrap(), leaves[256..512]);
    assert_eq!(store.rebuilt(), 1);
    nodes.write_at(&[0; 32], 32 * 599).unwrap();
    assert!(store.prove_inclusion(&claim(&leaves, 598)).is_err());
    assert!(store.wait_for(600, PATIENCE));
    assert!(store.prove_inclusion(&claim(&leaves, 598)).is_ok());
    assert_eq!(store.rebuilt(), 2);
}
