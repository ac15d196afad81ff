//! The sparse index: where every 64th event lies and when it was recorded.
//!
//! 16 bytes per 64 events, in memory, rebuilt from the log or its cache.

use std::sync::RwLock;

use crate::position::{Address, Position};
use crate::sync::{read, write};

/// Events per entry.
pub(crate) const STRIDE: u64 = 64;

/// Where the event at position 64 n + 1 lies, and its group time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) time_us: i64,
    pub(crate) address: u64,
}

/// Entries by n; entry n stands for position 64 n + 1.
#[derive(Debug, Default)]
pub(crate) struct SparseIndex(RwLock<Vec<Entry>>);

/// Says whether a position has an entry.
pub(crate) fn has_entry(position: Position) -> bool {
    position.get() % STRIDE == 1
}

impl SparseIndex {
    pub(crate) fn extend(&self, entries: &[Entry]) {
        if !entries.is_empty() {
            write(&self.0).extend_from_slice(entries);
        }
    }

    /// Returns the last entry at or before a position.
    pub(crate) fn before(&self, position: Position) -> Option<(Position, Address)> {
        let at = position.get().checked_sub(1)? / STRIDE;
        let entry = *read(&self.0).get(usize::try_from(at).ok()?)?;
        Some((
            Position::new(at * STRIDE + 1),
            Address::from_raw(entry.address)?,
        ))
    }

    /// Returns the last entry whose event was recorded at or before a time.
    pub(crate) fn at_time(&self, time_us: i64) -> Option<(Position, Address)> {
        let entries = read(&self.0);
        let at = entries
            .partition_point(|entry| entry.time_us <= time_us)
            .checked_sub(1)?;
        let address = Address::from_raw(entries.get(at)?.address)?;
        Some((Position::new(u64::try_from(at).ok()? * STRIDE + 1), address))
    }

    /// Copies the entries of all positions up to one.
    pub(crate) fn copy(&self, up_to: Position) -> Vec<Entry> {
        let count = usize::try_from(up_to.get().div_ceil(STRIDE)).unwrap_or(usize::MAX);
        read(&self.0).iter().take(count).copied().collect()
    }
}
