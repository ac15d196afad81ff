//! The feed: record events in the order of the log, for those who follow it.
//!
//! The latest events lie opened in a ring that the runner fills and all followers share; a follower is nothing but
//! the position it has passed. Who is further back than the ring reads the log until it is within. Positions are
//! passed one after the other, so nobody who goes on from the last one skips or sees anything twice.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use sokhoe_access::Filter;
use sokhoe_chain::{StreamId, StreamKind};
use sokhoe_commands::{OpenedEvent, Opener, UnsealError, record_stream};
use sokhoe_record::{Kind, PersonId, RecordedEvent};
use sokhoe_storage::Position;

use crate::record_view::visible;
use crate::streams::recorded;

/// Events of the ring, at most.
pub(crate) const RING_EVENTS_MAX: usize = 16_384;
/// Sealed bytes of the ring's events, at most; opened they take some five times as much.
const RING_BYTES_MAX: usize = 16 << 20;
/// Frames looked at in one reading of the log, so that it ends though nothing is wanted.
const FRAMES_AT_ONCE: usize = 4096;
/// Sealed bytes gathered in one reading of the log.
const BYTES_AT_ONCE: usize = 4 << 20;

/// Which events a follower is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What the follower may see.
    pub filter: Filter,
    /// Only the streams of these people; everybody's when `None`.
    pub people: Option<Vec<PersonId>>,
    /// Only these kinds; all of them when empty.
    pub kinds: Vec<Kind>,
}

impl Wanted {
    fn wants(&self, event: &RecordedEvent) -> bool {
        let kind = event.event.kind();
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && visible(&self.filter, event)
            && (self.people.as_ref()).is_none_or(|people| people.contains(&event.person))
    }

    fn wants_stream(&self, stream: StreamId) -> bool {
        let is_theirs = |person: &PersonId| record_stream(*person) == stream;
        (self.people.as_ref()).is_none_or(|people| people.iter().any(is_theirs))
    }
}

/// Events in order, and the position up to which there are no others.
#[derive(Debug, Clone, Default)]
pub struct Passed {
    /// The events that are wanted.
    pub events: Vec<Arc<RecordedEvent>>,
    /// Go on from here.
    pub position: u64,
}

/// What follows a position, as far as memory reaches.
#[derive(Debug, Clone)]
pub enum Ahead {
    /// Everything up to a position.
    Here(Passed),
    /// The ring begins later: the log has to be read.
    Behind,
}

/// The latest record events, opened.
#[derive(Debug, Default)]
pub(crate) struct Ring(RwLock<Kept>);

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<(Arc<RecordedEvent>, usize)>,
    bytes: usize,
    /// Every record event after this position, and up to `until`, is kept.
    from: u64,
    until: u64,
}

impl Ring {
    /// Begins behind a position with nothing kept.
    pub(crate) fn starting_at(position: u64) -> Self {
        Self(RwLock::new(Kept {
            from: position,
            until: position,
            ..Kept::default()
        }))
    }

    /// Takes in what the runner has read between two positions, each event with its sealed size.
    pub(crate) fn push(
        &self,
        after: u64,
        events: impl IntoIterator<Item = (OpenedEvent, usize)>,
        until: u64,
    ) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.until != after {
            // A rebuild has carried the runner past what it had not read: nobody may be told that nothing was there.
            *kept = Kept {
                from: after,
                ..Kept::default()
            };
        }
        for (opened, bytes) in events {
            if let Some(event) = shown(opened) {
                kept.bytes += bytes;
                kept.events.push_back((event, bytes));
            }
        }
        kept.until = until;
        while kept.events.len() > RING_EVENTS_MAX || kept.bytes > RING_BYTES_MAX {
            let Some((event, bytes)) = kept.events.pop_front() else {
                break;
            };
            kept.bytes -= bytes;
            kept.from = event.position;
        }
    }

    /// Returns at most `limit` wanted events after a position.
    pub(crate) fn ahead(&self, after: u64, wanted: &Wanted, limit: usize) -> Ahead {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if after < kept.from {
            return Ahead::Behind;
        }
        let begin = kept
            .events
            .partition_point(|(event, _)| event.position <= after);
        let mut events = Vec::new();
        for (event, _) in kept.events.range(begin..) {
            if !wanted.wants(event) {
                continue;
            }
            if events.len() == limit {
                let position = events
                    .last()
                    .map_or(after, |last: &Arc<RecordedEvent>| last.position);
                return Ahead::Here(Passed { events, position });
            }
            events.push(Arc::clone(event));
        }
        let position = kept.until.max(after);
        Ahead::Here(Passed { events, position })
    }
}

/// Reads what follows a position from the log: at most `limit` wanted events, and no more than a while. Blocks.
///
/// # Errors
/// When an event cannot be read or opened; one whose key was destroyed is passed over.
pub(crate) fn read_log(
    opener: &Opener,
    after: u64,
    wanted: &Wanted,
    limit: usize,
) -> Result<Passed, UnsealError> {
    let mut scan = opener.reader().scan(Position::new(after + 1));
    let mut passed = Passed {
        events: Vec::new(),
        position: after,
    };
    let mut bytes = 0;
    for _ in 0..FRAMES_AT_ONCE {
        if passed.events.len() == limit || bytes > BYTES_AT_ONCE {
            break;
        }
        let Some(frame) = scan.next_frame()? else {
            break;
        };
        passed.position = frame.position.get();
        let header = frame.header()?;
        if header.stream_kind != StreamKind::Record || !wanted.wants_stream(header.stream) {
            continue;
        }
        match opener.open_scanned(&frame) {
            Ok(opened) => {
                let event = opened.and_then(shown).filter(|event| wanted.wants(event));
                bytes += event.as_ref().map_or(0, |_| frame.payload.len());
                passed.events.extend(event);
            }
            Err(error) if error.erased() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(passed)
}

/// What the feed shows of an opened frame: an event of a person's record, and a merge once, not in both streams.
fn shown(opened: OpenedEvent) -> Option<Arc<RecordedEvent>> {
    let shown = opened.person().is_some() && !opened.mirror();
    shown.then(|| Arc::new(recorded(opened)))
}
