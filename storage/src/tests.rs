//! Promises of the log, kept on a disk in memory.

mod append;
mod cached;
mod committed;

mod damage;
mod faults;
mod flips;
mod frozen;
mod reopen;
mod simulation;
mod stretches;
mod threads;
mod tree;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sokhoe_chain::{Aead, EventHeader, EventKey, LogId, StreamId, StreamKind, payload_digest};

use crate::{Clock, Draft, Frame, Log, LogOptions, NewLog, OpenError, Opened, Reader, Stamped};
use sokhoe_disk::testing::MemDisk;

const FOLDER: &str = "/data";

fn folder() -> &'static Path {
    Path::new(FOLDER)
}

fn segment(number: u32) -> std::path::PathBuf {
    folder().join(format!("log/{number:016}.seg"))
}

/// A clock that moves a millisecond with each look.
fn clock() -> Clock {
    let now = AtomicI64::new(1_700_000_000_000_000);
    Clock::new(move || now.fetch_add(1_000, Ordering::Relaxed))
}

fn options() -> LogOptions {
    LogOptions {
        segment_bytes: 1 << 20,
        first_segment_bytes: 1 << 20,
        in_background: false,
        ..LogOptions::default()
    }
}

fn new_log() -> NewLog {
    NewLog {
        log_id: LogId([7; 16]),
        tenant: [0; 16],
        origin: "test.example/log".into(),
    }
}

fn create_with(disk: &MemDisk, options: LogOptions) -> Log {
    Log::create(
        Arc::new(disk.clone()),
        folder(),
        new_log(),
        options,
        clock(),
    )
    .unwrap()
}

fn create(disk: &MemDisk) -> Log {
    create_with(disk, options())
}

fn try_open(disk: &MemDisk) -> Result<Opened, OpenError> {
    Log::open(Arc::new(disk.clone()), folder(), options(), clock())
}

fn open(disk: &MemDisk) -> Opened {
    try_open(disk).unwrap()
}

fn stream(number: u8) -> StreamId {
    StreamId([number; 16])
}

/// Bytes that look sealed.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

fn draft(number: u8, seed: u64, bytes: usize) -> Draft {
    let payload = noise(seed, bytes);
    let mut header = EventHeader::new(StreamKind::Record, stream(number), Aead::Aes256Gcm);
    header.payload_bytes = u32::try_from(bytes).unwrap();
    header.payload_digest = payload_digest(&payload);
    header.event_key = EventKey(noise(seed, 16).try_into().unwrap());
    Draft::new(&header, payload).unwrap()
}

/// Commits one group of events on streams 1 to 3.
fn commit(log: &mut Log, seeds: std::ops::Range<u64>) -> Vec<Stamped> {
    let drafts: Vec<Draft> = seeds
        .map(|seed| {
            let bytes = usize::try_from(100 + seed % 50).unwrap();
            draft(u8::try_from(1 + seed % 3).unwrap(), seed, bytes)
        })
        .collect();
    let mut stamped = Vec::new();
    log.commit(|group| group.append(&drafts, &mut stamped))
        .unwrap()
        .0
        .unwrap();
    stamped
}

fn all(reader: &Reader) -> Vec<Frame> {
    reader
        .scan(crate::Position::new(1))
        .collect::<Result<_, _>>()
        .unwrap()
}
