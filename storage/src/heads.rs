//! The table of stream heads: the last durable event of every stream.
//!
//! Streams get dense numbers by first appearance. Ids lie in small shards and heads in fixed chunks, so that
//! growing never holds a lock for longer than one small piece takes. About 85 bytes a stream.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::RwLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sokhoe_chain::{EventHash, StreamId};

use crate::position::Address;
use crate::sync::{read, write};

const SHARDS: usize = 256;
const CHUNK: usize = 4096;
/// Heads stored under one hold of the lock.
const HEADS_PER_LOCK: usize = 256;

/// The last event of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The stream's number, dense by first appearance in the log, from 0.
    pub number: u32,
    /// The stream's version: the count of its events.
    pub version: u64,
    /// Hash of its last event.
    pub hash: EventHash,
    /// Where its last frame lies.
    pub address: Address,
}

/// A head that a group moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    pub(crate) stream: StreamId,
    /// The stream's number, when whoever moves the head has met it, which spares looking it up again.
    pub(crate) number: Option<u32>,
    pub(crate) version: u64,
    pub(crate) hash: EventHash,
    pub(crate) address: Address,
}

impl Head {
    /// Names the stream whose head it is.
    pub(crate) fn of(self, stream: StreamId) -> Moved {
        Moved {
            stream,
            number: Some(self.number),
            version: self.version,
            hash: self.hash,
            address: self.address,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Stored {
    hash: EventHash,
    version: u64,
    address: u64,
}

type Shard = HashMap<StreamId, u32, StreamHash>;

/// Committed heads; read by anyone, changed by whoever makes a group durable.
pub(crate) struct Heads {
    shards: Vec<RwLock<Shard>>,
    chunks: RwLock<Vec<Vec<Stored>>>,
    count: AtomicU32,
    hash: StreamHash,
}

impl std::fmt::Debug for Heads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heads")
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

impl Heads {
    pub(crate) fn new() -> Self {
        let hash = StreamHash::random();
        let shards = (0..SHARDS)
            .map(|_| RwLock::new(Shard::with_hasher(hash)))
            .collect();
        Self {
            shards,
            chunks: RwLock::default(),
            count: AtomicU32::new(0),
            hash,
        }
    }

    /// Returns the number of streams.
    pub(crate) fn count(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }

    fn shard(&self, stream: &StreamId) -> Option<&RwLock<Shard>> {
        // Within a shard the map picks the bucket by the low bits and tells entries apart by the top seven.
        let [.., shard, _] = self.hash.of(stream).to_le_bytes();
        self.shards.get(usize::from(shard))
    }

    pub(crate) fn get(&self, stream: &StreamId) -> Option<Head> {
        let number = self.known_number(stream)?;
        head_at(&read(&self.chunks), number)
    }

    /// Adds the heads of several streams in their order: many at once wait for memory together, not in turn.
    pub(crate) fn get_all<'a>(
        &self,
        streams: impl Iterator<Item = &'a StreamId>,
        found: &mut Vec<Option<Head>>,
    ) {
        let numbers: Vec<Option<u32>> = streams.map(|stream| self.known_number(stream)).collect();
        for part in numbers.chunks(HEADS_PER_LOCK) {
            let chunks = read(&self.chunks);
            found.extend(part.iter().map(|number| head_at(&chunks, (*number)?)));
        }
    }

    fn known_number(&self, stream: &StreamId) -> Option<u32> {
        read(self.shard(stream)?).get(stream).copied()
    }

    /// Moves heads, in log order; a head never goes back.
    pub(crate) fn apply(&self, moved: &[Moved]) {
        let mut numbers = Vec::with_capacity(HEADS_PER_LOCK.min(moved.len()));
        for part in moved.chunks(HEADS_PER_LOCK) {
            numbers.clear();
            let number = |head: &Moved| head.number.unwrap_or_else(|| self.number_of(&head.stream));
            numbers.extend(part.iter().map(number));
            let mut chunks = write(&self.chunks);
            for (head, number) in part.iter().zip(&numbers) {
                store(&mut chunks, *number, head);
            }
        }
    }

    /// Returns the stream's number, giving it the next one when it is new. Only one thread applies at a time.
    fn number_of(&self, stream: &StreamId) -> u32 {
        let Some(shard) = self.shard(stream) else {
            return 0;
        };
        if let Some(number) = read(shard).get(stream).copied() {
            return number;
        }
        let number = self.count.fetch_add(1, Ordering::AcqRel);
        write(shard).insert(*stream, number);
        number
    }

    /// Copies all streams with a number below `count`, in order of their numbers, in short holds of the locks.
    pub(crate) fn copy(&self, count: u32) -> Vec<Moved> {
        let len = usize::try_from(count).unwrap_or(usize::MAX);
        let mut streams = vec![None; len];
        for shard in &self.shards {
            for (stream, number) in read(shard).iter() {
                let at = usize::try_from(*number).unwrap_or(usize::MAX);
                if let Some(slot) = streams.get_mut(at) {
                    *slot = Some(*stream);
                }
            }
        }
        let mut copied = Vec::with_capacity(len);
        for (at, part) in streams.chunks(CHUNK).enumerate() {
            let chunks = read(&self.chunks);
            let heads = chunks.get(at).map(Vec::as_slice).unwrap_or_default();
            copied.extend(part.iter().zip(heads).filter_map(|(stream, head)| {
                // The newest stream may have its number and not yet its name.
                let stream = (*stream)?;
                let address = Address::from_raw(head.address)?;
                Some(Moved {
                    stream,
                    number: None,
                    version: head.version,
                    hash: head.hash,
                    address,
                })
            }));
        }
        copied
    }
}

/// The table without a log, so that it can be measured at sizes that no log at hand has.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug)]
pub struct HeadsAlone {
    heads: Heads,
    found: Vec<Option<Head>>,
    moved: Vec<Moved>,
}

#[cfg(any(test, feature = "testing"))]
impl Default for HeadsAlone {
    fn default() -> Self {
        Self {
            heads: Heads::new(),
            found: Vec::new(),
            moved: Vec::new(),
        }
    }
}

#[cfg(any(test, feature = "testing"))]
impl HeadsAlone {
    /// Moves each stream's head by one version as the writer does for a group: all looked up, then all stored. A new
    /// stream begins at version 1; one that comes twice in a group moves once.
    pub fn advance(&mut self, streams: &[StreamId], hash: EventHash) {
        self.found.clear();
        self.heads.get_all(streams.iter(), &mut self.found);
        self.moved.clear();
        let next = streams.iter().zip(&self.found);
        self.moved.extend(next.map(|(stream, head)| Moved {
            stream: *stream,
            number: head.map(|head| head.number),
            version: head.map_or(1, |head| head.version + 1),
            hash,
            address: Address::new(1, 8),
        }));
        self.heads.apply(&self.moved);
    }

    /// Returns a stream's version; `None` when it never began.
    #[must_use]
    pub fn version(&self, stream: &StreamId) -> Option<u64> {
        self.heads.get(stream).map(|head| head.version)
    }

    /// Returns the number of streams.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.heads.count()
    }
}

fn head_at(chunks: &[Vec<Stored>], number: u32) -> Option<Head> {
    let at = usize::try_from(number).ok()?;
    let stored = chunks.get(at / CHUNK)?.get(at % CHUNK)?;
    let address = Address::from_raw(stored.address)?;
    Some(Head {
        number,
        version: stored.version,
        hash: stored.hash,
        address,
    })
}

fn store(chunks: &mut Vec<Vec<Stored>>, number: u32, head: &Moved) {
    let at = usize::try_from(number).unwrap_or(usize::MAX);
    while chunks.len() <= at / CHUNK {
        chunks.push(Vec::with_capacity(CHUNK));
    }
    let Some(chunk) = chunks.get_mut(at / CHUNK) else {
        return;
    };
    let stored = Stored {
        hash: head.hash,
        version: head.version,
        address: head.address.raw(),
    };
    match chunk.get_mut(at % CHUNK) {
        Some(old) if old.version < stored.version => *old = stored,
        Some(_) => {}
        None => chunk.push(stored),
    }
}

/// Hashes stream ids under a key that is random per process, so that chosen ids do not pile up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamHash {
    keys: [u64; 2],
}

impl StreamHash {
    pub(crate) fn random() -> Self {
        let state = RandomState::new();
        Self {
            keys: [state.hash_one(1_u8), state.hash_one(2_u8) | 1],
        }
    }

    fn of(&self, stream: &StreamId) -> u64 {
        self.hash_one(stream)
    }
}

impl BuildHasher for StreamHash {
    type Hasher = StreamHasher;

    fn build_hasher(&self) -> StreamHasher {
        StreamHasher { state: self.keys }
    }
}

/// Folds the product of the two keyed halves.
#[derive(Debug)]
pub(crate) struct StreamHasher {
    state: [u64; 2],
}

impl Hasher for StreamHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut tail = [0; 8];
        for (to, from) in tail.iter_mut().zip(rest) {
            *to = *from;
        }
        for word in words.iter().chain((!rest.is_empty()).then_some(&tail)) {
            let [first, second] = self.state;
            let mixed = u128::from(first ^ u64::from_le_bytes(*word)) * u128::from(second | 1);
            let [low, high] = halves(mixed);
            self.state = [low ^ high, second.rotate_left(23) ^ low];
        }
    }

    fn finish(&self) -> u64 {
        let [first, second] = self.state;
        let [low, high] = halves(u128::from(first ^ second) * 0x9E37_79B9_7F4A_7C15);
        low ^ high
    }
}

fn halves(value: u128) -> [u64; 2] {
    let bytes = value.to_le_bytes();
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|at| words.get(at).map_or(0, |word| u64::from_le_bytes(*word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(seed: u64, version: u64) -> Moved {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&seed.to_le_bytes());
        Moved {
            stream: StreamId(id),
            number: None,
            version,
            hash: EventHash([u8::try_from(version % 251).unwrap(); 32]),
            address: Address::new(1, u32::try_from(seed * 8 + 8).unwrap()),
        }
    }

    #[test]
    fn streams_are_numbered_by_first_appearance() {
        let heads = Heads::new();
        let all: Vec<Moved> = (0..10_000).map(|seed| moved(seed, 1)).collect();
        heads.apply(&all);
        heads.apply(&[moved(7, 2)]);
        for (number, one) in all.iter().enumerate() {
            let head = heads.get(&one.stream).unwrap();
            assert_eq!(usize::try_from(head.number).unwrap(), number);
            assert_eq!(head.version, if number == 7 { 2 } else { 1 });
        }
        assert_eq!(heads.count(), 10_000);
        assert_eq!(heads.get(&moved(10_000, 1).stream), None);
    }

    #[test]
    fn a_head_never_goes_back() {
        let heads = Heads::new();
        heads.apply(&[moved(1, 5), moved(1, 4)]);
        assert_eq!(heads.get(&moved(1, 0).stream).unwrap().version, 5);
    }

    #[test]
    fn the_table_alone_moves_each_head_of_a_group_once() {
        let streams: Vec<StreamId> = (0..3).map(|seed| moved(seed, 1).stream).collect();
        let mut heads = HeadsAlone::default();
        heads.advance(&streams[..2], EventHash::ZERO);
        heads.advance(&[streams[1], streams[1], streams[2]], EventHash::ZERO);
        let versions: Vec<_> = streams.iter().map(|one| heads.version(one)).collect();
        assert_eq!(versions, [Some(1), Some(2), Some(1)]);
        assert_eq!(heads.count(), 3);
    }

    #[test]
    fn the_copy_is_in_order_of_numbers() {
        let heads = Heads::new();
        let all: Vec<Moved> = (0..9_000).rev().map(|seed| moved(seed, 1)).collect();
        heads.apply(&all);
        let copied = heads.copy(8_999);
        assert_eq!(copied.len(), 8_999);
        assert!(copied.iter().zip(&all).all(|(a, b)| a.stream == b.stream));
    }
}
