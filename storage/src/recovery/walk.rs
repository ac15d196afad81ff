//! Walks commit groups in order and checks all that binds them: checksums, digests, positions, links.

use std::collections::HashMap;
use std::io;

use sokhoe_chain::header::{payload_digest_of, stamp_of, stream_of};
use sokhoe_chain::{
    Checkpoint, EventHash, Frontier, GroupDigest, NodeHash, SignedNote, event_hash, group_digest,
    payload_digest,
};

use super::beside::Beside;
use crate::cache::Cached;
use crate::disk::read_full_at;
use crate::error::{Damage, DamageKind};
use crate::format::frame::{FrameBytes, PREFIX_BYTES, checked_frame, decode_frame, stated_length};
use crate::format::group::{
    GROUP_BYTES_MAX, GROUP_HEADER_BYTES, GroupHeader, TRAILER_BYTES, check_trailer,
};
use crate::format::meta::Meta;
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::format::{Flaw, short_hex};
use crate::heads::{Heads, Moved, StreamHash};
use crate::index::{Entry, SparseIndex, has_entry};
use crate::position::{Address, Position};
use crate::segments::Segment;

/// Bytes read at once.
const WINDOW_BYTES: usize = 1 << 20;

/// What the next group must say.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) meta: Meta,
    pub(super) next_position: u64,
    pub(super) last_group: GroupDigest,
    pub(super) group_end: Option<Address>,
    pub(super) last_time_us: i64,
    pub(super) epoch: u64,
}

impl Expected {
    pub(super) fn first(meta: &Meta) -> Self {
        Self {
            meta: meta.clone(),
            next_position: 1,
            last_group: GroupDigest::ZERO,
            group_end: None,
            last_time_us: i64::MIN,
            epoch: 0,
        }
    }

    fn check_links(&self, header: &GroupHeader) -> Result<(), Flaw> {
        let link = |part, at| Flaw::new(DamageKind::Link, part, at);
        if header.log_id != self.meta.log_id || header.tenant != self.meta.tenant {
            return Err(link("log id of a group", 16).compared(self.meta.log_id, header.log_id));
        }
        if header.previous != self.last_group {
            return Err(link("link to the group before", 96)
                .compared(short_hex(&self.last_group.0), short_hex(&header.previous.0)));
        }
        if header.previous_end != Address::raw_or_zero(self.group_end) {
            return Err(link("end of the group before", 88)
                .compared(Address::raw_or_zero(self.group_end), header.previous_end));
        }
        if header.first_position != self.next_position {
            return Err(link("first position of a group", 56)
                .compared(self.next_position, header.first_position));
        }
        if header.time_us <= self.last_time_us {
            return Err(link("time of a group", 80).compared(
                format_args!("more than {}", self.last_time_us),
                header.time_us,
            ));
        }
        if header.epoch < self.epoch {
            return Err(link("writer epoch of a group", 48).compared(self.epoch, header.epoch));
        }
        Ok(())
    }
}

/// Checks one group at the start of the bytes, all of it, and returns its header and digest.
pub(super) fn check_group(
    bytes: &[u8],
    expected: &Expected,
) -> Result<(GroupHeader, GroupDigest), Flaw> {
    let missing = |part| Flaw::new(DamageKind::Missing, part, 0);
    let header = bytes.first_chunk().ok_or_else(|| missing("group header"))?;
    let header = GroupHeader::decode(header)?;
    expected.check_links(&header)?;
    let group = whole_group(bytes, &header)?;
    let frames_end = group.len() - TRAILER_BYTES;
    let mut at = GROUP_HEADER_BYTES;
    for index in 0..u64::from(header.count) {
        let frames = group.get(at..frames_end).unwrap_or_default();
        let frame = decode_frame(frames).map_err(|flaw| Flaw {
            at: at + flaw.at,
            ..flaw
        })?;
        let position = header.first_position.saturating_add(index);
        if frame.position.get() != position {
            return Err(Flaw::new(DamageKind::Misplaced, "position of a frame", at)
                .compared(position, frame.position));
        }
        at += frame.length;
    }
    if at != frames_end {
        return Err(Flaw::new(DamageKind::Misplaced, "length of a group", 72));
    }
    let digest = group_digest(group.get(..frames_end).unwrap_or_default());
    check_trailer(group.get(frames_end..).unwrap_or_default(), &digest).map_err(|flaw| Flaw {
        at: frames_end + flaw.at,
        ..flaw
    })?;
    Ok((header, digest))
}

/// Returns the bytes of a group whose header is right.
pub(super) fn whole_group<'a>(bytes: &'a [u8], header: &GroupHeader) -> Result<&'a [u8], Flaw> {
    let possible = header.bytes <= GROUP_BYTES_MAX && header.bytes.is_multiple_of(8);
    usize::try_from(header.bytes)
        .ok()
        .filter(|bytes| possible && *bytes >= GROUP_HEADER_BYTES + TRAILER_BYTES)
        .ok_or_else(|| Flaw::new(DamageKind::Misplaced, "length of a group", 72))
        .and_then(|length| {
            bytes
                .get(..length)
                .ok_or_else(|| Flaw::new(DamageKind::Missing, "rest of a group", 0))
        })
}

/// What the stored signed checkpoint says, to be met on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoteHead {
    pub(crate) size: u64,
    pub(crate) root: NodeHash,
}

impl NoteHead {
    /// Reads a note; its signature is checked by whoever holds the key.
    pub(crate) fn parse(note: &[u8], origin: &str) -> Result<Self, String> {
        let note = SignedNote::parse(note).map_err(|error| error.to_string())?;
        let checkpoint = Checkpoint::parse_body(note.text()).map_err(|error| error.to_string())?;
        if checkpoint.origin != origin {
            return Err(format!("origin {}", checkpoint.origin));
        }
        Ok(Self {
            size: checkpoint.size,
            root: checkpoint.root,
        })
    }
}

/// What walking has built so far.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) expected: Expected,
    pub(super) heads: Heads,
    pub(super) index: SparseIndex,
    pub(super) frontier: Frontier,
    pub(super) recorded_at_us: i64,
    pub(super) clean_stop: bool,
    /// Groups of the segment that is walked, those before the start included.
    pub(super) groups_in_segment: u64,
    pub(super) events_read: u64,
    pub(super) note: Option<NoteHead>,
    /// What a verification looks at besides.
    pub(super) closely: Option<Closely>,
    in_group: HashMap<sokhoe_chain::StreamId, Moved, StreamHash>,
}

/// What a verification checks and a start does not.
#[derive(Debug, Default)]
pub(super) struct Closely {
    /// A checkpoint that somebody kept.
    pub(super) kept: Option<NoteHead>,
    /// Payload digests are checked where a draw below 100 falls below this.
    pub(super) payload_percent: u32,
    /// What the draws go on from.
    pub(super) draw: u64,
    /// Who compares the payloads, when not the walk itself.
    pub(super) beside: Option<Beside>,
    /// Payloads checked.
    pub(super) payloads: u64,
    /// Groups walked.
    pub(super) groups: u64,
}

impl Closely {
    /// Compares a payload with the digest that its header, and so the event's hash, holds.
    fn payload(&mut self, frame: &FrameBytes<'_>) -> Result<(), Flaw> {
        // SplitMix64: the same places for the same seed.
        self.draw = self.draw.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.draw ^ (self.draw >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        if (mixed ^ (mixed >> 27)) % 100 >= u64::from(self.payload_percent) {
            return Ok(());
        }
        self.payloads += 1;
        let stated = payload_digest_of(frame.header);
        if let Some(beside) = &mut self.beside {
            let so_far = beside.compare(frame.payload, stated);
            // The place is of no account: the walk is done again.
            let wrong = || Flaw::new(DamageKind::Hash, "digest of an event's payload", 0);
            return so_far.then_some(()).ok_or_else(wrong);
        }
        let found = payload_digest(frame.payload);
        if found == stated {
            return Ok(());
        }
        Err(Flaw::new(
            DamageKind::Hash,
            "digest of an event's payload",
            PREFIX_BYTES,
        )
        .compared(short_hex(&stated.0), short_hex(&found.0)))
    }
}

/// Where walking a segment ended.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) offset: u32,
    pub(super) events: u64,
    /// Why it ended before the end it was given.
    pub(super) flaw: Option<Flaw>,
}

impl Walk {
    pub(super) fn new(meta: &Meta, note: Option<NoteHead>) -> Self {
        Self {
            expected: Expected::first(meta),
            heads: Heads::new(),
            index: SparseIndex::default(),
            frontier: Frontier::default(),
            recorded_at_us: 0,
            clean_stop: false,
            groups_in_segment: 0,
            events_read: 0,
            note,
            closely: None,
            in_group: HashMap::with_hasher(StreamHash::random()),
        }
    }

    /// Goes on from where a cache ends.
    pub(super) fn resume(meta: &Meta, note: Option<NoteHead>, cached: &Cached) -> Self {
        let mut walk = Self::new(meta, note);
        walk.heads.apply(&cached.heads);
        walk.index.extend(&cached.entries);
        let tail = &cached.tail;
        walk.frontier.clone_from(&tail.frontier);
        walk.recorded_at_us = tail.durable.recorded_at_us;
        walk.clean_stop = tail.clean_stop;
        walk.groups_in_segment = tail.groups_in_segment;
        walk.expected.next_position = tail.durable.position.next().get();
        walk.expected.last_group = tail.last_group;
        walk.expected.group_end = tail.durable.end;
        walk.expected.last_time_us = tail.last_group_at_us;
        walk.expected.epoch = tail.epoch;
        walk
    }

    /// Walks a segment's groups from an offset to where they end, or to the first that is not right.
    pub(super) fn segment(
        &mut self,
        segment: &Segment,
        from: u32,
        end: Option<u32>,
    ) -> io::Result<Stopped> {
        let mut window = Window::new(segment, end)?;
        let mut stopped = Stopped {
            offset: from,
            events: 0,
            flaw: None,
        };
        if usize::try_from(from).ok() == Some(SEGMENT_HEADER_BYTES) {
            self.groups_in_segment = 0;
        }
        while end.is_none_or(|end| stopped.offset < end) {
            let start = Address::new(segment.number, stopped.offset);
            let bytes = window.group(stopped.offset)?;
            let checked = check_group(bytes, &self.expected).and_then(|(header, digest)| {
                let group = whole_group(bytes, &header)?;
                self.take(start, group, &header, digest)?;
                Ok(header)
            });
            match checked {
                Ok(header) => {
                    stopped.offset += u32::try_from(header.bytes).unwrap_or(u32::MAX);
                    stopped.events += u64::from(header.count);
                }
                Err(flaw) => {
                    stopped.flaw = Some(flaw);
                    break;
                }
            }
        }
        self.events_read += stopped.events;
        Ok(stopped)
    }

    /// Takes a group's events into heads, index and tree, checking the links of streams.
    fn take(
        &mut self,
        start: Address,
        group: &[u8],
        header: &GroupHeader,
        digest: GroupDigest,
    ) -> Result<(), Flaw> {
        let mut moved = Vec::with_capacity(usize::try_from(header.count).unwrap_or(0));
        let mut entries = Vec::new();
        self.in_group.clear();
        let mut at = GROUP_HEADER_BYTES;
        while moved.len() < usize::try_from(header.count).unwrap_or(0) {
            let rest = group.get(at..).unwrap_or_default();
            let frame = stated_length(rest)
                .and_then(|length| checked_frame(rest.get(..length)?))
                .ok_or_else(|| Flaw::new(DamageKind::Misplaced, "frame", at))?;
            let address = start.plus(u64::try_from(at).unwrap_or(u64::MAX));
            let head = self
                .link(&frame, header, address)
                .map_err(|f| Flaw { at, ..f })?;
            if let Some(closely) = &mut self.closely {
                let checked = closely.payload(&frame);
                checked.map_err(|f| Flaw { at: at + f.at, ..f })?;
            }
            self.in_group.insert(head.stream, head);
            moved.push(head);
            if has_entry(frame.position) {
                entries.push(Entry {
                    time_us: header.time_us,
                    address: address.raw(),
                });
            }
            at += frame.length;
        }
        self.grow_tree(&moved)?;
        self.heads.apply(&moved);
        self.index.extend(&entries);
        self.advance(start, header, digest);
        Ok(())
    }

    fn advance(&mut self, start: Address, header: &GroupHeader, digest: GroupDigest) {
        let expected = &mut self.expected;
        expected.next_position += u64::from(header.count);
        expected.last_group = digest;
        expected.group_end = Some(start.plus(header.bytes));
        expected.last_time_us = header.time_us;
        expected.epoch = header.epoch;
        self.clean_stop = header.clean_stop();
        self.groups_in_segment += 1;
        if let Some(closely) = &mut self.closely {
            closely.groups += 1;
        }
        if header.count > 0 {
            self.recorded_at_us = header.time_us;
        }
    }

    /// Checks a frame against the stream's head before it.
    fn link(
        &self,
        frame: &FrameBytes<'_>,
        group: &GroupHeader,
        address: Address,
    ) -> Result<Moved, Flaw> {
        let stream = stream_of(frame.header);
        let stamp = stamp_of(frame.header);
        let hash = event_hash(frame.header);
        let link = |part| Flaw::new(DamageKind::Link, part, 0);
        if stamp.recorded_at_us != group.time_us {
            return Err(link("time of an event").compared(group.time_us, stamp.recorded_at_us));
        }
        let here = Moved {
            stream,
            number: None,
            version: stamp.version,
            hash,
            address,
        };
        let before = self
            .in_group
            .get(&stream)
            .copied()
            .or_else(|| self.heads.get(&stream).map(|head| head.of(stream)));
        let (version, previous, at) = before.map_or((0, EventHash::ZERO, None), |head| {
            (head.version, head.hash, Some(head.address))
        });
        // A cache may know heads of events later than its position: what comes before them was checked then.
        if at.is_some_and(|at| at > address || (at == address && hash == previous)) {
            return Ok(here);
        }
        if stamp.version != version + 1 {
            return Err(link("version of an event").compared(version + 1, stamp.version));
        }
        if stamp.previous != previous {
            return Err(
                link("link to the stream's event before").compared(previous, stamp.previous)
            );
        }
        if frame.previous != at {
            return Err(link("address of the stream's event before").compared(
                Address::raw_or_zero(at),
                Address::raw_or_zero(frame.previous),
            ));
        }
        Ok(here)
    }

    fn grow_tree(&mut self, moved: &[Moved]) -> Result<(), Flaw> {
        for head in moved {
            self.frontier.push_event(&head.hash);
            self.check_note()?;
        }
        Ok(())
    }

    /// Compares the tree with the signed checkpoint where it has its size.
    pub(super) fn check_note(&self) -> Result<(), Flaw> {
        let kept = self.closely.as_ref().and_then(|closely| closely.kept);
        let own = (self.note, "tree root at the signed checkpoint's size");
        for (note, part) in [own, (kept, "tree root at the kept checkpoint's size")] {
            let Some(note) = note.filter(|note| note.size == self.frontier.size()) else {
                continue;
            };
            let root = self.frontier.root();
            if root != note.root {
                return Err(Flaw::new(DamageKind::RolledBack, part, 0).compared(note.root, root));
            }
        }
        Ok(())
    }

    pub(super) fn position(&self) -> Position {
        Position::new(self.expected.next_position - 1)
    }

    /// Names a flaw in a segment as damage.
    pub(super) fn damage(&self, segment: u32, offset: u32, flaw: Flaw) -> Damage {
        let at = Address::new(segment, offset).plus(u64::try_from(flaw.at).unwrap_or(0));
        let position = Position::new(self.expected.next_position);
        Damage::in_segment(flaw.kind, at, Some(position), flaw.part)
            .expected_found(flaw.expected, flaw.found)
    }
}

/// Reads a segment in large pieces and gives out whole groups.
struct Window<'a> {
    segment: &'a Segment,
    file_end: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    fn new(segment: &'a Segment, end: Option<u32>) -> io::Result<Self> {
        let file_end = match end {
            Some(end) => u64::from(end),
            None => segment.file.len()?,
        };
        Ok(Self {
            segment,
            file_end,
            start: 0,
            bytes: Vec::new(),
        })
    }

    /// Returns at least the group at an offset, as far as its header can be believed and the file reaches.
    fn group(&mut self, offset: u32) -> io::Result<&[u8]> {
        let header = self
            .at(offset, GROUP_HEADER_BYTES)?
            .first_chunk()
            .map(GroupHeader::decode);
        let needed = match header {
            Some(Ok(header)) if header.bytes <= GROUP_BYTES_MAX => header.bytes,
            _ => 0,
        };
        let needed = usize::try_from(needed).unwrap_or(0).max(GROUP_HEADER_BYTES);
        self.at(offset, needed)
    }

    /// Returns the bytes from an offset on, `count` of them or more unless the file ends before.
    fn at(&mut self, offset: u32, count: usize) -> io::Result<&[u8]> {
        let offset = u64::from(offset);
        let available = usize::try_from(self.file_end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = count.min(available);
        if self.held(offset, count).is_none() {
            self.bytes.clear();
            self.bytes.resize(WINDOW_BYTES.max(count).min(available), 0);
            self.start = offset;
            let read = read_full_at(self.segment.file.as_ref(), &mut self.bytes, offset)?;
            self.bytes.truncate(read);
        }
        let skip = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        Ok(self.bytes.get(skip..).unwrap_or_default())
    }

    fn held(&self, offset: u64, count: usize) -> Option<()> {
        let skip = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(skip..skip.checked_add(count)?).map(|_| ())
    }
}
