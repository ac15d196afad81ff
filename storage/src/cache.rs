//! The checkpoint of heads in `cache/heads`: everything a start needs to read only the log's tail.
//!
//! Rebuildable: it is used only when its digest and its place in the log are right, else ignored. Heads are copied
//! while the writer goes on, so some may be newer than the stated position; `position_max` bounds them.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use sokhoe_chain::{EventHash, Frontier, GroupDigest, NodeHash, StreamId};

use crate::disk::{Disk, read_file, write_file_atomic};
use crate::format::meta::Meta;
use crate::format::{FORMAT_VERSION, aligned, field, i64_at, put, u32_at, u64_at};
use crate::heads::Moved;
use crate::index::Entry;
use crate::log::LogOptions;
use crate::metrics::add;
use crate::position::{Address, Position};
use crate::recovery::NoteHead;
use crate::shared::{Durable, Shared, Tail};

const MAGIC: [u8; 8] = *b"SKHHEADS";
const FILE: &str = "cache/heads";
const FIXED_BYTES: usize = 184;
const HEAD_BYTES: usize = 64;
const ENTRY_BYTES: usize = 16;
/// No cache is longer: a billion streams would be.
const CACHE_BYTES_MAX: u64 = 64 << 30;

/// The log up to one position, as far as a start needs it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cached {
    pub(crate) tail: Tail,
    /// No head here is of a later event.
    pub(crate) position_max: Position,
    pub(crate) note: Option<NoteHead>,
    pub(crate) heads: Vec<Moved>,
    pub(crate) entries: Vec<Entry>,
}

impl PartialEq for Moved {
    fn eq(&self, other: &Self) -> bool {
        (self.stream, self.version, self.hash, self.address)
            == (other.stream, other.version, other.hash, other.address)
    }
}

impl Cached {
    /// Copies what is durable now, in short holds of the locks.
    fn copy(shared: &Shared) -> Self {
        let tail = shared.tail();
        // Streams that appear from here on are found again by reading the log from the position taken above.
        let streams = shared.heads.count();
        let heads = shared.heads.copy(streams);
        let entries = shared.index.copy(tail.durable.position);
        Self {
            tail,
            position_max: shared.position_begun(),
            note: shared.note.head(),
            heads,
            entries,
        }
    }

    fn encode(&self, meta: &Meta) -> Vec<u8> {
        let frontier = self.tail.frontier.to_bytes();
        let heads_at = FIXED_BYTES + aligned(frontier.len());
        let entries_at = heads_at + self.heads.len() * HEAD_BYTES;
        let digest_at = entries_at + self.entries.len() * ENTRY_BYTES;
        let mut bytes = Vec::with_capacity(digest_at + 32);
        bytes.extend_from_slice(&self.encode_fixed(meta, frontier.len()));
        bytes.extend_from_slice(&frontier);
        bytes.resize(heads_at, 0);
        for head in &self.heads {
            bytes.extend_from_slice(&head.stream.0);
            bytes.extend_from_slice(&head.hash.0);
            bytes.extend_from_slice(&head.version.to_le_bytes());
            bytes.extend_from_slice(&head.address.raw().to_le_bytes());
        }
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.time_us.to_le_bytes());
            bytes.extend_from_slice(&entry.address.to_le_bytes());
        }
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        bytes
    }

    fn encode_fixed(&self, meta: &Meta, frontier_bytes: usize) -> [u8; FIXED_BYTES] {
        let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX).to_le_bytes();
        let mut bytes = [0; FIXED_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &FORMAT_VERSION.to_le_bytes());
        put(
            &mut bytes,
            12,
            &u32::from(self.tail.clean_stop).to_le_bytes(),
        );
        put(&mut bytes, 16, &meta.log_id.0);
        put(
            &mut bytes,
            32,
            &self.tail.durable.position.get().to_le_bytes(),
        );
        put(
            &mut bytes,
            40,
            &self.tail.durable.recorded_at_us.to_le_bytes(),
        );
        put(
            &mut bytes,
            48,
            &Address::raw_or_zero(self.tail.durable.end).to_le_bytes(),
        );
        put(&mut bytes, 56, &self.tail.last_group_at_us.to_le_bytes());
        put(&mut bytes, 64, &self.tail.last_group.0);
        put(&mut bytes, 96, &self.tail.epoch.to_le_bytes());
        put(&mut bytes, 104, &self.position_max.get().to_le_bytes());
        if let Some(note) = &self.note {
            put(&mut bytes, 112, &note.size.to_le_bytes());
            put(&mut bytes, 120, &note.root.0);
        }
        put(&mut bytes, 152, &count(self.heads.len()));
        put(&mut bytes, 160, &count(self.entries.len()));
        put(&mut bytes, 168, &count(frontier_bytes));
        put(&mut bytes, 176, &self.tail.groups_in_segment.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8], meta: &Meta) -> Result<Self, &'static str> {
        let (content, digest) = bytes
            .split_last_chunk::<32>()
            .ok_or("it is shorter than its digest")?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(content);
        if hasher.finalize().as_bytes() != digest {
            return Err("its digest is wrong");
        }
        if field(content, 0) != Some(MAGIC) || u32_at(content, 8) != Some(FORMAT_VERSION) {
            return Err("it is of another version");
        }
        if field(content, 16) != Some(meta.log_id.0) {
            return Err("it belongs to another log");
        }
        Self::fields(content).ok_or("its lengths contradict each other")
    }

    fn fields(content: &[u8]) -> Option<Self> {
        let count = |at| usize::try_from(u64_at(content, at)?).ok();
        let (streams, entries, frontier_bytes) = (count(152)?, count(160)?, count(168)?);
        let frontier_end = FIXED_BYTES.checked_add(frontier_bytes)?;
        let heads_at = FIXED_BYTES.checked_add(frontier_bytes.checked_next_multiple_of(8)?)?;
        let entries_at = heads_at.checked_add(streams.checked_mul(HEAD_BYTES)?)?;
        let end = entries_at.checked_add(entries.checked_mul(ENTRY_BYTES)?)?;
        if end != content.len() {
            return None;
        }
        let note = NoteHead {
            size: u64_at(content, 112)?,
            root: NodeHash(field(content, 120)?),
        };
        let (heads, _) = content.get(heads_at..entries_at)?.as_chunks::<HEAD_BYTES>();
        let (entries, _) = content.get(entries_at..)?.as_chunks::<ENTRY_BYTES>();
        Some(Self {
            tail: Tail {
                durable: Durable {
                    position: Position::new(u64_at(content, 32)?),
                    recorded_at_us: i64_at(content, 40)?,
                    end: Address::from_raw(u64_at(content, 48)?),
                },
                frontier: Frontier::from_bytes(content.get(FIXED_BYTES..frontier_end)?).ok()?,
                last_group: GroupDigest(field(content, 64)?),
                last_group_at_us: i64_at(content, 56)?,
                epoch: u64_at(content, 96)?,
                groups_in_segment: u64_at(content, 176)?,
                clean_stop: u32_at(content, 12)? == 1,
            },
            position_max: Position::new(u64_at(content, 104)?),
            note: (note.size > 0).then_some(note),
            heads: heads.iter().map(decode_head).collect::<Option<_>>()?,
            entries: entries.iter().map(decode_entry).collect::<Option<_>>()?,
        })
    }
}

fn decode_head(bytes: &[u8; HEAD_BYTES]) -> Option<Moved> {
    Some(Moved {
        stream: StreamId(field(bytes, 0)?),
        number: None,
        hash: EventHash(field(bytes, 16)?),
        version: u64_at(bytes, 48)?,
        address: Address::from_raw(u64_at(bytes, 56)?)?,
    })
}

fn decode_entry(bytes: &[u8; ENTRY_BYTES]) -> Option<Entry> {
    Some(Entry {
        time_us: i64_at(bytes, 0)?,
        address: u64_at(bytes, 8)?,
    })
}

/// Reads the cache; `Ok(None)` when there is none, the reason when it cannot be used.
pub(crate) fn load(
    disk: &dyn Disk,
    folder: &Path,
    meta: &Meta,
) -> Result<Option<Cached>, &'static str> {
    match read_file(disk, &folder.join(FILE), CACHE_BYTES_MAX) {
        Ok(bytes) => Cached::decode(&bytes, meta).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(_) => Err("it cannot be read"),
    }
}

/// Writes the cache now and then, on a thread of its own where the log has such.
#[derive(Debug)]
pub(crate) struct Cacher {
    written: Position,
    every_events: u64,
    in_background: bool,
    thread: Option<JoinHandle<()>>,
}

impl Cacher {
    pub(crate) fn new(written: Position, options: &LogOptions) -> Self {
        Self {
            written,
            every_events: options.cache_every_events,
            in_background: options.in_background,
            thread: None,
        }
    }

    /// Begins to write when enough events have come since the last time.
    pub(crate) fn after_group(&mut self, shared: &Arc<Shared>, position: Position) {
        let due = position.get().saturating_sub(self.written.get()) >= self.every_events;
        if !due
            || self
                .thread
                .as_ref()
                .is_some_and(|thread| !thread.is_finished())
        {
            return;
        }
        self.written = position;
        if !self.in_background {
            return write(shared);
        }
        let shared = Arc::clone(shared);
        let spawned = std::thread::Builder::new()
            .name("log-cache".into())
            .spawn(move || write(&shared));
        self.thread = spawned.ok();
    }

    /// Waits for a write under way and writes the last state.
    pub(crate) fn finish(&mut self, shared: &Shared) {
        self.join();
        if shared.position() > Position::ZERO {
            write(shared);
        }
    }
}

impl Cacher {
    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic there costs no more than the next start's time.
            let _ = thread.join();
        }
    }
}

impl Drop for Cacher {
    /// Nothing is written after the log's lock is given back.
    fn drop(&mut self) {
        self.join();
    }
}

fn write(shared: &Shared) {
    let bytes = Cached::copy(shared).encode(&shared.meta);
    match write_file_atomic(shared.disk.as_ref(), &shared.folder.join(FILE), &bytes) {
        Ok(()) => add(&shared.counters.cache_writes, 1),
        Err(error) => {
            add(&shared.counters.cache_failures, 1);
            tracing::warn!(%error, "write the checkpoint of heads");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta() -> Meta {
        Meta {
            log_id: sokhoe_chain::LogId([9; 16]),
            tenant: [0; 16],
            origin: "test".into(),
            created_us: 1,
        }
    }

    fn cached() -> Cached {
        let mut frontier = Frontier::default();
        (0..5).for_each(|n| frontier.push_event(&EventHash([n; 32])));
        Cached {
            tail: Tail {
                durable: Durable {
                    position: Position::new(5),
                    recorded_at_us: 77,
                    end: Some(Address::new(1, 4096)),
                },
                frontier,
                last_group: GroupDigest([3; 32]),
                last_group_at_us: 78,
                epoch: 2,
                groups_in_segment: 3,
                clean_stop: true,
            },
            position_max: Position::new(6),
            note: Some(NoteHead {
                size: 4,
                root: NodeHash([8; 32]),
            }),
            heads: vec![Moved {
                stream: StreamId([4; 16]),
                number: None,
                version: 5,
                hash: EventHash([6; 32]),
                address: Address::new(1, 512),
            }],
            entries: vec![Entry {
                time_us: 70,
                address: Address::new(1, 264).raw(),
            }],
        }
    }

    #[test]
    fn the_cache_reads_back() {
        let bytes = cached().encode(&meta());
        assert_eq!(Cached::decode(&bytes, &meta()), Ok(cached()));
    }

    #[test]
    fn a_flipped_bit_or_cut_makes_the_cache_unusable() {
        let good = cached().encode(&meta());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(Cached::decode(&bad, &meta()).is_err());
            assert!(Cached::decode(&good[..at], &meta()).is_err());
        }
    }

    #[test]
    fn the_cache_of_another_log_is_not_used() {
        let other = Meta {
            log_id: sokhoe_chain::LogId([1; 16]),
            ..meta()
        };
        assert!(Cached::decode(&cached().encode(&meta()), &other).is_err());
    }
}
