//! Prepares the next segment's file ahead of need: real zeros, synced, so that later syncs are short.
//!
//! A helper thread does it; the writer never waits for it, and begins an empty file when it is late.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::disk::Disk;
use crate::log::LogOptions;
use crate::shared::Shared;

/// Bytes written at a time.
const STEP_BYTES: usize = 1 << 20;
const FILE_NAME: &str = "cache/prepared";

#[derive(Debug)]
pub(crate) struct Preparer {
    requests: Option<Sender<u32>>,
    /// Gone once the thread shall end, so that a file ready by then does not wait for a taker.
    ready: Option<Receiver<PathBuf>>,
    thread: Option<JoinHandle<()>>,
}

impl Preparer {
    /// Starts the thread, and asks for the first segment's file.
    pub(crate) fn start(shared: &Shared, options: &LogOptions) -> io::Result<Self> {
        let (requests, wanted) = bounded::<u32>(1);
        let (done, ready) = bounded(1);
        if !options.in_background {
            return Ok(Self {
                requests: None,
                ready: None,
                thread: None,
            });
        }
        let disk = Arc::clone(&shared.disk);
        let folder = shared.folder.clone();
        let thread = std::thread::Builder::new()
            .name("log-prepare".into())
            .spawn(move || {
                for (turn, bytes) in wanted.iter().enumerate() {
                    let path = folder.join(format!("{FILE_NAME}-{}", turn % 2));
                    match prepare(disk.as_ref(), &path, bytes) {
                        Ok(()) => {
                            if done.send(path).is_err() {
                                break;
                            }
                        }
                        Err(error) => tracing::warn!(%error, "prepare the next segment"),
                    }
                }
            })?;
        let preparer = Self {
            requests: Some(requests),
            ready: Some(ready),
            thread: Some(thread),
        };
        preparer.request(options.bytes_of_segment(0));
        Ok(preparer)
    }

    /// Asks for a file of a size; without effect while one is being prepared or waits.
    pub(crate) fn request(&self, bytes: u32) {
        if let Some(requests) = &self.requests {
            // A full queue means that one is on its way already.
            let _ = requests.try_send(bytes);
        }
    }

    /// Returns the prepared file, if there is one.
    pub(crate) fn take(&self) -> Option<PathBuf> {
        self.ready.as_ref()?.try_recv().ok()
    }

    /// Ends the thread.
    pub(crate) fn stop(&mut self) {
        self.requests = None;
        self.ready = None;
        if let Some(thread) = self.thread.take() {
            // The thread only prepares; its panic costs nothing.
            let _ = thread.join();
        }
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn prepare(disk: &dyn Disk, path: &std::path::Path, bytes: u32) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.create_new(path)?;
    let zeros = vec![0_u8; STEP_BYTES];
    let mut offset = 0_u64;
    while offset < u64::from(bytes) {
        let left = usize::try_from(u64::from(bytes) - offset).unwrap_or(usize::MAX);
        let step = zeros.get(..left.min(STEP_BYTES)).unwrap_or_default();
        file.write_at(step, offset)?;
        offset += u64::try_from(step.len()).unwrap_or(u64::MAX);
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_does_not_wait_for_files_that_nobody_takes() {
        // Once a stop emptied the channel, the thread filled it again, and blocked on the next file.
        for _ in 0..200 {
            let (requests, wanted) = bounded::<u32>(1);
            let (done, ready) = bounded(1);
            let thread = std::thread::spawn(move || {
                for _ in wanted {
                    if done.send(PathBuf::new()).is_err() {
                        break;
                    }
                }
            });
            let mut preparer = Preparer {
                requests: Some(requests),
                ready: Some(ready),
                thread: Some(thread),
            };
            for _ in 0..4 {
                preparer.request(1);
                std::thread::yield_now();
            }
            preparer.stop();
        }
    }
}
