//! The writer: one thread that decides requests in order, another that makes groups durable.
//!
//! While a group is synced the next one is decided; a lone request is written and synced on the deciding
//! thread, without a hop. No lock is held across a sync. After a failed write or sync nothing is taken any more.

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError, bounded};

use crate::error::WriteFailure;
use crate::group::{BeforeSync, Group};
use crate::log::Log;
use crate::reader::Reader;
use crate::shared::{Durable, LogStatus, Shared};

mod pipeline;

use self::pipeline::Pipeline;

/// Decides requests, in order, on the writer's thread.
pub trait Stage: Send + 'static {
    /// What is submitted.
    type Request: Send + 'static;

    /// Decides one request: appends events, registers completions.
    fn decide(&mut self, request: Self::Request, group: &mut Group<'_>);

    /// Returns what must succeed before the group that was just closed may be written (keys made durable), if anything.
    ///
    /// It is called on the writer's thread and what it returns runs on the thread that syncs, while the next group
    /// may already be decided. A failure stops the log.
    fn before_sync(&mut self) -> Option<BeforeSync> {
        None
    }

    /// Hears that everything up to a position is durable; called on the writer's thread, after completions.
    fn committed(&mut self, durable: Durable) {
        let _ = durable;
    }

    /// Is handed a request that will not be decided, because the log has stopped; dropping it is the default.
    fn refuse(&mut self, request: Self::Request, because: &WriteFailure) {
        let _ = (request, because);
    }
}

/// A request that was not taken, handed back.
pub enum SubmitError<R> {
    /// The queue is full; try again later.
    Full(R),
    /// The log takes nothing any more.
    Stopped(R),
}

impl<R> SubmitError<R> {
    /// Returns the request.
    pub fn into_request(self) -> R {
        match self {
            Self::Full(request) | Self::Stopped(request) => request,
        }
    }
}

impl<R> fmt::Debug for SubmitError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full",
            Self::Stopped(_) => "Stopped",
        })
    }
}

impl<R> fmt::Display for SubmitError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "submit a request: the queue is full",
            Self::Stopped(_) => "submit a request: the log has stopped",
        })
    }
}

impl<R> std::error::Error for SubmitError<R> {}

/// How stopping in order went.
pub(crate) type StopResult = Result<Durable, WriteFailure>;

pub(crate) enum Message<R> {
    Request(R),
    Stop,
}

/// Submits requests from any thread; cheap to clone.
pub struct Submitter<R> {
    sender: Sender<Message<R>>,
    shared: Arc<Shared>,
}

impl<R> Clone for Submitter<R> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<R> fmt::Debug for Submitter<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitter")
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

fn request_of<R>(message: Message<R>) -> Option<R> {
    match message {
        Message::Request(request) => Some(request),
        Message::Stop => None,
    }
}

impl<R: Send + 'static> Submitter<R> {
    /// Queues a request, or says at once that it cannot.
    ///
    /// # Errors
    /// The request, when the queue is full or the log has stopped.
    pub fn submit(&self, request: R) -> Result<(), SubmitError<R>> {
        if !self.shared.accepting() {
            return Err(SubmitError::Stopped(request));
        }
        match self.sender.try_send(Message::Request(request)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(message)) => refused(message, SubmitError::Full),
            Err(TrySendError::Disconnected(message)) => refused(message, SubmitError::Stopped),
        }
    }

    /// Queues a request, waiting for room up to a time.
    ///
    /// # Errors
    /// The request, when there was no room in time or the log has stopped.
    pub fn submit_waiting(&self, request: R, timeout: Duration) -> Result<(), SubmitError<R>> {
        if !self.shared.accepting() {
            return Err(SubmitError::Stopped(request));
        }
        match self.sender.send_timeout(Message::Request(request), timeout) {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Timeout(message)) => refused(message, SubmitError::Full),
            Err(SendTimeoutError::Disconnected(message)) => refused(message, SubmitError::Stopped),
        }
    }
}

impl<R> Submitter<R> {
    /// Returns how many requests wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.sender.len()
    }

    /// Returns how many may wait.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.sender.capacity().unwrap_or(usize::MAX)
    }

    /// Returns whether the log takes events, and if not, why.
    #[must_use]
    pub fn status(&self) -> LogStatus {
        self.shared.status()
    }
}

fn refused<R>(
    message: Message<R>,
    error: impl FnOnce(R) -> SubmitError<R>,
) -> Result<(), SubmitError<R>> {
    request_of(message).map_or(Ok(()), |request| Err(error(request)))
}

/// Owns the log and its threads; dropping it stops them in order.
pub struct Writer<S: Stage> {
    submitter: Submitter<S::Request>,
    reader: Reader,
    thread: Option<JoinHandle<(S, StopResult)>>,
}

impl<S: Stage> fmt::Debug for Writer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("submitter", &self.submitter)
            .finish_non_exhaustive()
    }
}

impl<S: Stage> Writer<S> {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(log: Log, stage: S, queue_capacity: usize) -> std::io::Result<Self> {
        let (sender, receiver) = bounded(queue_capacity.max(1));
        let reader = log.reader();
        let shared = Arc::clone(log.shared());
        let thread = spawn_decider(log, stage, receiver)?;
        Ok(Self {
            submitter: Submitter { sender, shared },
            reader,
            thread: Some(thread),
        })
    }

    /// Returns a handle that submits requests.
    #[must_use]
    pub fn submitter(&self) -> Submitter<S::Request> {
        self.submitter.clone()
    }

    /// Returns a reader of the log.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Queues a request, or says at once that it cannot.
    ///
    /// # Errors
    /// The request, when the queue is full or the log has stopped.
    pub fn submit(&self, request: S::Request) -> Result<(), SubmitError<S::Request>> {
        self.submitter.submit(request)
    }

    /// Queues a request, waiting for room up to a time.
    ///
    /// # Errors
    /// The request, when there was no room in time or the log has stopped.
    pub fn submit_waiting(
        &self,
        request: S::Request,
        timeout: Duration,
    ) -> Result<(), SubmitError<S::Request>> {
        self.submitter.submit_waiting(request, timeout)
    }

    /// Returns whether the log takes events, and if not, why.
    #[must_use]
    pub fn status(&self) -> LogStatus {
        self.submitter.status()
    }

    /// Decides what is queued, makes it durable, leaves the clean-stop mark, and returns the stage.
    ///
    /// # Errors
    /// The failure that had stopped the log, or that stopping met.
    pub fn stop(mut self) -> Result<(S, Durable), WriteFailure> {
        let (stage, result) = self.join().ok_or(WriteFailure::Panicked)?;
        result.map(|durable| (stage, durable))
    }

    fn join(&mut self) -> Option<(S, StopResult)> {
        let thread = self.thread.take()?;
        // A failed send means that the thread is gone, which joining tells as well.
        let _ = self.submitter.sender.send(Message::Stop);
        thread.join().ok()
    }
}

impl<S: Stage> Drop for Writer<S> {
    fn drop(&mut self) {
        self.join();
    }
}

fn spawn_decider<S: Stage>(
    log: Log,
    stage: S,
    receiver: Receiver<Message<S::Request>>,
) -> std::io::Result<JoinHandle<(S, StopResult)>> {
    let pipeline = Pipeline::start(log)?;
    std::thread::Builder::new()
        .name("log-writer".into())
        .spawn(move || pipeline.run(stage, &receiver))
}
