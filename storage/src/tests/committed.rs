//! Commitments to stream heads: right at any position, taken up again, made anew when the cache is spoiled.

use std::collections::BTreeMap;

use sokhoe_chain::heads::heads_root;
use sokhoe_chain::{EventHash, KeeperBody, StreamHead, StreamId};

use super::{FOLDER, commit, create, draft, folder, open, stream};
use crate::committed::{CommittedHeads, heads_committed};
use crate::{Log, Position, ReadError, Reader};
use sokhoe_disk::testing::MemDisk;

/// Heads by going through the log once, event by event.
fn naive(reader: &Reader, as_of: Position) -> Vec<StreamHead> {
    let mut heads: BTreeMap<StreamId, (u64, EventHash)> = BTreeMap::new();
    for frame in super::all(reader) {
        if frame.position <= as_of {
            heads.insert(frame.header.stream, (frame.header.version, frame.hash()));
        }
    }
    heads
        .into_iter()
        .map(|(stream, (version, hash))| StreamHead {
            stream,
            version,
            hash,
        })
        .collect()
}

/// Appends events on `streams` streams, in groups of seven.
fn fill(log: &mut Log, streams: u16, events: u64, seed: u64) {
    let mut at = 0;
    while at < events {
        let drafts: Vec<_> = (at..events.min(at + 7))
            .map(|event| {
                let mut one = draft(1, seed + event, 64);
                let number = (event * 31 + seed) % u64::from(streams);
                let mut id = [9; 16];
                id[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
                one.stream = StreamId(id);
                one.header[32..48].copy_from_slice(&id);
                one
            })
            .collect();
        let mut stamped = Vec::new();
        log.commit(|group| group.append(&drafts, &mut stamped))
            .unwrap()
            .0
            .unwrap();
        at += 7;
    }
}

fn commit_heads(log: &mut Log, as_of: Position) -> CommittedHeads {
    let reader = log.reader();
    let made = CommittedHeads::make(&reader, as_of).unwrap();
    let event = heads_committed(&reader, &made);
    log.commit(|group| group.push(&event)).unwrap().0.unwrap();
    made
}

fn cache_file(as_of: Position) -> std::path::PathBuf {
    folder().join(format!("cache/heads-at-{as_of}"))
}

#[test]
fn heads_as_of_every_position_are_those_of_going_through_the_log() {
    let mut log = create(&MemDisk::new());
    for round in 0..6 {
        commit(&mut log, round * 5..round * 5 + 5);
    }
    fill(&mut log, 11, 40, 1_000);
    let reader = log.reader();
    for position in (0..=reader.position().get()).map(Position::new) {
        assert_eq!(
            reader.heads_as_of(position).unwrap(),
            naive(&reader, position)
        );
    }
    let ahead = reader.heads_as_of(reader.position().next());
    assert!(matches!(ahead, Err(ReadError::NotThere { .. })));
}

#[test]
fn every_head_is_proved_against_the_root_in_the_log_and_nothing_else_is() {
    let mut log = create(&MemDisk::new());
    fill(&mut log, 700, 1_500, 5);
    let reader = log.reader();
    let as_of = Position::new(1_300);
    commit_heads(&mut log, as_of);
    let event = reader.last_commitment().unwrap().unwrap();
    assert_eq!(event.as_of, as_of);
    let mut heads = naive(&reader, as_of);
    assert_eq!(heads_root(&mut heads), Ok(event.heads));
    let committed = CommittedHeads::take_up(&reader, &event).unwrap();
    for (index, head) in heads.iter().enumerate() {
        let mut proof = committed.prove(&head.stream).unwrap().unwrap();
        assert_eq!((proof.head, proof.index), (*head, index as u64));
        assert_eq!(proof.verify(&event.heads), Ok(()));
        proof.head.version += 1;
        assert!(
            proof.verify(&event.heads).is_err(),
            "a later tail is hidden"
        );
    }
    assert_eq!(committed.prove(&stream(200)).unwrap(), None);
}

#[test]
fn the_event_in_the_log_says_what_was_committed_to() {
    let mut log = create(&MemDisk::new());
    assert_eq!(log.reader().last_commitment().unwrap(), None);
    commit(&mut log, 0..5);
    let made = commit_heads(&mut log, Position::new(5));
    let event = log.reader().last_commitment().unwrap().unwrap();
    let body = KeeperBody::decode(&event.frame.payload).unwrap();
    let expected = KeeperBody::HeadsCommitted {
        position: 5,
        heads: made.heads(),
    };
    assert_eq!(body, expected);
    commit(&mut log, 5..9);
    let as_of = log.reader().position();
    let later = commit_heads(&mut log, as_of);
    let event = log.reader().last_commitment().unwrap().unwrap();
    assert_eq!(event.heads, later.heads());
    // The keeper's own stream is one of those committed to.
    assert_eq!(later.heads().streams, made.heads().streams + 1);
}

#[test]
fn a_commitment_is_taken_up_after_a_restart_whatever_became_of_its_cache() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    fill(&mut log, 300, 600, 3);
    let as_of = log.reader().position();
    commit_heads(&mut log, as_of);
    fill(&mut log, 320, 200, 9_000);
    log.close().unwrap();
    let good = disk.get(&cache_file(as_of)).unwrap();
    let spoil = |at: usize| {
        let mut bad = good.clone();
        bad[at] ^= 1;
        bad
    };
    let cases = [
        good.clone(),
        Vec::new(),
        good[..good.len() - 1].to_vec(),
        spoil(0),
        spoil(20),
        spoil(45),
        spoil(100),
        spoil(good.len() - 1),
    ];
    for (case, bytes) in cases.into_iter().enumerate() {
        disk.put(&cache_file(as_of), &bytes);
        let log = open(&disk).log;
        let reader = log.reader();
        let event = reader.last_commitment().unwrap().unwrap();
        let taken = CommittedHeads::take_up(&reader, &event).unwrap();
        assert_eq!(taken.heads(), event.heads, "case {case}");
        for head in naive(&reader, as_of) {
            assert!(taken.prove(&head.stream).unwrap().is_some(), "case {case}");
        }
        assert_eq!(disk.get(&cache_file(as_of)).unwrap(), good, "case {case}");
        log.close().unwrap();
    }
}

#[test]
fn only_the_latest_commitments_heads_stay_in_the_cache() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    commit(&mut log, 0..5);
    commit_heads(&mut log, Position::new(5));
    let later = commit_heads(&mut log, Position::new(6));
    later.remove_others(&log.reader());
    let kept = disk.paths();
    assert!(kept.contains(&cache_file(Position::new(6))));
    assert!(!kept.contains(&cache_file(Position::new(5))));
    assert!(kept.iter().all(|path| path.starts_with(FOLDER)));
}

#[test]
fn a_cache_that_is_spoiled_while_it_is_used_proves_nothing() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    fill(&mut log, 50, 100, 7);
    let as_of = log.reader().position();
    let made = commit_heads(&mut log, as_of);
    let first = naive(&log.reader(), as_of)[0];
    assert!(made.prove(&first.stream).unwrap().is_some());
    let file = crate::Disk::open(&disk, &cache_file(as_of), crate::Access::ReadWrite).unwrap();
    // The version of the first head.
    file.write_at(&[0xFF], 80 + 16).unwrap();
    assert!(made.prove(&first.stream).is_err());
}
