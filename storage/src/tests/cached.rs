//! A cache hides nothing: what was acknowledged is there, or opening names where it is not.

use super::reopen::note;
use super::*;
use crate::{Damage, DamageKind, Position};

const FOOTER: usize = 128;
const CLEAN_STOP: usize = 184;

/// Eight events in four groups, with a cache that covers all of them; where the last group with events starts.
fn cached(clean: bool) -> (MemDisk, usize) {
    let disk = MemDisk::new();
    let options = LogOptions {
        cache_every_events: 8,
        ..options()
    };
    let mut log = create_with(&disk, options);
    commit(&mut log, 0..2);
    commit(&mut log, 2..3);
    commit(&mut log, 3..5);
    let start = disk.get(&segment(1)).unwrap().len();
    commit(&mut log, 5..8);
    if clean {
        log.close().unwrap();
    } else {
        drop(log);
    }
    assert!(disk.get(&folder().join("cache/heads")).is_some());
    (disk, start)
}

fn uncached(disk: &MemDisk) -> MemDisk {
    let copy = disk.duplicate();
    crate::Disk::remove(&copy, &folder().join("cache/heads")).unwrap();
    copy
}

/// Opens the log with other bytes in a segment, for writing and for reading; nothing may change in a damaged one.
fn damage_with(disk: &MemDisk, number: u32, bytes: &[u8]) -> Option<Damage> {
    let copy = disk.duplicate();
    copy.put(&segment(number), bytes);
    let shown = Log::open_read_only(Arc::new(copy.clone()), folder(), clock()).unwrap();
    match try_open(&copy) {
        Ok(opened) => {
            assert_eq!(opened.log.reader().position(), Position::new(8));
            assert_eq!(shown.damage, None);
            None
        }
        Err(OpenError::Damaged(damage)) => {
            assert_eq!(copy.get(&segment(number)).unwrap(), bytes);
            assert_eq!(shown.damage.as_ref(), Some(&*damage));
            Some(*damage)
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_whole_log_opens_from_its_cache() {
    for clean in [true, false] {
        let (disk, _) = cached(clean);
        let opened = open(&disk);
        assert_eq!(opened.recovery.cached_position, Position::new(8));
        assert_eq!(opened.recovery.cache_ignored, None);
        assert_eq!(opened.recovery.events_read, 0);
    }
}

#[test]
fn a_tail_cut_at_any_length_behind_a_cache_is_damage() {
    for clean in [true, false] {
        let (disk, start) = cached(clean);
        let good = disk.get(&segment(1)).unwrap();
        let end = good.len() - if clean { FOOTER } else { 0 };
        for cut in 0..end {
            let damage = damage_with(&disk, 1, &good[..cut]);
            let damage = damage.unwrap_or_else(|| panic!("cut at {cut}, clean {clean}"));
            assert!(damage.file.ends_with("0001.seg"), "{damage}");
            assert_eq!(damage.kind, DamageKind::Missing, "{damage}");
            if cut >= start && cut < start + 136 {
                assert_eq!(damage.offset, start as u64, "{damage}");
                assert_eq!(damage.position, Some(Position::new(6)));
            }
            let mut zeroed = good.clone();
            zeroed[cut..].fill(0);
            assert!(damage_with(&disk, 1, &zeroed).is_some(), "zeros from {cut}");
        }
        // The footer holds nothing that the groups do not say; an unfinished one is written again.
        for cut in end..good.len() {
            assert_eq!(damage_with(&disk, 1, &good[..cut]), None, "cut at {cut}");
        }
    }
}

#[test]
fn a_tail_cut_at_any_length_without_a_cache_is_damage_below_the_signed_checkpoint() {
    for clean in [true, false] {
        let (disk, _) = cached(clean);
        let (size, root) = open(&disk.duplicate()).log.reader().tree_head();
        disk.put(&folder().join("checkpoint"), note(size, root).as_bytes());
        let good = disk.get(&segment(1)).unwrap();
        let behind_cache = damage_with(&disk, 1, &good[..good.len() - FOOTER - 200]).unwrap();
        assert!(behind_cache.file.ends_with("0001.seg"), "{behind_cache}");
        let events_end = good.len() - if clean { FOOTER + CLEAN_STOP } else { 0 };
        let disk = uncached(&disk);
        for cut in 0..good.len() {
            let damage = damage_with(&disk, 1, &good[..cut]);
            assert_eq!(damage.is_some(), cut < events_end, "cut at {cut}");
        }
    }
}

#[test]
fn a_flipped_bit_at_any_byte_of_the_last_groups_is_damage_with_and_without_a_cache() {
    for clean in [true, false] {
        let (disk, _) = cached(clean);
        let good = disk.get(&segment(1)).unwrap();
        for disk in [&disk, &uncached(&disk)] {
            for at in 0..good.len() {
                let mut bad = good.clone();
                bad[at] ^= 1 << (at % 8);
                let damage = damage_with(disk, 1, &bad);
                let damage = damage.unwrap_or_else(|| panic!("byte {at}, clean {clean}"));
                assert!(damage.file.ends_with("0001.seg"), "{damage}");
            }
        }
    }
}

#[test]
fn many_wrong_bytes_in_a_group_behind_a_cache_are_damage_and_never_cut() {
    let (disk, start) = cached(false);
    let good = disk.get(&segment(1)).unwrap();
    for at in (start..good.len() - 16).step_by(8) {
        let mut bad = good.clone();
        bad[at..at + 16].copy_from_slice(&noise(at as u64, 16));
        assert!(damage_with(&disk, 1, &bad).is_some(), "at {at}");
    }
}

#[test]
fn a_last_segment_that_is_gone_behind_a_cache_is_damage() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    commit(&mut log, 0..4);
    log.close().unwrap();
    let mut log = open(&disk).log;
    commit(&mut log, 4..7);
    log.close().unwrap();
    open(&disk.duplicate());
    // The groups before a short last segment are read back too.
    let good = disk.get(&segment(1)).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(damage_with(&disk, 1, &bad).is_some(), "byte {at}");
    }
    crate::Disk::remove(&disk, &segment(2)).unwrap();
    let Err(OpenError::Damaged(damage)) = try_open(&disk) else {
        panic!("it opened")
    };
    assert_eq!(damage.kind, DamageKind::Missing);
    assert!(damage.file.ends_with("0002.seg"), "{damage}");
}

#[test]
fn groups_longer_than_what_is_read_at_once_are_read_back() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    for seed in 0..3 {
        let drafts: Vec<Draft> = (0..6).map(|n| draft(1, seed * 6 + n, 900_000)).collect();
        let mut stamped = Vec::new();
        log.commit(|group| group.append(&drafts, &mut stamped))
            .unwrap()
            .0
            .unwrap();
    }
    log.close().unwrap();
    assert_eq!(open(&disk.duplicate()).recovery.cache_ignored, None);
    let names = disk
        .paths()
        .into_iter()
        .filter(|path| path.starts_with("/data/log"));
    let last = u32::try_from(names.count()).unwrap();
    let good = disk.get(&segment(last)).unwrap();
    for at in [300, 5_000, good.len() / 2, good.len() - 400] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let copy = disk.duplicate();
        copy.put(&segment(last), &bad);
        assert!(try_open(&copy).is_err(), "byte {at}");
    }
}

#[test]
fn a_log_without_its_meta_file_is_no_new_folder() {
    let (disk, _) = cached(true);
    crate::Disk::remove(&disk, &folder().join("meta")).unwrap();
    let error = try_open(&disk).unwrap_err();
    assert!(matches!(error, OpenError::NoMeta { .. }));
    let text = error.to_string();
    assert!(text.contains("there is a log here but its meta file is missing"));
    let shown = Log::open_read_only(Arc::new(disk), folder(), clock());
    assert!(matches!(shown, Err(OpenError::NoMeta { .. })));
}
