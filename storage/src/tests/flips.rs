//! Ten thousand flipped bits: `verify` names the file of each, and a running log never shows what one of them made.
//!
//! `SOKHOE_FLIPS_SEED` draws the same bits again.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use sokhoe_chain::{Checkpoint, Signer, VerifierKey};

use super::*;
use crate::format::frame::{PREFIX_BYTES, decode_frame};
use crate::format::group::{GROUP_HEADER_BYTES, GroupHeader, TRAILER_BYTES};
use crate::format::segment::{FOOTER_BYTES, SEGMENT_HEADER_BYTES};
use crate::{Access, Disk, LogStatus, Position, ReadError, Verify, verify};
use sokhoe_disk::testing::Random;

const FLIPS: u64 = 10_000;
const FLIPS_OF_A_RUNNING_LOG: u64 = 1_000;
/// Zeros behind the groups of the segment that is being written.
const UNWRITTEN_BYTES: usize = 512;

/// A part of a truth file that is covered in a way of its own.
#[derive(Debug, Clone)]
struct Part {
    file: &'static str,
    class: &'static str,
    bytes: Range<usize>,
}

#[allow(
    clippy::disallowed_methods,
    reason = "whoever runs the tests may draw the same bits again"
)]
fn seed() -> u64 {
    let given = std::env::var("SOKHOE_FLIPS_SEED").ok();
    let given = given.and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(Random::fresh_seed)
}

fn vkey() -> VerifierKey {
    let signer = Signer::from_seed("test.example/log", &[1; 32]).unwrap();
    signer.verifier().clone()
}

const SEGMENTS: [&str; 3] = [
    "log/0000000000000001.seg",
    "log/0000000000000002.seg",
    "log/0000000000000003.seg",
];

/// A log of two closed segments and one being written, with a checkpoint, and all its parts.
fn whole() -> (MemDisk, Log, Vec<Part>) {
    let disk = MemDisk::new();
    let small = LogOptions {
        segment_bytes: 2_000,
        first_segment_bytes: 2_000,
        ..options()
    };
    let mut log = create_with(&disk, small);
    let mut seed = 0;
    while disk.get(&segment(3)).is_none() || seed % 4 != 3 {
        commit(&mut log, seed..seed + 1 + seed % 3);
        seed += 1 + seed % 3;
    }
    let reader = log.reader();
    let (size, root) = reader.tree_head();
    let signer = Signer::from_seed("test.example/log", &[1; 32]).unwrap();
    let note = Checkpoint::new("test.example/log", size, root).sign(&signer);
    reader.write_checkpoint(&note.unwrap().to_string()).unwrap();
    let file = disk.open(&segment(3), Access::ReadWrite).unwrap();
    let end = file.len().unwrap();
    file.write_at(&[0; UNWRITTEN_BYTES], end).unwrap();
    file.sync_all().unwrap();
    let parts = parts(&disk);
    (disk, log, parts)
}

fn parts(disk: &MemDisk) -> Vec<Part> {
    let mut parts = Vec::new();
    for file in ["meta", "checkpoint"] {
        let bytes = 0..disk.get(&folder().join(file)).unwrap().len();
        parts.push(Part {
            file,
            class: file,
            bytes,
        });
    }
    for file in SEGMENTS {
        let bytes = disk.get(&folder().join(file)).unwrap();
        let mut add = |class, bytes| parts.push(Part { file, class, bytes });
        add("segment header", 0..SEGMENT_HEADER_BYTES);
        let mut at = SEGMENT_HEADER_BYTES;
        while let Some(header) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
            let Ok(header) = GroupHeader::decode(header) else {
                break;
            };
            add("group header", at..at + GROUP_HEADER_BYTES);
            let end = at + usize::try_from(header.bytes).unwrap() - TRAILER_BYTES;
            at += GROUP_HEADER_BYTES;
            while at < end {
                let frame = decode_frame(&bytes[at..end]).unwrap();
                let header = at + PREFIX_BYTES;
                let payload = header + frame.header.len();
                let padding = payload + frame.payload.len();
                add("frame prefix", at..header);
                add("event header", header..payload);
                add("payload", payload..padding);
                if padding < at + frame.length {
                    add("padding", padding..at + frame.length);
                }
                at += frame.length;
            }
            add("group trailer", at..at + TRAILER_BYTES);
            at += TRAILER_BYTES;
        }
        let class = if file == SEGMENTS[2] {
            "unwritten space"
        } else {
            "segment footer"
        };
        add(class, at..bytes.len());
        assert!(class == "unwritten space" || bytes.len() - at == FOOTER_BYTES);
    }
    parts
}

/// Draws a part, so that rare ones are hit as often as common ones, then a bit of it.
fn draw(random: &mut Random, parts: &[Part]) -> (Part, usize, u32) {
    let mut classes: Vec<&str> = parts.iter().map(|part| part.class).collect();
    classes.sort_unstable();
    classes.dedup();
    let class = classes[random.index(classes.len())];
    let of_class: Vec<&Part> = parts.iter().filter(|part| part.class == class).collect();
    let part = of_class[random.index(of_class.len())].clone();
    let at = part.bytes.start + random.index(part.bytes.len());
    let bit = u32::try_from(random.below(8)).unwrap();
    (part, at, bit)
}

fn flip(disk: &MemDisk, file: &str, at: usize, bit: u32) {
    let path: PathBuf = folder().join(file);
    let mut bytes = disk.get(&path).unwrap();
    bytes[at] ^= 1 << bit;
    disk.put(&path, &bytes);
}

/// What an auditor with the public key says of a folder: the file that is not as it was written, and where.
fn named(disk: &MemDisk) -> Option<(String, u64)> {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let how = Verify {
        key: Some(vkey()),
        ..Verify::default()
    };
    match verify(&shared, folder(), &how) {
        Ok(verified) => verified.damage.map(|damage| (damage.file, damage.offset)),
        Err(OpenError::Damaged(damage)) => Some((damage.file, damage.offset)),
        Err(OpenError::UnknownVersion { file, .. }) => Some((file, 0)),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn ten_thousand_flipped_bits_are_each_named_with_their_file() {
    let (disk, log, parts) = whole();
    drop(log);
    let seed = seed();
    println!("SOKHOE_FLIPS_SEED={seed}");
    let mut random = Random::new(seed);
    let mut classes: BTreeMap<&str, u64> = BTreeMap::new();
    assert_eq!(named(&disk), None);
    for nth in 0..FLIPS {
        let (part, at, bit) = draw(&mut random, &parts);
        flip(&disk, part.file, at, bit);
        let found = named(&disk);
        let what = format!("seed {seed}, flip {nth}: bit {bit} of byte {at}, {part:?}: {found:?}");
        let (file, offset) = found.unwrap_or_else(|| panic!("not seen: {what}"));
        assert_eq!(file, part.file, "{what}");
        assert!(
            offset <= part.bytes.end as u64,
            "named behind its part: {what}"
        );
        flip(&disk, part.file, at, bit);
        *classes.entry(part.class).or_default() += 1;
    }
    assert_eq!(named(&disk), None);
    println!("{FLIPS} flipped bits, all named: {classes:?}");
    assert_eq!(classes.len(), 11, "{classes:?}");
    assert!(classes.values().all(|count| *count > 500), "{classes:?}");
}

/// Reads a log in order and by streams; the damage where it is met.
fn read_all(reader: &Reader) -> Result<Vec<Frame>, ReadError> {
    let frames = reader
        .scan(Position::new(1))
        .collect::<Result<Vec<_>, _>>()?;
    for number in 1..=3 {
        for frame in reader.read_stream(&stream(number))? {
            let index = usize::try_from(frame.position.get() - 1).unwrap();
            assert_eq!(
                frame, frames[index],
                "a stream shows another event than the log"
            );
        }
    }
    Ok(frames)
}

#[test]
fn a_running_log_shows_no_event_that_a_flipped_bit_made_and_writes_nothing_after_one() {
    let seed = seed();
    println!("SOKHOE_FLIPS_SEED={seed}");
    let mut random = Random::new(seed);
    let mut met = 0;
    for nth in 0..FLIPS_OF_A_RUNNING_LOG {
        let (disk, mut log, parts) = whole();
        let reader = log.reader();
        let written = read_all(&reader).unwrap();
        let (part, at, bit) = draw(&mut random, &parts);
        let file = disk
            .open(&folder().join(part.file), Access::ReadWrite)
            .unwrap();
        let mut byte = [0];
        file.read_at(&mut byte, at as u64).unwrap();
        file.write_at(&[byte[0] ^ (1 << bit)], at as u64).unwrap();
        let what = format!("seed {seed}, flip {nth}: bit {bit} of byte {at}, {part:?}");
        let note = reader.checkpoint_note().unwrap();
        assert!(Checkpoint::open(note.as_bytes(), &vkey()).is_ok(), "{what}");
        let of_event = matches!(
            part.class,
            "frame prefix" | "event header" | "payload" | "padding"
        );
        match read_all(&reader) {
            Ok(frames) => {
                assert_eq!(frames, written, "{what}");
                assert!(!of_event, "passed over: {what}");
            }
            Err(ReadError::Damaged(damage)) => {
                assert_eq!(damage.file, part.file, "{what}");
                met += 1;
            }
            Err(other) => panic!("{what}: {other}"),
        }
        // Headers and trailers of groups are met only where a reader goes over them.
        let seen = matches!(reader.status(), LogStatus::Damaged(_));
        let must_see = of_event || part.class == "checkpoint";
        assert!(seen || !must_see, "{what}");
        let before = disk.get(&folder().join(part.file)).unwrap();
        let appended = log.commit(|group| group.push(&draft(1, 999, 100)).unwrap());
        assert_eq!(appended.is_err(), seen, "{what}");
        if seen {
            assert!(log.close().is_err(), "{what}");
            let after = disk.get(&folder().join(part.file)).unwrap();
            assert!(before == after, "repaired silently: {what}");
        }
    }
    assert!(met > 0);
}

#[test]
fn a_checkpoint_that_somebody_exchanges_or_removes_stops_the_writer_and_stays_as_it_is() {
    for other in [None, Some(&b"another note"[..]), Some(&[0xFF; 9][..])] {
        let (disk, mut log, _) = whole();
        let reader = log.reader();
        let path = folder().join("checkpoint");
        let good = reader.checkpoint_note().unwrap();
        disk.remove(&path).unwrap();
        if let Some(bytes) = other {
            disk.put(&path, bytes);
        }
        let (size, root) = reader.tree_head();
        let replaced = reader.write_checkpoint(&super::reopen::note(size, root));
        assert!(matches!(replaced, Err(crate::WriteFailure::Damaged { .. })));
        assert_eq!(disk.get(&path).as_deref(), other);
        assert_eq!(reader.checkpoint_note().unwrap(), good);
        assert!(log.commit(|_| ()).is_err());
    }
}
