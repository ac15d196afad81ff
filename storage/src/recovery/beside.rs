//! Compares payloads with their digests on a thread of its own, while the walk goes on with hashes, links and tree.
//!
//! It only says whether all were right: where one was not, the walk is done again without it, and names the place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use sokhoe_chain::{PayloadDigest, payload_digest};

/// Bytes of payloads that are handed over together.
const BATCH_BYTES: usize = 256 << 10;
/// Batches that wait, at most.
const BATCHES_MAX: usize = 16;

/// Payloads one after the other, each with where it ends and the digest that it must have.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    ends: Vec<(usize, PayloadDigest)>,
}

impl Batch {
    fn right(&self) -> bool {
        let mut from = 0;
        self.ends.iter().all(|(end, stated)| {
            let payload = self.bytes.get(from..*end).unwrap_or_default();
            from = *end;
            payload_digest(payload) == *stated
        })
    }
}

#[derive(Debug)]
pub(super) struct Beside {
    batch: Batch,
    sender: Sender<Batch>,
    wrong: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Beside {
    /// Starts the thread; `None` when the system gives none.
    pub(super) fn start() -> Option<Self> {
        let (sender, batches): (_, Receiver<Batch>) = bounded(BATCHES_MAX);
        let wrong = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&wrong);
        let thread = std::thread::Builder::new()
            .name("verify".into())
            .spawn(move || {
                for batch in batches {
                    if !batch.right() {
                        told.store(true, Ordering::Release);
                    }
                }
            });
        Some(Self {
            batch: Batch::default(),
            sender,
            wrong,
            thread: thread.ok()?,
        })
    }

    /// Hands a payload over; false once a wrong one was found.
    pub(super) fn compare(&mut self, payload: &[u8], stated: PayloadDigest) -> bool {
        self.batch.bytes.extend_from_slice(payload);
        self.batch.ends.push((self.batch.bytes.len(), stated));
        if self.batch.bytes.len() >= BATCH_BYTES {
            self.send();
        }
        !self.wrong.load(Ordering::Acquire)
    }

    fn send(&mut self) {
        if self.sender.send(std::mem::take(&mut self.batch)).is_err() {
            // Nobody compares any more: the walk must.
            self.wrong.store(true, Ordering::Release);
        }
    }

    /// Waits for the rest; says whether all payloads were right.
    pub(super) fn finish(mut self) -> bool {
        self.send();
        drop(self.sender);
        self.thread.join().is_ok() && !self.wrong.load(Ordering::Acquire)
    }
}
