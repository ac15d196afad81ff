//! The read side as a whole: views, the runner's thread, waiting for a position, rebuilding.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use sokhoe_access::Filter;
use sokhoe_commands::{Follow, Notes, OpenedEvent, Opener, Seen, UnsealError};
use sokhoe_record::{EventId, PersonId, RecordedEvent};
use sokhoe_storage::Position;
use tokio::sync::watch;

use crate::answers::Answers;
use crate::directory::{Found, Query};
use crate::facts::{AllFacts, Facts};
use crate::feed::{Ahead, Passed, RING_EVENTS_MAX, Ring, Wanted, read_log};
use crate::looks::{Affected, LookRow, LooksAsked, Signal};
use crate::record_view::{
    AsOf, HistoryPage, RecordView, Shown, finished, history_page, position_of, record, shown,
};
use crate::requests::SubjectRequest;
use crate::runner::{Beginning, Index, Noted, apply_all, from_zero, note, read};
use crate::streams::{Streams, recorded};

/// Memory that finished answers may take.
const ANSWERS_BYTES_MAX: u64 = 64 << 20;
/// How long the runner sleeps at most before it looks whether it should stop.
const WAKE_EVERY: Duration = Duration::from_millis(200);
/// Events behind which nothing is kept for the feed: it would not fit.
const BEHIND_EVENTS: u64 = 2 * RING_EVENTS_MAX as u64;
/// Events between two snapshots, unless there are more people: then as many as these.
const SNAPSHOT_EVENTS: u64 = 1_000_000;

/// Why a read has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The position asked for lies in the future.
    #[error("read as of position {asked}: the log ends at {durable}")]
    NotThere {
        /// What was asked for.
        asked: u64,
        /// Where the log ends.
        durable: u64,
    },
    /// Stored events could not be read or opened.
    #[error("read a person's events")]
    Events(#[from] UnsealError),
    /// The answer could not be written as JSON: a bug.
    #[error("write an answer")]
    Write(#[source] serde_json::Error),
    /// The position was not reached in time.
    #[error("wait for position {asked}: reached {reached}")]
    TooLate {
        /// What was asked for.
        asked: u64,
        /// What was reached.
        reached: u64,
    },
}

#[derive(Debug)]
struct Inner {
    streams: Arc<Streams>,
    answers: Answers,
    facts: AllFacts,
    index: RwLock<Index>,
    ring: Ring,
    reached: watch::Sender<u64>,
    /// The log's end found at start.
    ready_at: u64,
    stop: AtomicBool,
    failed: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The read side. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Views(Arc<Inner>);

impl Views {
    /// Follows the log on a thread of its own, from where the beginning has come.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(beginning: Beginning) -> std::io::Result<Self> {
        let Beginning { index, streams } = beginning;
        let ready_at = streams.opener().reader().position().get();
        let (reached, _) = watch::channel(index.position());
        let inner = Arc::new(Inner {
            streams,
            answers: Answers::new(ANSWERS_BYTES_MAX),
            facts: AllFacts::new(),
            ring: Ring::starting_at(index.position()),
            index: RwLock::new(index),
            reached,
            ready_at,
            stop: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            thread: Mutex::new(None),
        });
        let followed = Arc::clone(&inner);
        let thread = std::thread::Builder::new()
            .name("projections".into())
            .spawn(move || followed.follow())?;
        *inner.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(Self(inner))
    }

    /// Returns a person's record as the filter lets it be seen; `None` when there is none, or
    /// nothing of it is seen. Blocks on the disk for people that are not in memory.
    ///
    /// # Errors
    /// When the position lies in the future, or events cannot be read.
    pub fn record(
        &self,
        filter: &Filter,
        person: PersonId,
        as_of: AsOf,
    ) -> Result<Option<RecordView>, ReadError> {
        record(&self.0.streams, &self.0.answers, filter, person, as_of)
    }

    /// Returns a person's record as it is now, where that answer is finished already; never waits for the disk.
    #[must_use]
    pub fn finished_record(&self, filter: &Filter, person: PersonId) -> Option<RecordView> {
        finished(&self.0.streams, &self.0.answers, filter, person)
    }

    /// Returns what a decision about a person needs where it is in memory; never waits for the disk. The inner `None` says
    /// that nobody has that id.
    #[must_use]
    pub fn facts_at_hand(&self, person: PersonId) -> Option<Option<Facts>> {
        self.0.facts.at_hand(&self.0.streams, person)
    }

    /// Returns what a decision about a person needs, as of now or a position; `None` when nobody has that id. Blocks on the
    /// disk.
    ///
    /// # Errors
    /// When events cannot be read.
    pub fn facts(&self, person: PersonId, at: Option<u64>) -> Result<Option<Facts>, ReadError> {
        self.0.facts.of(&self.0.streams, person, at)
    }

    /// Returns a page of a person's history: at most `limit` entries after the position `after`.
    ///
    /// # Errors
    /// As [`Views::record`].
    pub fn history(
        &self,
        filter: &Filter,
        person: PersonId,
        as_of: AsOf,
        (after, limit): (u64, usize),
    ) -> Result<Option<HistoryPage>, ReadError> {
        history_page(&self.0.streams, filter, person, as_of, (after, limit))
    }

    /// Returns the events of a person's record that the filter lets be seen now; `None` as for [`Views::record`]. Blocks.
    ///
    /// # Errors
    /// When events cannot be read.
    pub fn shown(&self, filter: &Filter, person: PersonId) -> Result<Option<Shown>, ReadError> {
        shown(&self.0.streams, filter, person)
    }

    /// Returns one event of some person's record, for whoever may then be shown it.
    ///
    /// # Errors
    /// When it cannot be read or opened.
    pub fn event(&self, id: EventId) -> Result<Option<RecordedEvent>, ReadError> {
        let found = match self.0.streams.opener().by_id(id) {
            Ok(found) => found,
            Err(error) if error.erased() => None,
            Err(error) => return Err(ReadError::Events(error)),
        };
        let of_person = found.filter(|found: &OpenedEvent| found.person().is_some());
        Ok(of_person.map(recorded))
    }

    /// Finds people by name and birth date among those whom the filter lets be found.
    #[must_use]
    pub fn search(&self, filter: &Filter, query: &Query, limit: usize) -> Vec<Found> {
        let index = read_lock(&self.0.index);
        index.directory.search(filter, query, limit)
    }

    /// Returns at most `limit` wanted record events after a position, as far as they are in memory.
    #[must_use]
    pub fn ahead(&self, after: u64, wanted: &Wanted, limit: usize) -> Ahead {
        self.0.ring.ahead(after, wanted, limit)
    }

    /// Reads the same from the log: at most `limit` events, and no more than a few thousand frames. Blocks.
    ///
    /// # Errors
    /// When events cannot be read.
    pub fn read_on(&self, after: u64, wanted: &Wanted, limit: usize) -> Result<Passed, ReadError> {
        read_log(self.0.streams.opener(), after, wanted, limit).map_err(ReadError::Events)
    }

    /// Tells of every position that the views reach.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.reached.subscribe()
    }

    /// Tells whether a facility has entries of a person.
    #[must_use]
    pub fn has_visited(&self, person: PersonId, facility: &str) -> bool {
        let index = read_lock(&self.0.index);
        index.directory.has_visited(person, facility)
    }

    /// Tells whether a facility has entries of anybody.
    #[must_use]
    pub fn knows_facility(&self, facility: &str) -> bool {
        let index = read_lock(&self.0.index);
        index.directory.knows_facility(facility)
    }

    /// Returns the position of a moment.
    ///
    /// # Errors
    /// When it lies in the future, or the log cannot be read.
    pub fn position_of(&self, as_of: AsOf) -> Result<u64, ReadError> {
        position_of(&self.0.streams, as_of)
    }

    /// Shows looks that fit, newest first, at most `limit` before a position: `show` gets each row while they are held.
    pub fn looks<T>(
        &self,
        asked: &LooksAsked,
        before: u64,
        limit: usize,
        show: impl FnMut(LookRow<'_>) -> T,
    ) -> Vec<T> {
        let index = read_lock(&self.0.index);
        let rows = index.looks.rows(asked, before, limit);
        rows.into_iter().map(show).collect()
    }

    /// Counts looks that fit person by person, those looked at most first.
    #[must_use]
    pub fn affected(&self, asked: &LooksAsked) -> Vec<Affected> {
        read_lock(&self.0.index).looks.affected(asked)
    }

    /// Gathers what should be looked at among looks that fit.
    #[must_use]
    pub fn signals(&self, asked: &LooksAsked) -> Vec<Signal> {
        let index = read_lock(&self.0.index);
        let directory = &index.directory;
        let knows = |person, facility: &str| directory.has_visited(person, facility);
        index.looks.signals(asked, knows)
    }

    /// Returns the broken glasses that nobody has reviewed, with the positions of their events, oldest first.
    #[must_use]
    pub fn unreviewed(&self) -> Vec<(u64, EventId)> {
        read_lock(&self.0.index).looks.unreviewed().to_vec()
    }

    /// Returns the requests of everybody who is part of a record, or of all people.
    #[must_use]
    pub fn requests(&self, person: Option<PersonId>) -> Vec<SubjectRequest> {
        let registry = self.0.streams.opener().registry();
        let people = person.map(|person| registry.members(person, None));
        let index = read_lock(&self.0.index);
        index.requests.of(people.as_deref())
    }

    /// How many people the directory holds, retired ones included.
    #[must_use]
    pub fn people_count(&self) -> usize {
        read_lock(&self.0.index).directory.len()
    }

    /// The position that every view has reached.
    #[must_use]
    pub fn position(&self) -> u64 {
        *self.0.reached.borrow()
    }

    /// The log's end found at start; reads are ready once it is reached.
    #[must_use]
    pub fn ready_at(&self) -> u64 {
        self.0.ready_at
    }

    /// Whether the runner had to stop because an event could not be read.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.0.failed.load(Ordering::Acquire)
    }

    /// Waits until every view has reached a position.
    ///
    /// # Errors
    /// `TooLate` when it is not reached within the timeout.
    pub async fn at_least(&self, position: u64, timeout: Duration) -> Result<(), ReadError> {
        let mut reached = self.0.reached.subscribe();
        let waited = reached.wait_for(|reached| *reached >= position);
        if matches!(tokio::time::timeout(timeout, waited).await, Ok(Ok(_))) {
            return Ok(());
        }
        Err(ReadError::TooLate {
            asked: position,
            reached: self.position(),
        })
    }

    /// Rebuilds everything from the first event beside the live views, then swaps. Blocks; uses all processors.
    ///
    /// # Errors
    /// When events cannot be read; the live views then stay as they are.
    pub fn rebuild(&self) -> Result<u64, ReadError> {
        let mut rebuilt = from_zero(&self.0.streams)?;
        let mut index = self.0.index.write().unwrap_or_else(PoisonError::into_inner);
        // The live views may have gone on meanwhile, and nobody may be told of less than before.
        rebuilt.bring_on(index.position())?;
        *index = rebuilt.index;
        let position = index.position();
        drop(index);
        self.0.streams.forget();
        self.0.answers.forget();
        self.0.facts.forget();
        Ok(position)
    }

    /// Stops following and writes a snapshot for the next start. Blocks.
    pub fn close(&self) {
        self.0.stop.store(true, Ordering::Release);
        let thread = self
            .0
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(thread) = thread else { return };
        if thread.join().is_err() || self.failed() {
            return;
        }
        let index = read_lock(&self.0.index);
        index.snapshots().write(self.0.streams.opener());
    }
}

/// Snapshots of the index while it goes on, so that a start after a crash has little to read again.
#[derive(Debug)]
struct Saving {
    last: u64,
    thread: Option<JoinHandle<()>>,
}

impl Saving {
    /// Writes one when enough came after the last. The copy is made here, between two batches; the rest elsewhere.
    fn save_if_due(&mut self, inner: &Inner, reached: u64) {
        let running = self.thread.as_ref().is_some_and(|t| !t.is_finished());
        let index = read_lock(&inner.index);
        let people = u64::try_from(index.directory.len()).unwrap_or(u64::MAX);
        let due = self.last.saturating_add(SNAPSHOT_EVENTS.max(people));
        if running || reached < due {
            return;
        }
        let snapshots = index.snapshots();
        drop(index);
        let opener = inner.streams.opener().clone();
        let thread = std::thread::Builder::new().name("directory".into());
        match thread.spawn(move || snapshots.write(&opener)) {
            Ok(thread) => {
                self.thread = Some(thread);
                self.last = reached;
            }
            Err(error) => tracing::warn!(%error, "no thread to write a snapshot"),
        }
    }
}

impl Drop for Saving {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read_lock<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn follow(&self) {
        let mut saving = Saving {
            last: *self.reached.borrow(),
            thread: None,
        };
        while !self.stop.load(Ordering::Acquire) {
            match self.step() {
                Ok(0) => {
                    let reader = self.streams.opener().reader();
                    if reader.status().open() {
                        let position = Position::new(*self.reached.borrow());
                        let _ = reader.wait_past(position, WAKE_EVERY);
                    } else {
                        // Nothing comes any more, and waiting for it would return at once.
                        std::thread::park_timeout(WAKE_EVERY);
                    }
                }
                Ok(position) => {
                    saving.save_if_due(self, position);
                }
                Err(error) => {
                    tracing::error!(
                        error = %sokhoe_commands::chain_of(&error),
                        "the views stop where an event cannot be read"
                    );
                    self.failed.store(true, Ordering::Release);
                    return;
                }
            }
        }
    }

    /// Applies what comes next; returns the position reached, 0 when there was nothing new.
    fn step(&self) -> Result<u64, UnsealError> {
        let after = read_lock(&self.index).position();
        let opener = self.streams.opener();
        let durable = opener.reader().position().get();
        if durable.saturating_sub(after) > BEHIND_EVENTS {
            opener.bring_on(&mut Live(self), durable - RING_EVENTS_MAX as u64, |_| {})?;
            return Ok(read_lock(&self.index).position());
        }
        let batch = read(opener, after)?;
        if batch.position() == 0 {
            return Ok(0);
        }
        let until = batch.position();
        let reached = self.apply(batch.notes(), until)?;
        // Whoever is told of a position finds its events.
        self.ring.push(after, batch.into_events(), until);
        self.reached.send_replace(reached);
        Ok(reached)
    }

    /// Applies notes in one hold of the directory's lock; returns the position reached, another where a rebuild has
    /// overtaken them.
    fn apply(&self, notes: Notes<Noted>, until: u64) -> Result<u64, UnsealError> {
        let index = self.index.write();
        let mut index = index.unwrap_or_else(PoisonError::into_inner);
        apply_all(&mut index, &self.streams, notes, until)?;
        Ok(index.position())
    }
}

/// The live directory, brought on one short hold of its lock after the other.
struct Live<'a>(&'a Inner);

impl Follow for Live<'_> {
    type Note = Noted;

    fn position(&self) -> u64 {
        read_lock(&self.0.index).position()
    }

    fn note(opener: &Opener, event: &Seen<'_>) -> Result<Option<Noted>, UnsealError> {
        note(opener, event)
    }

    fn apply(&mut self, notes: Notes<Noted>, until: u64) -> Result<(), UnsealError> {
        let reached = self.0.apply(notes, until)?;
        self.0.reached.send_replace(reached);
        Ok(())
    }
}
