//! Seeded cycles of appending, failing, crashing and opening again, against a list of what was acknowledged.

use super::*;
use crate::Position;
use crate::testing::{Fault, Operation, Survivors};

const SEEDS: std::ops::Range<u64> = 1..41;
const CYCLES: u64 = 8;

/// A small generator; the seed is in every failure.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn random_options(random: &mut Random) -> LogOptions {
    let bytes = 1024 + u32::try_from(random.below(8192)).unwrap();
    LogOptions {
        segment_bytes: bytes,
        first_segment_bytes: bytes,
        cache_every_events: 1 + random.below(60),
        ..options()
    }
}

fn random_fault(random: &mut Random) -> (Operation, u64, Fault) {
    let operations = [
        Operation::Write,
        Operation::Sync,
        Operation::SyncDir,
        Operation::Rename,
    ];
    let faults = [Fault::Io, Fault::NoSpace, Fault::HalfWritten];
    let pick = |random: &mut Random, count| usize::try_from(random.below(count)).unwrap();
    (
        operations[pick(random, 4)],
        1 + random.below(30),
        faults[pick(random, 3)],
    )
}

fn random_survivors(random: &mut Random) -> Survivors {
    match random.below(4) {
        0 => Survivors::None,
        1 => Survivors::All,
        2 => Survivors::First(usize::try_from(random.below(3)).unwrap()),
        _ => Survivors::Torn(usize::try_from(random.below(900)).unwrap()),
    }
}

/// Appends until something fails or enough is done; returns the hashes acknowledged and those still in flight.
fn append(log: &mut Log, random: &mut Random) -> (Vec<[u8; 32]>, u64) {
    let mut acknowledged = Vec::new();
    for _ in 0..random.below(25) {
        let count = 1 + random.below(6);
        let drafts: Vec<Draft> = (0..count)
            .map(|_| {
                draft(
                    u8::try_from(random.below(4)).unwrap(),
                    random.below(1 << 30),
                    64,
                )
            })
            .collect();
        let reader = log.reader();
        let before = reader.position();
        let mut stamped = Vec::new();
        if log
            .commit(|group| group.append(&drafts, &mut stamped).unwrap())
            .is_err()
        {
            return (acknowledged, count + 1);
        }
        // The event that names a closed segment comes before those of the request.
        let named = stamped[0].position.get() - before.get() - 1;
        if named == 1 {
            acknowledged.push(reader.read_position(before.next()).unwrap().hash().0);
        }
        acknowledged.extend(stamped.iter().map(|stamp| stamp.hash.0));
    }
    (acknowledged, 0)
}

fn check(reader: &Reader, acknowledged: &[[u8; 32]], in_flight: u64, told: &str) -> Vec<[u8; 32]> {
    let frames = all(reader);
    let hashes: Vec<[u8; 32]> = frames.iter().map(|frame| frame.hash().0).collect();
    assert!(
        hashes.starts_with(acknowledged),
        "{told}: an acknowledged event is gone"
    );
    let more = hashes.len() - acknowledged.len();
    assert!(
        more as u64 <= in_flight,
        "{told}: {more} events nobody sent"
    );
    let mut tree = sokhoe_chain::Frontier::default();
    frames
        .iter()
        .for_each(|frame| tree.push_event(&frame.hash()));
    assert_eq!(reader.tree_head(), (tree.size(), tree.root()), "{told}");
    for number in 0..4 {
        let own: Vec<&Frame> = frames
            .iter()
            .filter(|frame| frame.header.stream == stream(number))
            .collect();
        let read = reader.read_stream(&stream(number)).unwrap();
        assert!(
            read.iter().eq(own.iter().copied()),
            "{told}: stream {number}"
        );
    }
    assert_eq!(
        reader.position(),
        Position::new(hashes.len() as u64),
        "{told}"
    );
    hashes
}

#[test]
fn no_crash_or_fault_loses_an_acknowledged_event_or_adds_one() {
    for seed in SEEDS {
        let mut random = Random(seed);
        let disk = MemDisk::new();
        drop(create(&disk));
        let mut known = Vec::new();
        let mut in_flight = 0;
        for cycle in 0..CYCLES {
            let told = format!("seed {seed}, cycle {cycle}");
            let options = random_options(&mut random);
            let opened = Log::open(Arc::new(disk.clone()), folder(), options, clock());
            let mut log = opened.unwrap_or_else(|e| panic!("{told}: {e:?}")).log;
            known = check(&log.reader(), &known, in_flight, &told);
            if random.below(3) > 0 {
                let (operation, nth, fault) = random_fault(&mut random);
                disk.fail(operation, nth, fault);
            }
            let (acknowledged, unsure) = append(&mut log, &mut random);
            known.extend(acknowledged);
            in_flight = unsure;
            if random.below(3) == 0 {
                // Stopping adds no event, whether it goes well or not.
                let _ = log.close();
            } else {
                drop(log);
            }
            disk.crash(random_survivors(&mut random));
        }
    }
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
