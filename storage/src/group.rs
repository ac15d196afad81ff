//! A commit group while it is built: stamping, linking and framing of events, in memory only.
//!
//! Owns the writer's speculative view: versions and heads of events that are decided but not yet durable.
//! Refuses I/O; whatever stands here becomes visible only through the sink.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use sokhoe_chain::{EventHash, Stamp, StreamId, event_hash, stamp};

use crate::draft::{Draft, Stamped};
use crate::error::{AppendError, WriteFailure};
use crate::format::frame::append_frame;
use crate::format::group::{FLAG_CLEAN_STOP, GROUP_HEADER_BYTES, TRAILER_BYTES};
use crate::heads::{Head, Moved, StreamHash};
use crate::index::{Entry, has_entry};
use crate::planted::{Mistake, planted};
use crate::position::{Address, Position};
use crate::shared::{Durable, Shared};
use crate::{REQUEST_BYTES_MAX, REQUEST_EVENTS_MAX};

/// How a group ended.
pub type Outcome = Result<Durable, WriteFailure>;

/// Runs once the group is durable, or has failed.
pub(crate) type Completion = Box<dyn FnOnce(&Outcome) + Send>;

/// What runs before a group is written, on the thread that writes it; a failure stops the log.
pub type BeforeSync =
    Box<dyn FnOnce() -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Send>;

/// A group that is complete but for what only the sink knows: the link to the group before, and digests.
pub(crate) struct ClosedGroup {
    pub(crate) sequence: u64,
    pub(crate) start: Address,
    pub(crate) first_position: u64,
    pub(crate) count: u32,
    pub(crate) flags: u32,
    pub(crate) time_us: i64,
    /// Room for the header, then the frames.
    pub(crate) buffer: Vec<u8>,
    pub(crate) moved: Vec<Moved>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) completions: Vec<Completion>,
    pub(crate) before_sync: Option<BeforeSync>,
}

impl ClosedGroup {
    fn empty() -> Self {
        Self {
            sequence: 0,
            start: Address::new(0, 0),
            first_position: 0,
            count: 0,
            flags: 0,
            time_us: 0,
            buffer: Vec::new(),
            moved: Vec::new(),
            entries: Vec::new(),
            completions: Vec::new(),
            before_sync: None,
        }
    }

    /// Says whether the group has nothing to write.
    pub(crate) fn writes_nothing(&self) -> bool {
        self.count == 0 && self.flags & FLAG_CLEAN_STOP == 0
    }
}

#[derive(Clone, Copy)]
struct Speculative {
    head: Moved,
    sequence: u64,
}

/// Builds group after group; one per writer.
pub(crate) struct GroupBuilder {
    shared: Arc<Shared>,
    speculative: HashMap<StreamId, Speculative, StreamHash>,
    group: ClosedGroup,
    spare: Option<ClosedGroup>,
    last_position: u64,
    last_time_us: i64,
    group_bytes_max: usize,
    request_events: usize,
    request_bytes: usize,
    /// Room for the heads that a request's events follow.
    durable_heads: Vec<Option<Head>>,
}

impl GroupBuilder {
    pub(crate) fn new(
        shared: Arc<Shared>,
        last_position: Position,
        last_time_us: i64,
        group_bytes_max: usize,
    ) -> Self {
        Self {
            shared,
            speculative: HashMap::with_hasher(StreamHash::random()),
            group: ClosedGroup::empty(),
            spare: None,
            last_position: last_position.get(),
            last_time_us,
            group_bytes_max,
            request_events: 0,
            request_bytes: 0,
            durable_heads: Vec::new(),
        }
    }

    /// Opens the next group at an address, with time = max(now, last + 1 µs).
    pub(crate) fn begin(&mut self, start: Address, now_us: i64) {
        let mut group = self.spare.take().unwrap_or_else(ClosedGroup::empty);
        group.sequence = self.group.sequence + 1;
        group.start = start;
        group.first_position = self.last_position + 1;
        group.count = 0;
        group.flags = 0;
        group.time_us = now_us.max(self.last_time_us.saturating_add(1));
        group.buffer.clear();
        group.buffer.resize(GROUP_HEADER_BYTES, 0);
        group.moved.clear();
        group.entries.clear();
        self.group = group;
    }

    /// Takes the open group out; `begin` must be called before the next event.
    pub(crate) fn close(&mut self) -> ClosedGroup {
        let mut next = ClosedGroup::empty();
        next.sequence = self.group.sequence;
        let group = std::mem::replace(&mut self.group, next);
        if !group.writes_nothing() {
            self.last_time_us = group.time_us;
        }
        group
    }

    /// Forgets the speculative heads of a group that is durable, and keeps its buffers.
    pub(crate) fn retire(&mut self, group: ClosedGroup) {
        for head in &group.moved {
            if self
                .speculative
                .get(&head.stream)
                .is_some_and(|s| s.sequence <= group.sequence)
            {
                self.speculative.remove(&head.stream);
            }
        }
        self.spare = Some(group);
    }

    pub(crate) fn mark_clean_stop(&mut self) {
        self.group.flags |= FLAG_CLEAN_STOP;
    }

    /// Says whether the group takes no further request.
    pub(crate) fn is_full(&self) -> bool {
        self.group.buffer.len() >= self.group_bytes_max
    }

    pub(crate) fn last_position(&self) -> u64 {
        self.last_position
    }

    /// Returns where the group will end, in bytes from its start.
    pub(crate) fn group_bytes(&self) -> usize {
        self.group.buffer.len() + TRAILER_BYTES
    }

    pub(crate) fn begin_request(&mut self) {
        self.request_events = 0;
        self.request_bytes = 0;
    }

    fn head(&self, stream: &StreamId) -> Option<Moved> {
        if let Some(speculative) = self.speculative.get(stream) {
            return Some(speculative.head);
        }
        Some(self.shared.heads.get(stream)?.of(*stream))
    }

    fn check(&self, drafts: &[Draft]) -> Result<(usize, usize), AppendError> {
        let count = self.request_events.saturating_add(drafts.len());
        if count > REQUEST_EVENTS_MAX {
            return Err(AppendError::TooManyEvents {
                count,
                max: REQUEST_EVENTS_MAX,
            });
        }
        let frames: usize = drafts.iter().map(Draft::frame_bytes).sum();
        let bytes = self.request_bytes.saturating_add(frames);
        if bytes > REQUEST_BYTES_MAX {
            return Err(AppendError::RequestTooLarge {
                bytes,
                max: REQUEST_BYTES_MAX,
            });
        }
        Ok((count, bytes))
    }

    fn append(&mut self, drafts: &[Draft], stamped: &mut Vec<Stamped>) -> Result<(), AppendError> {
        let (count, bytes) = self.check(drafts)?;
        self.request_events = count;
        self.request_bytes = bytes;
        if let [draft] = drafts {
            stamped.push(self.stamp(draft));
            return Ok(());
        }
        // A head that moves meanwhile, by this request or by a group in flight, is among the speculative ones.
        let mut heads = std::mem::take(&mut self.durable_heads);
        let streams = drafts.iter().map(|draft| &draft.stream);
        self.shared.heads.get_all(streams, &mut heads);
        stamped.extend(drafts.iter().zip(heads.drain(..)).map(|(draft, durable)| {
            let speculative = self.speculative.get(&draft.stream).map(|s| s.head);
            let before = speculative.or_else(|| durable.map(|head| head.of(draft.stream)));
            self.stamp_after(draft, before)
        }));
        self.durable_heads = heads;
        Ok(())
    }

    /// Stamps one event and appends its frame.
    pub(crate) fn stamp(&mut self, draft: &Draft) -> Stamped {
        self.stamp_after(draft, self.head(&draft.stream))
    }

    fn stamp_after(&mut self, draft: &Draft, before: Option<Moved>) -> Stamped {
        let version = before.map_or(1, |head| head.version + 1);
        let previous = before.map_or(EventHash::ZERO, |head| head.hash);
        let recorded_at_us = self.group.time_us;
        let mut header = draft.header;
        stamp(
            &mut header,
            Stamp {
                version,
                previous,
                recorded_at_us,
            },
        );
        let hash = event_hash(&header);
        let offset = u64::try_from(self.group.buffer.len()).unwrap_or(u64::MAX);
        let address = self.group.start.plus(offset);
        if !(planted(Mistake::ReusePosition) && self.group.count == 2) {
            self.last_position += 1;
        }
        let position = Position::new(self.last_position);
        append_frame(
            &mut self.group.buffer,
            before.map(|head| head.address),
            position,
            &header,
            &draft.payload,
        );
        let head = Moved {
            stream: draft.stream,
            number: before.and_then(|head| head.number),
            version,
            hash,
            address,
        };
        self.group.moved.push(head);
        self.group.count += 1;
        if has_entry(position) {
            self.group.entries.push(Entry {
                time_us: recorded_at_us,
                address: address.raw(),
            });
        }
        let sequence = self.group.sequence;
        self.speculative
            .insert(draft.stream, Speculative { head, sequence });
        Stamped {
            position,
            stream: draft.stream,
            version,
            hash,
            previous,
            recorded_at_us,
            address,
        }
    }
}

impl fmt::Debug for GroupBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupBuilder")
            .field("last_position", &self.last_position)
            .finish_non_exhaustive()
    }
}

/// The open commit group, as whoever decides a request sees it.
///
/// Everything appended while one request is decided becomes durable together or not at all.
pub struct Group<'a> {
    builder: &'a mut GroupBuilder,
}

impl fmt::Debug for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("position", &self.last_position())
            .finish_non_exhaustive()
    }
}

impl<'a> Group<'a> {
    pub(crate) fn new(builder: &'a mut GroupBuilder) -> Self {
        Self { builder }
    }

    /// Returns the time that events of this group carry, in microseconds since the Unix epoch.
    #[must_use]
    pub fn recorded_at_us(&self) -> i64 {
        self.builder.group.time_us
    }

    /// Returns the last position given so far, durable or not.
    #[must_use]
    pub fn last_position(&self) -> Position {
        Position::new(self.builder.last_position)
    }

    /// Returns a stream's version with all events decided so far, durable or not; 0 when it has none.
    #[must_use]
    pub fn version(&self, stream: &StreamId) -> u64 {
        self.builder.head(stream).map_or(0, |head| head.version)
    }

    /// Begins another request within what was submitted together; the limits of a request count anew.
    pub fn begin_request(&mut self) {
        self.builder.begin_request();
    }

    /// Stamps and appends one event.
    ///
    /// # Errors
    /// When the request would pass a limit; nothing of this event is appended then.
    pub fn push(&mut self, draft: &Draft) -> Result<Stamped, AppendError> {
        let (count, bytes) = self.builder.check(std::slice::from_ref(draft))?;
        self.builder.request_events = count;
        self.builder.request_bytes = bytes;
        Ok(self.builder.stamp(draft))
    }

    /// Stamps and appends events, all or none of them, and adds what they were given to `stamped`.
    ///
    /// # Errors
    /// When the request would pass a limit; nothing is appended then.
    pub fn append(
        &mut self,
        drafts: &[Draft],
        stamped: &mut Vec<Stamped>,
    ) -> Result<(), AppendError> {
        self.builder.append(drafts, stamped)
    }

    /// Registers what runs once everything decided so far is durable, or has failed.
    ///
    /// It runs on the thread that syncs, so it must be short: send the answer and return. A request that
    /// appends nothing waits for the groups before it too, since it may have seen their events.
    pub fn on_durable(&mut self, completion: impl FnOnce(&Outcome) + Send + 'static) {
        self.builder.group.completions.push(Box::new(completion));
    }
}
