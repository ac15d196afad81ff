//! The log's keeper: commits to all stream heads once an hour while the log grows, and when asked to.
//!
//! The time of the latest commitment is that of its event, so a restart neither forgets one nor hurries the next.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use sokhoe_chain::{HeadProof, StreamId};
use sokhoe_storage::{
    CommitmentEvent, CommittedHeads, ReadError, Reader, Submitter, heads_committed,
};
use tokio::sync::{Semaphore, oneshot};

use crate::opening::Opener;
use crate::stage::{Reply, Request};

/// The longest that the heads of a growing log go without a commitment, in microseconds.
const COMMIT_EVERY_US: i64 = 3_600_000_000;
/// How often the keeper looks at the clock.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a commitment waits for room in the writer's queue.
const ROOM_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the heads were not committed to.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The log could not be read.
    #[error("take the heads of all streams")]
    Read(#[from] ReadError),
    /// The log takes nothing, or has no room.
    #[error("append the commitment to all heads: the log takes nothing now")]
    NotTaken,
}

/// A commitment in force, and whom it proves.
#[derive(Debug)]
pub struct Commitment {
    /// The keeper event.
    pub event: CommitmentEvent,
    heads: CommittedHeads,
}

impl Commitment {
    /// Proves a stream's head as of the commitment; `None` when the stream had no event then. Blocks.
    ///
    /// # Errors
    /// When the cached heads cannot be read, or are no longer those committed to.
    pub fn prove(&self, stream: &StreamId) -> Result<Option<HeadProof>, ReadError> {
        self.heads.prove(stream)
    }

    /// Takes the commitment up again, since what was kept of its heads is spoiled. Blocks.
    pub(crate) fn made_anew(&self, reader: &Reader) -> Result<Self, ReadError> {
        Ok(Self {
            event: self.event.clone(),
            heads: CommittedHeads::take_up(reader, &self.event)?,
        })
    }
}

/// Makes commitments and remembers the latest.
#[derive(Debug)]
pub(crate) struct Keeper {
    opener: Opener,
    submitter: Submitter<Vec<Request>>,
    places: Arc<Semaphore>,
    /// Locked while a commitment is made or taken up, so that there is one at a time.
    latest: Mutex<Option<Arc<Commitment>>>,
}

/// The thread that watches the clock.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Watch {
    pub(crate) fn stop(self) {
        drop(self.stop);
        // A panic there is told by the thread itself.
        let _ = self.thread.join();
    }
}

impl Keeper {
    pub(crate) fn new(
        opener: Opener,
        submitter: Submitter<Vec<Request>>,
        places: Arc<Semaphore>,
    ) -> Self {
        Self {
            opener,
            submitter,
            places,
            latest: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Commitment>>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the latest commitment, taking it up from the log once after the start; `None` before the first.
    pub(crate) fn latest(&self) -> Result<Option<Arc<Commitment>>, KeepError> {
        self.taken_up(&mut self.lock())
    }

    fn taken_up(
        &self,
        latest: &mut Option<Arc<Commitment>>,
    ) -> Result<Option<Arc<Commitment>>, KeepError> {
        if latest.is_none()
            && let Some(event) = self.opener.reader.last_commitment()?
        {
            let heads = CommittedHeads::take_up(&self.opener.reader, &event)?;
            heads.remove_others(&self.opener.reader);
            *latest = Some(Arc::new(Commitment { event, heads }));
        }
        Ok(latest.clone())
    }

    /// Commits to the heads of now; returns once the event is durable. Blocks.
    pub(crate) fn commit(&self) -> Result<Arc<Commitment>, KeepError> {
        self.commit_locked(&mut self.lock())
    }

    fn commit_locked(
        &self,
        latest: &mut Option<Arc<Commitment>>,
    ) -> Result<Arc<Commitment>, KeepError> {
        let reader = &self.opener.reader;
        let heads = CommittedHeads::make(reader, reader.position())?;
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| KeepError::NotTaken)?;
        let (sender, answer) = oneshot::channel();
        let request = Request {
            plans: Vec::new(),
            drafts: vec![heads_committed(reader, &heads)],
            reply: Reply {
                sender,
                runtime: None,
            },
            place,
        };
        self.submitter
            .submit_waiting(vec![request], ROOM_TIMEOUT)
            .map_err(|_| KeepError::NotTaken)?;
        match answer.blocking_recv() {
            Ok(Ok(_)) => {}
            _ => return Err(KeepError::NotTaken),
        }
        // Nobody else commits while the lock is held, so the latest in the log is this one.
        let event = reader.last_commitment()?.ok_or(KeepError::NotTaken)?;
        heads.remove_others(reader);
        let commitment = Arc::new(Commitment { event, heads });
        *latest = Some(Arc::clone(&commitment));
        Ok(commitment)
    }

    /// Commits when an hour has gone since the last time and the log has grown since.
    fn commit_when_due(&self, now_us: i64) -> Result<(), KeepError> {
        let mut latest = self.lock();
        let reader = &self.opener.reader;
        let (since_us, covered) = match self.taken_up(&mut latest)? {
            Some(last) => {
                let frame = &last.event.frame;
                (frame.header.recorded_at_us, frame.position)
            }
            None => (reader.meta().created_us, sokhoe_storage::Position::ZERO),
        };
        let grown = reader.position() > covered;
        if grown && now_us.saturating_sub(since_us) >= COMMIT_EVERY_US {
            self.commit_locked(&mut latest)?;
        }
        Ok(())
    }

    /// Starts the thread that keeps the hour.
    pub(crate) fn watch(self: &Arc<Self>, clock: sokhoe_storage::Clock) -> std::io::Result<Watch> {
        let (stop, stopped) = channel::<()>();
        let keeper = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("keeper".into())
            .spawn(move || {
                let mut failing = false;
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK_EVERY) {
                    let kept = keeper.commit_when_due(clock.now_us());
                    if let (Err(error), false) = (&kept, failing) {
                        tracing::error!(error = %crate::chain_of(error), "the heads are not committed to");
                    }
                    failing = kept.is_err();
                }
            })?;
        Ok(Watch { stop, thread })
    }
}
