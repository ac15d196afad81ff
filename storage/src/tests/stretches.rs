//! Reading on all processors: in order, whole, and never past damage.

use super::*;
use crate::ReadError;

/// Reads a part of the log in stretches; returns positions and hashes, and where each stretch ended.
fn read(
    reader: &Reader,
    positions: std::ops::RangeInclusive<u64>,
) -> (
    Vec<(u64, sokhoe_chain::EventHash)>,
    Vec<u64>,
    Option<ReadError>,
) {
    let (mut all, mut ends) = (Vec::new(), Vec::new());
    let outcome = reader.in_order(
        positions,
        |stretch| {
            let mut made = Vec::new();
            while let Some(frame) = stretch.next_frame()? {
                made.push((frame.position.get(), frame.hash()));
            }
            Ok::<_, ReadError>(made)
        },
        |made, until| {
            all.extend(made);
            ends.push(until);
            Ok(())
        },
    );
    (all, ends, outcome.err())
}

fn filled(disk: &MemDisk, groups: u64) -> Log {
    let mut log = create(disk);
    for group in 0..groups {
        commit(&mut log, group * 50..group * 50 + 50);
    }
    log
}

#[test]
fn stretches_hold_what_a_scan_holds_in_its_order() {
    let disk = MemDisk::new();
    let log = filled(&disk, 120);
    let reader = log.reader();
    let frames = all(&reader);
    for (from, end) in [
        (1, 6000),
        (1, 3),
        (700, 5123),
        (1025, 2048),
        (6000, 6000),
        (6001, 6000),
    ] {
        let (read, ends, error) = read(&reader, from..=end);
        let expected: Vec<_> = frames
            .iter()
            .map(|frame| (frame.position.get(), frame.hash()))
            .filter(|(position, _)| (from..=end).contains(position))
            .collect();
        assert_eq!(read, expected, "{from} to {end}");
        assert!(error.is_none() && ends.is_sorted());
        assert_eq!(ends.last().copied(), (from <= end).then_some(end));
    }
}

#[test]
fn damage_is_met_after_everything_before_it_was_taken() {
    let disk = MemDisk::new();
    let log = filled(&disk, 120);
    let reader = log.reader();
    let frame = reader.read_position(crate::Position::new(3_500)).unwrap();
    let file = segment(frame.address.segment());
    let file = crate::Disk::open(&disk, &file, crate::Access::ReadWrite).unwrap();
    let inside = u64::from(frame.address.offset()) + 40;
    file.write_at(&[0xFF; 4], inside).unwrap();
    let (read, ends, error) = read(&reader, 1..=6000);
    assert!(matches!(error, Some(ReadError::Damaged(_))), "{error:?}");
    assert_eq!(ends, [1024, 2048, 3072]);
    assert_eq!(read.len(), 3072);
}

#[test]
fn nothing_is_taken_after_an_error_of_whoever_takes() {
    let disk = MemDisk::new();
    let log = filled(&disk, 120);
    let mut taken = 0;
    let refused = log.reader().in_order(
        1..=6000,
        |_| Ok(()),
        |(), until| {
            taken += 1;
            let error = ReadError::NotAFrame {
                address: crate::Address::new(1, 8),
            };
            if until > 2048 { Err(error) } else { Ok(()) }
        },
    );
    assert!(refused.is_err());
    assert_eq!(taken, 3);
}
