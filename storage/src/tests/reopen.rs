//! Closing, crashing and opening again.

use sokhoe_chain::{Checkpoint, Signer};

use super::*;
use crate::{DamageKind, OpenError, Position, Reader};
use sokhoe_disk::testing::Survivors;

/// Everything a reader can tell, to compare before and after.
fn state(
    reader: &Reader,
) -> (
    Vec<Frame>,
    (u64, sokhoe_chain::NodeHash),
    Vec<Option<crate::Head>>,
) {
    let heads = (1..=3).map(|number| reader.head(&stream(number))).collect();
    (all(reader), reader.tree_head(), heads)
}

fn filled(disk: &MemDisk) -> Log {
    let mut log = create(disk);
    for n in 0..12 {
        commit(&mut log, n * 11..n * 11 + 11);
    }
    log
}

#[test]
fn a_log_reads_the_same_after_a_clean_stop() {
    let disk = MemDisk::new();
    let log = filled(&disk);
    let before = state(&log.reader());
    log.close().unwrap();
    let opened = open(&disk);
    assert!(opened.recovery.clean_stop);
    assert_eq!(opened.recovery.cached_position, Position::new(132));
    assert_eq!(opened.recovery.events_read, 0);
    assert_eq!(state(&opened.log.reader()), before);
}

#[test]
fn a_log_reads_the_same_without_its_cache() {
    let disk = MemDisk::new();
    let log = filled(&disk);
    let before = state(&log.reader());
    log.close().unwrap();
    disk.put(&folder().join("cache/heads"), b"not a cache");
    let opened = open(&disk);
    assert!(opened.recovery.cache_ignored.is_some());
    assert_eq!(opened.recovery.events_read, 132);
    assert_eq!(state(&opened.log.reader()), before);
}

#[test]
fn a_log_goes_on_after_each_opening() {
    let disk = MemDisk::new();
    create(&disk).close().unwrap();
    for round in 0..6_u64 {
        let mut opened = open(&disk);
        assert!(opened.recovery.torn.is_none());
        commit(&mut opened.log, round * 10..round * 10 + 10);
        commit(&mut opened.log, 100..101);
        if round % 2 == 0 {
            opened.log.close().unwrap();
        } else {
            drop(opened);
            disk.crash(Survivors::None);
        }
    }
    let reader = open(&disk).log.reader();
    let frames = all(&reader);
    assert_eq!(
        frames.len(),
        66 + 5,
        "five segments were closed before a later one began"
    );
    assert_eq!(
        reader.read_stream(&stream(1)).unwrap().len(),
        reader.head(&stream(1)).unwrap().version as usize
    );
}

#[test]
fn opening_and_closing_without_events_writes_nothing() {
    let disk = MemDisk::new();
    filled(&disk).close().unwrap();
    let before = disk.paths();
    open(&disk).log.close().unwrap();
    assert_eq!(disk.paths(), before);
}

#[test]
fn what_was_acknowledged_survives_a_crash_and_nothing_else_appears() {
    for survivors in [Survivors::None, Survivors::All, Survivors::First(1)] {
        let disk = MemDisk::new();
        let log = filled(&disk);
        let before = state(&log.reader());
        drop(log);
        disk.crash(survivors);
        let opened = open(&disk);
        assert!(!opened.recovery.clean_stop);
        assert_eq!(state(&opened.log.reader()), before);
    }
}

#[test]
fn the_cache_covers_what_it_says_and_the_tail_is_read() {
    let disk = MemDisk::new();
    let mut log = create_with(
        &disk,
        LogOptions {
            cache_every_events: 30,
            ..options()
        },
    );
    for n in 0..50 {
        commit(&mut log, n * 3..n * 3 + 3);
    }
    let before = state(&log.reader());
    drop(log);
    // The writing thread may still be at it; a crash then leaves the cache before.
    disk.crash(Survivors::None);
    let opened = open(&disk);
    assert_eq!(
        opened.recovery.cached_position.get() + opened.recovery.events_read,
        150,
        "{:?}",
        opened.recovery
    );
    assert_eq!(state(&opened.log.reader()), before);
}

#[test]
fn a_second_writer_is_refused() {
    let disk = MemDisk::new();
    let log = filled(&disk);
    assert!(matches!(try_open(&disk), Err(OpenError::Locked { .. })));
    drop(log);
    open(&disk);
}

#[test]
fn a_folder_without_a_log_and_one_with_a_log_are_told_apart() {
    let disk = MemDisk::new();
    assert!(matches!(try_open(&disk), Err(OpenError::NoLog { .. })));
    drop(create(&disk));
    let again = Log::create(Arc::new(disk), folder(), new_log(), options(), clock());
    assert!(matches!(again, Err(OpenError::Exists { .. })));
}

pub(super) fn note(size: u64, root: sokhoe_chain::NodeHash) -> String {
    let signer = Signer::from_seed("test.example/log", &[1; 32]).unwrap();
    Checkpoint::new("test.example/log", size, root)
        .sign(&signer)
        .unwrap()
        .to_string()
}

#[test]
fn a_log_shorter_than_its_signed_checkpoint_is_rolled_back() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    commit(&mut log, 0..4);
    let old = disk.duplicate();
    commit(&mut log, 4..8);
    let reader = log.reader();
    let (size, root) = reader.tree_head();
    reader.write_checkpoint(&note(size, root)).unwrap();
    drop(log);
    open(&disk);
    old.put(
        &folder().join("checkpoint"),
        &disk.get(&folder().join("checkpoint")).unwrap(),
    );
    let Err(OpenError::Damaged(damage)) = try_open(&old) else {
        panic!("it opened")
    };
    assert_eq!(damage.kind, DamageKind::RolledBack);
}

#[test]
fn a_log_with_another_history_than_its_signed_checkpoint_is_rolled_back() {
    for clean in [false, true] {
        let disk = MemDisk::new();
        let mut log = create(&disk);
        commit(&mut log, 0..8);
        let reader = log.reader();
        reader
            .write_checkpoint(&note(5, sokhoe_chain::NodeHash([1; 32])))
            .unwrap();
        if clean {
            // The cache takes the running process at its word; without it the tree is read again.
            log.close().unwrap();
            disk.put(&folder().join("cache/heads"), b"");
        } else {
            drop(log);
        }
        let Err(OpenError::Damaged(damage)) = try_open(&disk) else {
            panic!("it opened")
        };
        assert_eq!(damage.kind, DamageKind::RolledBack);
    }
}

#[test]
fn a_checkpoint_changed_behind_the_cache_is_checked_against_the_whole_tree() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    commit(&mut log, 0..4);
    let (size, root) = log.reader().tree_head();
    commit(&mut log, 4..8);
    log.close().unwrap();
    disk.put(&folder().join("checkpoint"), note(size, root).as_bytes());
    let opened = open(&disk);
    assert_eq!(opened.recovery.events_read, 8);
    drop(opened);
    disk.put(
        &folder().join("checkpoint"),
        note(size, sokhoe_chain::NodeHash([1; 32])).as_bytes(),
    );
    assert!(matches!(try_open(&disk), Err(OpenError::Damaged(_))));
}

#[test]
fn a_first_group_that_was_torn_leaves_an_empty_segment_behind() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    commit(&mut log, 0..2);
    drop(log);
    let good = disk.get(&segment(1)).unwrap();
    disk.put(&segment(1), &good[..200]);
    let mut log = open(&disk).log;
    assert_eq!(log.reader().position(), Position::ZERO);
    commit(&mut log, 0..2);
    drop(log);
    assert_eq!(all(&open(&disk).log.reader()).len(), 3);
}
