//! Promises of the journal: a torn tail is cut, everything else is named.

use std::collections::HashSet;
use std::fs;

use super::*;

const LOG: LogId = LogId([3; 16]);

fn wrapped(number: u8) -> WrappedKey {
    WrappedKey {
        stream: StreamId([number; 16]),
        epoch: 1,
        destroyed: false,
        nonce: [number ^ 0x55; 12],
        wrapped: [number ^ 0xAA; WRAPPED_BYTES],
    }
}

/// A journal with batches of 2, 3 and `last_batch` records.
fn written(last_batch: u8) -> (tempfile::TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(&dir.path().into(), LOG, 1).unwrap();
    journal.append(&[]).unwrap();
    journal.append(&[wrapped(1), wrapped(2)]).unwrap();
    journal
        .append(&[wrapped(3), wrapped(4), wrapped(5)])
        .unwrap();
    let last: Vec<_> = (6..6 + last_batch).map(wrapped).collect();
    journal.append(&last).unwrap();
    drop(journal);
    let bytes = fs::read(path(dir.path(), 1)).unwrap();
    (dir, bytes)
}

fn reopen(dir: &tempfile::TempDir, bytes: &[u8]) -> Result<(Journal, Replayed), VaultError> {
    fs::write(path(dir.path(), 1), bytes).unwrap();
    Journal::open(&dir.path().into(), LOG, 1)
}

#[test]
fn journal_reads_back_in_order() {
    let (dir, bytes) = written(1);
    let (_, replayed) = reopen(&dir, &bytes).unwrap();
    assert_eq!(replayed.keys, (1..=6).map(wrapped).collect::<Vec<_>>());
    assert_eq!(replayed.torn_bytes, 0);
}

#[test]
fn every_lost_tail_is_cut_and_appending_goes_on() {
    let (dir, bytes) = written(2);
    for end in HEAD_BYTES..bytes.len() {
        let (mut journal, replayed) = reopen(&dir, &bytes[..end]).unwrap();
        let whole = (end - HEAD_BYTES) / RECORD_BYTES;
        assert_eq!(replayed.keys.len(), whole, "cut at {end}");
        journal.append(&[wrapped(100), wrapped(101)]).unwrap();
        drop(journal);
        let (_, again) = Journal::open(&dir.path().into(), LOG, 1).unwrap();
        assert_eq!(again.keys.len(), whole + 2);
        assert_eq!(again.torn_bytes, 0);
    }
}

#[test]
fn journal_with_its_head_cut_is_damaged() {
    let (dir, bytes) = written(1);
    for end in 0..HEAD_BYTES {
        assert!(matches!(
            reopen(&dir, &bytes[..end]),
            Err(VaultError::Damaged { .. })
        ));
    }
}

#[test]
fn every_flipped_bit_is_damage_even_in_the_last_record() {
    let (dir, bytes) = written(1);
    let mut places = HashSet::new();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match reopen(&dir, &flipped) {
            Err(VaultError::Damaged { offset, .. }) => {
                assert!(offset <= bit as u64 / 8, "bit {bit} reported at {offset}");
                places.insert(offset);
            }
            Err(VaultError::WrongLog { .. }) => {}
            other => panic!(
                "bit {bit}: {:?}",
                other.map(|(_, replayed)| replayed.keys.len())
            ),
        }
    }
    assert_eq!(places.len(), 1 + 6);
}

#[test]
fn unwritten_sectors_in_the_last_batch_are_a_torn_tail() {
    let (dir, mut bytes) = written(40);
    let hole = bytes.len() / SECTOR_BYTES / 2 * SECTOR_BYTES;
    bytes[hole..hole + SECTOR_BYTES].fill(0);
    let (_, replayed) = reopen(&dir, &bytes).unwrap();
    assert_eq!(replayed.keys.len(), (hole - HEAD_BYTES) / RECORD_BYTES);
    assert_eq!(
        fs::metadata(path(dir.path(), 1)).unwrap().len(),
        replayed.end as u64
    );
}

#[test]
fn unwritten_sectors_before_a_later_batch_are_damage() {
    let (dir, mut bytes) = written(40);
    bytes[SECTOR_BYTES..2 * SECTOR_BYTES].fill(0);
    assert!(matches!(
        reopen(&dir, &bytes),
        Err(VaultError::Damaged { .. })
    ));
}

#[test]
fn overwritten_records_are_damage() {
    let (dir, mut bytes) = written(1);
    let last = bytes.len() - RECORD_BYTES;
    bytes[last..].fill(0xEE);
    assert!(matches!(
        reopen(&dir, &bytes),
        Err(VaultError::Damaged { .. })
    ));
}

#[test]
fn exchanged_or_removed_records_are_damage() {
    let (dir, bytes) = written(1);
    let (head, records) = bytes.split_at(HEAD_BYTES);
    let (one, rest) = records.split_at(RECORD_BYTES);
    let (two, rest) = rest.split_at(RECORD_BYTES);
    let exchanged = [head, two, one, rest].concat();
    assert!(matches!(
        reopen(&dir, &exchanged),
        Err(VaultError::Damaged { .. })
    ));
    let removed = [head, one, rest].concat();
    assert!(matches!(
        reopen(&dir, &removed),
        Err(VaultError::Damaged { .. })
    ));
}

#[test]
fn second_opening_is_refused_while_the_first_lives() {
    let (dir, bytes) = written(1);
    let first = reopen(&dir, &bytes).unwrap();
    assert!(matches!(
        Journal::open(&dir.path().into(), LOG, 1),
        Err(VaultError::InUse { .. })
    ));
    drop(first);
    assert!(Journal::open(&dir.path().into(), LOG, 1).is_ok());
}
