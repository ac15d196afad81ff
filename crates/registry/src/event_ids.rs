//! The event ids already taken, by their keyed digest: exactly-once for ever.
//!
//! The latest lie in memory, all others in sorted runs on the disk, each behind a filter in memory, so that a new id
//! costs a probe of each filter and reads nothing. A run's entry is 13 bytes; whether an id that seems taken is
//! taken is asked of the log itself. Runs can be thrown away: what they lack is read from the log's headers.

mod filter;
mod run;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arc_swap::ArcSwap;
use sokhoe_chain::{EventKey, LogId, StreamKind};
use sokhoe_storage::{Disk, Position, Reader};

use run::{Fingerprint, Reading, Run, Writing};

const SHARD_COUNT: usize = 64;
/// Ids in memory past which they are worth a run.
const HOT_MAX: usize = 500_000;
/// A run is merged with all younger ones once these hold so many times as much.
const MERGE_RATIO: u64 = 3;

/// Passes a keyed digest's own bits on: they are uniform already, hashing them again buys nothing,
/// and nobody without the key can aim for a collision.
#[derive(Default)]
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for (index, byte) in bytes.iter().take(8).enumerate() {
            self.0 |= u64::from(*byte) << (8 * index);
        }
    }

    // The length prefix of an array says nothing.
    fn write_usize(&mut self, _length: usize) {}
}

pub(crate) type DigestMap<V> = HashMap<[u8; 16], V, BuildHasherDefault<DigestHasher>>;

/// The keys of the log's events, which the runs are an index of.
pub trait EventKeys: Send + Sync + fmt::Debug {
    /// Returns the key of the event at a position.
    ///
    /// # Errors
    /// When the log cannot be read there.
    fn at(&self, position: u64) -> io::Result<EventKey>;

    /// Visits the keys of all events in a stretch of the log, in order.
    ///
    /// # Errors
    /// When the log cannot be read there.
    fn each(
        &self,
        positions: RangeInclusive<u64>,
        visit: &mut dyn FnMut(u64, EventKey),
    ) -> io::Result<()>;
}

impl EventKeys for Reader {
    fn at(&self, position: u64) -> io::Result<EventKey> {
        let frame = self.read_position(Position::new(position));
        frame
            .map(|frame| frame.header.event_key)
            .map_err(io::Error::other)
    }

    fn each(
        &self,
        positions: RangeInclusive<u64>,
        visit: &mut dyn FnMut(u64, EventKey),
    ) -> io::Result<()> {
        let mut scan = self.scan(Position::new(*positions.start()));
        while let Some(frame) = scan.next_frame().map_err(io::Error::other)? {
            let position = frame.position.get();
            if position > *positions.end() {
                return Ok(());
            }
            let header = frame.header().map_err(io::Error::other)?;
            // The log's own events have no ids.
            if header.stream_kind != StreamKind::Keeper {
                visit(position, header.event_key);
            }
        }
        Ok(())
    }
}

/// Where runs lie, and the log that they index.
#[derive(Debug, Clone)]
pub struct IdRuns {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// The runs' own folder.
    pub folder: PathBuf,
    /// Which log they must be of.
    pub log: LogId,
    /// That log's keys.
    pub keys: Arc<dyn EventKeys>,
}

#[derive(Debug)]
pub(crate) struct EventIds {
    hot: Vec<RwLock<DigestMap<u64>>>,
    cold: Option<Cold>,
}

#[derive(Debug)]
struct Cold {
    place: IdRuns,
    /// In the order of the log, each beginning where the one before ends.
    runs: ArcSwap<Vec<Arc<Run>>>,
    /// Held by whoever changes the runs.
    changing: Mutex<()>,
}

impl Default for EventIds {
    fn default() -> Self {
        Self {
            hot: (0..SHARD_COUNT).map(|_| RwLock::default()).collect(),
            cold: None,
        }
    }
}

impl EventIds {
    /// Opens the runs of a log up to a position, as far as they reach without a gap, and removes all others.
    ///
    /// # Errors
    /// When the folder cannot be made or listed.
    pub(crate) fn open(place: IdRuns, end: u64) -> io::Result<Self> {
        place.disk.create_dir_all(&place.folder)?;
        let mut found: Vec<RangeInclusive<u64>> = Vec::new();
        for name in place.disk.list(&place.folder)? {
            match positions_of(&name) {
                Some(positions) if *positions.end() <= end => found.push(positions),
                _ => remove(&place, &place.folder.join(name)),
            }
        }
        // Of runs that begin together the longest: it was merged from the others.
        found.sort_unstable_by_key(|p| (*p.start(), std::cmp::Reverse(*p.end())));
        let mut runs: Vec<Arc<Run>> = Vec::new();
        for positions in found {
            let next = runs.last().map_or(1, |run| run.positions.end() + 1);
            let path = place.folder.join(name_of(&positions));
            if *positions.start() == next {
                match Run::open(place.disk.as_ref(), &path, place.log) {
                    Ok(run) if run.positions == positions => {
                        runs.push(Arc::new(run));
                        continue;
                    }
                    Ok(_) => tracing::warn!("a run of event ids has another's name"),
                    Err(error) => tracing::warn!(%error, "a run of event ids is made anew"),
                }
            }
            remove(&place, &path);
        }
        let cold = Cold {
            place,
            runs: ArcSwap::from_pointee(runs),
            changing: Mutex::new(()),
        };
        Ok(Self {
            cold: Some(cold),
            ..Self::default()
        })
    }

    /// The last position whose id is in a run; 0 when none is.
    pub(crate) fn settled(&self) -> u64 {
        self.cold.as_ref().map_or(0, Cold::settled)
    }

    /// Reads the ids of a stretch of the log, which ends where the runs do or later, a part at a time into memory
    /// and out of it.
    ///
    /// # Errors
    /// When the log cannot be read or a run cannot be written.
    pub(crate) fn load_settling(&self, positions: RangeInclusive<u64>) -> io::Result<()> {
        let (mut from, end) = positions.into_inner();
        while from <= end {
            let until = end.min(from.saturating_add(HOT_MAX as u64 - 1));
            self.load(from..=until)?;
            self.settle(until, false)?;
            from = until + 1;
        }
        Ok(())
    }

    /// Reads the ids of a stretch of the log into memory.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) fn load(&self, positions: RangeInclusive<u64>) -> io::Result<()> {
        match &self.cold {
            Some(cold) => (cold.place.keys).each(positions, &mut |position, key| {
                self.insert_hot(key, position);
            }),
            None => Ok(()),
        }
    }

    /// Returns the position of the event that has an id. Where neither run nor log can be read, position 0: it has
    /// no event, and so whoever looks there finds an error and takes nothing.
    pub(crate) fn position_of(&self, key: EventKey) -> Option<u64> {
        let hot = || self.read_hot(key)?.get(&key.0).copied();
        let Some(cold) = &self.cold else {
            return hot();
        };
        loop {
            let runs = cold.runs.load();
            if let Some(position) = hot() {
                return Some(position);
            }
            match cold.find(&runs, key) {
                // Ids move between memory and runs: only where the runs stayed the same has all been looked at.
                Ok(None) if Arc::ptr_eq(&runs, &cold.runs.load()) => return None,
                Ok(None) => {}
                Ok(found) => return found,
                Err(run) => {
                    if let Err(error) = self.unsettle(cold, &run) {
                        tracing::error!(%error, "event ids cannot be read from the log");
                        return Some(0);
                    }
                }
            }
        }
    }

    pub(crate) fn take(&self, key: EventKey, position: u64) -> Result<(), u64> {
        match self.position_of(key) {
            Some(taken) => Err(taken),
            None => {
                self.insert_hot(key, position);
                Ok(())
            }
        }
    }

    pub(crate) fn give_back(&self, key: EventKey) {
        if let Some(mut shard) = self.write_hot(key) {
            shard.remove(&key.0);
        }
    }

    /// How many ids wait in memory.
    pub(crate) fn hot_len(&self) -> usize {
        self.hot.iter().map(|shard| read(shard).len()).sum()
    }

    /// Bytes of memory that the runs take.
    pub(crate) fn run_bytes(&self) -> usize {
        let runs = self.cold.as_ref().map(|cold| cold.runs.load_full());
        let bytes = |runs: Arc<Vec<Arc<Run>>>| runs.iter().map(|run| run.memory_bytes()).sum();
        runs.map_or(0, bytes)
    }

    /// Moves the ids up to a durable position into a run when they are many, or in any case, and merges runs.
    ///
    /// # Errors
    /// The disk's; the ids then stay in memory.
    pub(crate) fn settle(&self, durable: u64, in_any_case: bool) -> io::Result<()> {
        let Some(cold) = &self.cold else {
            return Ok(());
        };
        if !in_any_case && self.hot_len() < HOT_MAX {
            return Ok(());
        }
        let _changing = cold.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let from = cold.settled() + 1;
        if durable < from {
            return Ok(());
        }
        let mut entries = Vec::new();
        for shard in &self.hot {
            let all = read(shard);
            let durable = all.iter().filter(|(_, position)| **position <= durable);
            entries.extend(durable.map(|(key, position)| (fingerprint(*key), *position)));
        }
        entries.sort_unstable();
        let run = cold.write(from..=durable, entries.len() as u64, |run| {
            entries.into_iter().try_for_each(|entry| run.push(entry))
        })?;
        let mut runs = Vec::clone(&cold.runs.load());
        runs.push(run);
        cold.runs.store(Arc::new(runs));
        for shard in &self.hot {
            let mut shard = write(shard);
            shard.retain(|_, position| *position > durable);
            shard.shrink_to_fit();
        }
        cold.merge()
    }

    /// Gives up a run that cannot be read and all younger ones: their ids go back into memory, from the log.
    fn unsettle(&self, cold: &Cold, bad: &Arc<Run>) -> io::Result<()> {
        let _changing = cold.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = cold.runs.load_full();
        let Some(at) = runs.iter().position(|run| Arc::ptr_eq(run, bad)) else {
            return Ok(());
        };
        tracing::warn!("a damaged run of event ids is made anew");
        let (kept, given_up) = runs.split_at(at);
        let end = given_up.last().map_or(0, |run| *run.positions.end());
        self.load(*bad.positions.start()..=end)?;
        cold.runs.store(Arc::new(kept.to_vec()));
        for run in given_up {
            remove(&cold.place, run.path());
        }
        Ok(())
    }

    /// Holds an id in memory without asking whether it is taken.
    pub(crate) fn insert_hot(&self, key: EventKey, position: u64) {
        if let Some(mut shard) = self.write_hot(key)
            && let Entry::Vacant(free) = shard.entry(key.0)
        {
            free.insert(position);
        }
    }

    fn read_hot(&self, key: EventKey) -> Option<RwLockReadGuard<'_, DigestMap<u64>>> {
        self.hot.get(shard_of(key)).map(read)
    }

    fn write_hot(&self, key: EventKey) -> Option<RwLockWriteGuard<'_, DigestMap<u64>>> {
        self.hot.get(shard_of(key)).map(write)
    }
}

impl Cold {
    fn settled(&self) -> u64 {
        let runs = self.runs.load();
        runs.last().map_or(0, |run| *run.positions.end())
    }

    /// Looks an id up in the runs, the youngest first.
    ///
    /// # Errors
    /// The run that cannot be read. What the log cannot say makes the id taken.
    fn find(&self, runs: &[Arc<Run>], key: EventKey) -> Result<Option<u64>, Arc<Run>> {
        let fingerprint = fingerprint(key.0);
        for run in runs.iter().rev() {
            if !run.may_hold(fingerprint) {
                continue;
            }
            let found = run.find(fingerprint).map_err(|_| Arc::clone(run))?;
            for position in found {
                match self.place.keys.at(position) {
                    Ok(at) if at != key => {}
                    Ok(_) => return Ok(Some(position)),
                    Err(error) => {
                        tracing::error!(position, %error, "an event id cannot be confirmed");
                        return Ok(Some(0));
                    }
                }
            }
        }
        Ok(None)
    }

    fn write(
        &self,
        positions: RangeInclusive<u64>,
        count: u64,
        fill: impl FnOnce(&mut Writing) -> io::Result<()>,
    ) -> io::Result<Arc<Run>> {
        let disk = self.place.disk.as_ref();
        let path = self.place.folder.join(name_of(&positions));
        let temporary = path.with_extension("new");
        let mut run = Writing::begin(disk, &temporary, count)?;
        fill(&mut run)?;
        run.finish(disk, (&temporary, &path), self.place.log, positions)?;
        Run::open(disk, &path, self.place.log).map(Arc::new)
    }

    /// Makes one of the oldest run that its younger ones outgrow and of all of these.
    fn merge(&self) -> io::Result<()> {
        let runs = self.runs.load_full();
        let younger = |at: usize| runs.iter().skip(at + 1).map(|run| run.count).sum::<u64>();
        let outgrown = |at: &usize| {
            let count = runs.get(*at).map_or(u64::MAX, |run| run.count);
            younger(*at) >= count.saturating_mul(MERGE_RATIO)
        };
        let Some(at) = (0..runs.len().saturating_sub(1)).find(outgrown) else {
            return Ok(());
        };
        let (kept, merged) = runs.split_at(at);
        let (Some(oldest), Some(youngest)) = (merged.first(), merged.last()) else {
            return Ok(());
        };
        let stretch = *oldest.positions.start()..=*youngest.positions.end();
        let count = merged.iter().map(|run| run.count).sum();
        let run = self.write(stretch, count, |run| merge_into(run, merged))?;
        let mut new = kept.to_vec();
        new.push(run);
        self.runs.store(Arc::new(new));
        for run in merged {
            remove(&self.place, run.path());
        }
        Ok(())
    }
}

/// Writes the entries of several runs in order.
fn merge_into(out: &mut Writing, runs: &[Arc<Run>]) -> io::Result<()> {
    let mut readings: Vec<Reading<'_>> = runs.iter().map(|run| run.reading()).collect();
    let mut heads = Vec::with_capacity(readings.len());
    for reading in &mut readings {
        heads.push(reading.next()?);
    }
    // A dozen runs at most: looking at every head is as quick as a heap.
    loop {
        let least = heads.iter().enumerate();
        let least = least.filter_map(|(at, head)| head.map(|head| (head, at)));
        let Some((entry, at)) = least.min() else {
            return Ok(());
        };
        out.push(entry)?;
        if let (Some(head), Some(reading)) = (heads.get_mut(at), readings.get_mut(at)) {
            *head = reading.next()?;
        }
    }
}

fn fingerprint(key: [u8; 16]) -> Fingerprint {
    let [a, b, c, d, e, f, g, h, ..] = key;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

// The last byte picks the shard, the first eight the bucket, so that the two stay independent.
fn shard_of(key: EventKey) -> usize {
    let [.., last] = key.0;
    usize::from(last) % SHARD_COUNT
}

fn name_of(positions: &RangeInclusive<u64>) -> String {
    format!("{:013}-{:013}", positions.start(), positions.end())
}

fn positions_of(name: &str) -> Option<RangeInclusive<u64>> {
    let (from, until) = name.split_once('-')?;
    let positions = from.parse().ok()?..=until.parse().ok()?;
    (name_of(&positions) == name).then_some(positions)
}

/// Removes a file that is of no use; when that fails, the next start tries again.
fn remove(place: &IdRuns, path: &Path) {
    if let Err(error) = place.disk.remove(path) {
        tracing::warn!(%error, "a run of event ids is not removed");
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
