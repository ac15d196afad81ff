//! Plain counters of what the log did since it was opened.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds of the sync-time buckets, in microseconds; a last bucket has no bound.
pub const SYNC_BUCKETS_US: [u64; 10] = [
    50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 200_000,
];
const BUCKETS: usize = SYNC_BUCKETS_US.len() + 1;

/// A snapshot of the counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Commit groups made durable.
    pub groups: u64,
    /// Events made durable.
    pub events: u64,
    /// Bytes of these groups.
    pub bytes: u64,
    /// Requests decided.
    pub requests: u64,
    /// Syncs of the log.
    pub syncs: u64,
    /// Time spent in them, in microseconds.
    pub sync_us: u64,
    /// Syncs by duration: one count per bound of [`SYNC_BUCKETS_US`], not cumulative, and one beyond.
    pub sync_buckets: [u64; BUCKETS],
    /// Segments closed.
    pub segments_closed: u64,
    /// Segments begun without a prepared file, because preparing was late.
    pub segments_unprepared: u64,
    /// Checkpoints of heads written to the cache.
    pub cache_writes: u64,
    /// Checkpoints of heads that could not be written; harmless but for the next start's time.
    pub cache_failures: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) groups: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) requests: AtomicU64,
    syncs: AtomicU64,
    sync_us: AtomicU64,
    sync_buckets: [AtomicU64; BUCKETS],
    pub(crate) segments_closed: AtomicU64,
    pub(crate) segments_unprepared: AtomicU64,
    pub(crate) cache_writes: AtomicU64,
    pub(crate) cache_failures: AtomicU64,
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn synced(&self, took_us: u64) {
        add(&self.syncs, 1);
        add(&self.sync_us, took_us);
        let bucket = SYNC_BUCKETS_US
            .iter()
            .take_while(|bound| took_us > **bound)
            .count();
        if let Some(bucket) = self.sync_buckets.get(bucket) {
            add(bucket, 1);
        }
    }

    pub(crate) fn snapshot(&self) -> Metrics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Metrics {
            groups: read(&self.groups),
            events: read(&self.events),
            bytes: read(&self.bytes),
            requests: read(&self.requests),
            syncs: read(&self.syncs),
            sync_us: read(&self.sync_us),
            sync_buckets: std::array::from_fn(|at| self.sync_buckets.get(at).map_or(0, read)),
            segments_closed: read(&self.segments_closed),
            segments_unprepared: read(&self.segments_unprepared),
            cache_writes: read(&self.cache_writes),
            cache_failures: read(&self.cache_failures),
        }
    }
}
