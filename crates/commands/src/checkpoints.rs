//! What spares the next start most of the log, written while the writer goes on: event ids and the registry.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::opening::Opener;
use crate::replay::write_snapshot;

/// How often it is looked whether there is enough to write.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The thread that writes them.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    stop: Sender<bool>,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    /// Starts after a registry that was restored at a position.
    pub(crate) fn start(opener: Opener, restored: u64, every: u64) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("checkpoints".into())
            .spawn(move || {
                let mut snapshot = restored;
                loop {
                    match stopped.recv_timeout(LOOK_EVERY) {
                        Err(RecvTimeoutError::Timeout) => {
                            settle_ids(&opener, false);
                            snapshot = snapshot_if_due(&opener, snapshot, every);
                        }
                        Ok(true) => {
                            settle_ids(&opener, true);
                            write_snapshot(&opener);
                            return;
                        }
                        Ok(false) | Err(RecvTimeoutError::Disconnected) => return,
                    }
                }
            })?;
        Ok(Self { stop, thread })
    }

    /// Ends the thread, after the last checkpoints where there are to be any; the writer has stopped.
    pub(crate) fn stop(self, last: bool) {
        let _ = self.stop.send(last);
        let _ = self.thread.join();
    }
}

/// Writes the registry when enough came after the last time; returns the position of the last time.
fn snapshot_if_due(opener: &Opener, last: u64, every: u64) -> u64 {
    let people = u64::try_from(opener.registry.people_count()).unwrap_or(u64::MAX);
    let due = last.saturating_add(every.max(people));
    if opener.reader.position().get() < due {
        return last;
    }
    write_snapshot(opener).unwrap_or(last)
}

fn settle_ids(opener: &Opener, in_any_case: bool) {
    let durable = opener.reader.position().get();
    if let Err(error) = opener.registry.settle_ids(durable, in_any_case) {
        tracing::warn!(%error, "event ids stay in memory: no run of them is written");
    }
}
