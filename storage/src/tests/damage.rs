//! Torn tails and damage: what is cut, what stops, and what is named.

use super::*;
use crate::{DamageKind, LogStatus, OpenError, Position, ReadError};
use sokhoe_disk::testing::Survivors;

/// A small log in one segment: four groups, the last with three events; returns where the last group starts.
fn small(disk: &MemDisk) -> (Log, usize) {
    let mut log = create(disk);
    commit(&mut log, 0..2);
    commit(&mut log, 2..3);
    commit(&mut log, 3..5);
    let start = disk.get(&segment(1)).unwrap().len();
    commit(&mut log, 5..8);
    (log, start)
}

fn damage_of(disk: &MemDisk) -> Option<crate::Damage> {
    match try_open(disk) {
        Ok(_) => None,
        Err(OpenError::Damaged(damage)) => Some(*damage),
        Err(other) => panic!("{other}"),
    }
}

/// The log with other bytes in its first segment.
fn with_segment(disk: &MemDisk, bytes: &[u8]) -> MemDisk {
    let copy = disk.duplicate();
    copy.put(&segment(1), bytes);
    copy
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_the_rest_kept() {
    let disk = MemDisk::new();
    let (log, start) = small(&disk);
    drop(log);
    let good = disk.get(&segment(1)).unwrap();
    for cut in start..good.len() {
        let mut zeroed = good.clone();
        zeroed[cut..].fill(0);
        zeroed.resize(good.len() + 4096, 0);
        for bytes in [&good[..cut], &zeroed[..]] {
            let torn = with_segment(&disk, bytes);
            let opened = open(&torn);
            assert_eq!(
                opened.log.reader().position(),
                Position::new(5),
                "cut at {cut}"
            );
            assert_eq!(opened.recovery.torn.is_some(), cut > start, "cut at {cut}");
            assert_eq!(all(&opened.log.reader()).len(), 5);
        }
    }
}

#[test]
fn a_tail_with_a_lost_sector_is_cut() {
    let disk = MemDisk::new();
    let (log, start) = small(&disk);
    drop(log);
    let good = disk.get(&segment(1)).unwrap();
    for lost in (start..good.len()).step_by(64) {
        let mut bytes = good.clone();
        let end = bytes.len().min(lost + 64);
        bytes[lost..end].fill(0);
        let opened = open(&with_segment(&disk, &bytes));
        assert_eq!(
            opened.log.reader().position(),
            Position::new(5),
            "lost at {lost}"
        );
    }
}

#[test]
fn a_log_goes_on_after_a_torn_tail_and_opens_again() {
    let disk = MemDisk::new();
    let (log, start) = small(&disk);
    drop(log);
    let good = disk.get(&segment(1)).unwrap();
    let torn = with_segment(&disk, &good[..start + 77]);
    let mut opened = open(&torn);
    commit(&mut opened.log, 50..52);
    opened.log.close().unwrap();
    let opened = open(&torn);
    assert!(opened.recovery.torn.is_none());
    // Five events, the one that names the closed segment, two new ones.
    assert_eq!(all(&opened.log.reader()).len(), 8);
}

#[test]
fn a_flipped_bit_at_any_byte_of_an_open_segment_is_damage() {
    let disk = MemDisk::new();
    let (log, _) = small(&disk);
    drop(log);
    let mut good = disk.get(&segment(1)).unwrap();
    good.resize(good.len() + 512, 0);
    every_flip_is_damage(&disk, &good);
}

#[test]
fn a_flipped_bit_at_any_byte_of_a_closed_segment_is_damage() {
    let disk = MemDisk::new();
    let (log, _) = small(&disk);
    log.close().unwrap();
    let good = disk.get(&segment(1)).unwrap();
    disk.put(&folder().join("cache/heads"), b"");
    every_flip_is_damage(&disk, &good);
}

fn every_flip_is_damage(disk: &MemDisk, good: &[u8]) {
    let copy = disk.duplicate();
    for at in 0..good.len() {
        let bit = at % 8;
        let mut bad = good.to_vec();
        bad[at] ^= 1 << bit;
        copy.put(&segment(1), &bad);
        let damage = damage_of(&copy);
        let damage = damage.unwrap_or_else(|| panic!("bit {bit} of byte {at} was not seen"));
        assert!(damage.file.ends_with("0001.seg"), "{damage}");
        assert_eq!(copy.get(&segment(1)).unwrap(), bad, "damage was changed");
    }
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_later_segment_is_damage_too() {
    let disk = MemDisk::new();
    let (log, _) = small(&disk);
    log.close().unwrap();
    let mut opened = open(&disk);
    commit(&mut opened.log, 8..9);
    drop(opened);
    disk.put(&folder().join("cache/heads"), b"");
    for number in [1, 2] {
        let good = disk.get(&segment(number)).unwrap();
        for at in 0..good.len() {
            let copy = disk.duplicate();
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            copy.put(&segment(number), &bad);
            let damage = damage_of(&copy).unwrap_or_else(|| panic!("byte {at} of {number}"));
            let name = format!("{number:04}.seg");
            assert!(damage.file.ends_with(&name) || number == 1, "{damage}");
        }
    }
}

#[test]
fn damage_names_the_flipped_byte_in_the_last_group() {
    let disk = MemDisk::new();
    let (log, start) = small(&disk);
    drop(log);
    let good = disk.get(&segment(1)).unwrap();
    for at in [start + 20, start + 140, start + 300, good.len() - 20] {
        let mut bad = good.clone();
        bad[at] ^= 4;
        let damage = damage_of(&with_segment(&disk, &bad)).unwrap();
        assert_eq!(damage.offset, at as u64, "{damage}");
        assert_eq!(damage.position, Some(Position::new(6)));
        assert_eq!(damage.kind, DamageKind::Checksum);
    }
}

#[test]
fn a_flipped_bit_in_meta_is_damage() {
    let disk = MemDisk::new();
    drop(small(&disk));
    let good = disk.get(&folder().join("meta")).unwrap();
    for at in 0..good.len() {
        let copy = disk.duplicate();
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        copy.put(&folder().join("meta"), &bad);
        assert_eq!(damage_of(&copy).unwrap().file, "meta");
    }
}

#[test]
fn bytes_after_a_clean_stop_are_damage() {
    let disk = MemDisk::new();
    let (log, _) = small(&disk);
    log.close().unwrap();
    let good = disk.get(&segment(1)).unwrap();
    for garbage in [1, 5, 200] {
        let mut bad = good.clone();
        bad.extend(noise(9, garbage));
        assert!(damage_of(&with_segment(&disk, &bad)).is_some());
        let mut bad = good[..good.len() - 128].to_vec();
        bad.extend(noise(9, garbage));
        assert!(damage_of(&with_segment(&disk, &bad)).is_some());
    }
}

#[test]
fn a_footer_that_was_never_finished_is_written_again() {
    let disk = MemDisk::new();
    let (log, _) = small(&disk);
    log.close().unwrap();
    let good = disk.get(&segment(1)).unwrap();
    for cut in 0..128 {
        let mut torn = good.clone();
        torn[good.len() - 128 + cut..].fill(0);
        let copy = with_segment(&disk, &torn);
        let opened = open(&copy);
        assert_eq!(
            opened.log.reader().position(),
            Position::new(8),
            "cut at {cut}"
        );
        assert_eq!(copy.get(&segment(1)).unwrap(), good);
    }
}

#[test]
fn a_missing_segment_is_damage() {
    let disk = MemDisk::new();
    let mut log = create_with(
        &disk,
        LogOptions {
            segment_bytes: 1024,
            first_segment_bytes: 1024,
            ..options()
        },
    );
    (0..20).for_each(|n| drop(commit(&mut log, n..n + 1)));
    drop(log);
    for number in [1, 2] {
        let mut found = disk.duplicate();
        crate::Disk::remove(&found, &segment(number)).unwrap();
        assert_eq!(damage_of(&found).unwrap().kind, DamageKind::Missing);
        found = disk.duplicate();
        let bytes = found.get(&segment(number)).unwrap();
        found.put(&segment(number), &bytes[..bytes.len() - 8]);
        assert!(damage_of(&found).is_some(), "a closed segment was cut");
    }
}

#[test]
fn a_segment_of_another_log_is_a_wrong_link() {
    let disk = MemDisk::new();
    drop(small(&disk));
    let other = MemDisk::new();
    let new = NewLog {
        log_id: sokhoe_chain::LogId([8; 16]),
        ..new_log()
    };
    let mut log = Log::create(Arc::new(other.clone()), folder(), new, options(), clock()).unwrap();
    commit(&mut log, 0..8);
    let copy = with_segment(&disk, &other.get(&segment(1)).unwrap());
    assert_eq!(damage_of(&copy).unwrap().kind, DamageKind::Link);
}

#[test]
fn a_damaged_log_opens_for_reading_up_to_the_damage() {
    let disk = MemDisk::new();
    let (log, start) = small(&disk);
    drop(log);
    let mut bad = disk.get(&segment(1)).unwrap();
    bad[start + 30] ^= 1;
    let copy = with_segment(&disk, &bad);
    let opened = Log::open_read_only(Arc::new(copy.clone()), folder(), clock()).unwrap();
    assert_eq!(opened.damage.unwrap().offset, (start + 30) as u64);
    assert_eq!(all(&opened.reader).len(), 5);
    assert!(matches!(opened.reader.status(), LogStatus::Damaged(_)));
    assert_eq!(copy.get(&segment(1)).unwrap(), bad);
}

#[test]
fn a_reader_that_meets_damage_names_it_and_stops_the_writer() {
    let disk = MemDisk::new();
    let (mut log, start) = small(&disk);
    let reader = log.reader();
    let file = crate::Disk::open(&disk, &segment(1), crate::Access::ReadWrite).unwrap();
    file.write_at(&[0xFF; 4], (start + 136 + 60) as u64)
        .unwrap();
    let mut scan = reader.scan(Position::new(1));
    for _ in 0..5 {
        scan.next_frame().unwrap().unwrap();
    }
    for _ in 0..2 {
        let Err(ReadError::Damaged(damage)) = scan.next_frame() else {
            panic!("not seen")
        };
        assert_eq!(damage.position, Some(Position::new(6)));
        assert_eq!(damage.offset, (start + 136) as u64);
    }
    assert!(matches!(reader.status(), LogStatus::Damaged(_)));
    let refused = log.commit(|group| group.push(&draft(1, 1, 10)).unwrap());
    assert!(matches!(refused, Err(crate::WriteFailure::Damaged { .. })));
    assert_eq!(
        reader.read_position(Position::new(5)).unwrap().position,
        Position::new(5)
    );
}

#[test]
fn a_write_lost_with_all_its_bytes_is_no_damage() {
    let disk = MemDisk::new();
    let (log, _) = small(&disk);
    drop(log);
    disk.crash(Survivors::None);
    assert_eq!(open(&disk).log.reader().position(), Position::new(8));
}
