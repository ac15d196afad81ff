//! What writer and readers share: what is durable, who wants to know, and whether the log is whole.
//!
//! Readers see a position only after its group is synced: heads and index first, the position last.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use sokhoe_chain::{Frontier, GroupDigest, NodeHash};

use crate::clock::Clock;
use crate::disk::Disk;
use crate::error::{Damage, WriteFailure};
use crate::format::meta::Meta;
use crate::group::ClosedGroup;
use crate::heads::Heads;
use crate::index::SparseIndex;
use crate::metrics::Counters;
use crate::position::{Address, Position};
use crate::recovery::NoteHead;
use crate::segments::Segments;
use crate::stored_note::StoredNote;
use crate::sync::lock;

/// How far the log is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durable {
    /// The last durable position.
    pub position: Position,
    /// Group time of that event in microseconds since the Unix epoch; 0 in an empty log.
    pub recorded_at_us: i64,
    /// Where the last durable group ends; `None` in an empty log.
    pub end: Option<Address>,
}

/// Whether the log takes events, and if not, why.
#[derive(Clone, Debug)]
pub enum LogStatus {
    /// It does.
    Open,
    /// It was opened for reading only.
    ReadOnly,
    /// It was closed in order.
    Closed,
    /// A write or sync failed; nothing more is written until a restart.
    Stopped(WriteFailure),
    /// Somebody met damage; nothing more is written.
    Damaged(Box<Damage>),
}

impl LogStatus {
    /// Says whether events are taken.
    #[must_use]
    pub fn open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

/// The durable end with what the next start and the next group need of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tail {
    pub(crate) durable: Durable,
    pub(crate) frontier: Frontier,
    pub(crate) last_group: GroupDigest,
    pub(crate) last_group_at_us: i64,
    pub(crate) epoch: u64,
    pub(crate) groups_in_segment: u64,
    pub(crate) clean_stop: bool,
}

/// Called after each publication.
type Listener = Box<dyn Fn(Durable) + Send + Sync>;

pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) folder: PathBuf,
    pub(crate) meta: Meta,
    pub(crate) clock: Clock,
    pub(crate) heads: Heads,
    pub(crate) index: SparseIndex,
    pub(crate) segments: Segments,
    pub(crate) counters: Counters,
    position: AtomicU64,
    published: Mutex<Tail>,
    /// Heads may already show events up to here while a group is being published.
    begun: AtomicU64,
    /// Where the synced bytes end: set before heads lead there.
    synced_end: AtomicU64,
    pub(crate) note: StoredNote,
    advanced: Condvar,
    listeners: Mutex<Vec<Listener>>,
    status: Mutex<LogStatus>,
    accepting: AtomicU8,
}

const ACCEPTS: u8 = 1;
const REFUSES: u8 = 0;

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("durable", &self.durable())
            .finish_non_exhaustive()
    }
}

/// What a log is opened with.
pub(crate) struct Opening {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) folder: PathBuf,
    pub(crate) meta: Meta,
    pub(crate) clock: Clock,
    pub(crate) heads: Heads,
    pub(crate) index: SparseIndex,
    pub(crate) segments: Segments,
    pub(crate) tail: Tail,
    pub(crate) note: Option<NoteHead>,
    pub(crate) status: LogStatus,
}

impl Shared {
    pub(crate) fn new(opening: Opening) -> Self {
        let accepting = if opening.status.open() {
            ACCEPTS
        } else {
            REFUSES
        };
        Self {
            disk: opening.disk,
            folder: opening.folder,
            meta: opening.meta,
            clock: opening.clock,
            heads: opening.heads,
            index: opening.index,
            segments: opening.segments,
            counters: Counters::default(),
            position: AtomicU64::new(opening.tail.durable.position.get()),
            begun: AtomicU64::new(opening.tail.durable.position.get()),
            synced_end: AtomicU64::new(Address::raw_or_zero(opening.tail.durable.end)),
            published: Mutex::new(opening.tail),
            note: StoredNote::found(opening.note),
            advanced: Condvar::new(),
            listeners: Mutex::default(),
            status: Mutex::new(opening.status),
            accepting: AtomicU8::new(accepting),
        }
    }

    pub(crate) fn durable(&self) -> Durable {
        lock(&self.published).durable
    }

    pub(crate) fn position(&self) -> Position {
        Position::new(self.position.load(Ordering::Acquire))
    }

    /// Returns the durable end, all of one moment.
    pub(crate) fn tail(&self) -> Tail {
        lock(&self.published).clone()
    }

    /// Returns the last position that any head may show.
    pub(crate) fn position_begun(&self) -> Position {
        Position::new(self.begun.load(Ordering::Acquire))
    }

    /// Says whether an address lies in synced bytes.
    pub(crate) fn synced(&self, address: Address) -> bool {
        address.raw() < self.synced_end.load(Ordering::Acquire)
    }

    pub(crate) fn tree_head(&self) -> (u64, NodeHash) {
        let tail = self.tail();
        (tail.frontier.size(), tail.frontier.root())
    }

    /// Makes a synced group visible: heads and index, then the position, then whoever waits.
    pub(crate) fn publish(&self, group: &ClosedGroup, end: &Tail) {
        let durable = end.durable;
        self.begun.store(durable.position.get(), Ordering::Release);
        self.synced_end
            .store(Address::raw_or_zero(durable.end), Ordering::Release);
        self.heads.apply(&group.moved);
        self.index.extend(&group.entries);
        {
            let mut published = lock(&self.published);
            published.clone_from(end);
            self.position
                .store(durable.position.get(), Ordering::Release);
        }
        self.tell(durable);
    }

    /// Wakes whoever waits.
    fn tell(&self, durable: Durable) {
        self.advanced.notify_all();
        for listener in lock(&self.listeners).iter() {
            listener(durable);
        }
    }

    pub(crate) fn listen(&self, listener: Listener) {
        lock(&self.listeners).push(listener);
    }

    /// Waits until the durable position is past one, the log stops, or the time is over.
    pub(crate) fn wait_past(&self, position: Position, timeout: Duration) -> Durable {
        let published = lock(&self.published);
        let waited = self
            .advanced
            .wait_timeout_while(published, timeout, |published| {
                published.durable.position <= position && self.accepting()
            });
        match waited {
            Ok((published, _)) => published.durable,
            Err(poisoned) => poisoned.into_inner().0.durable,
        }
    }

    pub(crate) fn accepting(&self) -> bool {
        self.accepting.load(Ordering::Acquire) == ACCEPTS
    }

    pub(crate) fn status(&self) -> LogStatus {
        lock(&self.status).clone()
    }

    /// Ends acceptance for good; the first reason stands, but damage outranks the others.
    pub(crate) fn stop(&self, reason: LogStatus) {
        {
            let mut status = lock(&self.status);
            let worse = matches!(reason, LogStatus::Damaged(_))
                && !matches!(*status, LogStatus::Damaged(_));
            if status.open() || worse {
                *status = reason;
            }
            self.accepting.store(REFUSES, Ordering::Release);
        }
        // The lock orders this after any waiter's check, so that none sleeps through it.
        let durable = lock(&self.published).durable;
        self.tell(durable);
    }

    /// Notes damage that a reader met.
    pub(crate) fn damaged(&self, damage: &Damage) {
        self.stop(LogStatus::Damaged(Box::new(damage.clone())));
    }

    /// Returns why nothing more may be written, if so.
    pub(crate) fn refusal(&self) -> Option<WriteFailure> {
        if self.accepting() {
            return None;
        }
        Some(match self.status() {
            LogStatus::Stopped(failure) => failure,
            LogStatus::Damaged(source) => WriteFailure::Damaged { source },
            _ => WriteFailure::Stopped,
        })
    }
}
