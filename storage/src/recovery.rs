//! Opening: reads what the cache says, walks the tail of the log, tells a torn tail from damage.

use std::io;
use std::path::Path;
use std::sync::Arc;

use sokhoe_chain::note::NOTE_BYTES_MAX;
use sokhoe_chain::{Checkpoint, VerifierKey};

use crate::cache::{self, Cached};
use crate::clock::Clock;
use crate::disk::{Access, Disk, DiskFile, read_exact_at, read_file, read_full_at};
use crate::error::{Damage, DamageKind, OpenError, segment_file};
use crate::format::meta::{META_BYTES_MAX, Meta, MetaError};
use crate::format::segment::{FOOTER_BYTES, SEGMENT_HEADER_BYTES, SegmentFooter};
use crate::format::{FORMAT_VERSION, Flaw};
use crate::planted::{Mistake, planted};
use crate::position::{Address, Position};
use crate::progress::{Progress, Step};
use crate::segments::{Segment, Segments};
use crate::shared::{Durable, LogStatus, Opening, Shared, Tail};
use crate::sink::{ClosedSegment, End, write_footer};
use crate::verify::{Verified, Verify};

mod beside;
mod files;
mod readback;
mod tail;
mod walk;

use self::beside::Beside;
use self::files::{Files, closed, io_error};
use self::tail::Verdict;
pub(crate) use self::walk::NoteHead;
use self::walk::{Closely, Stopped, Walk};

/// A torn tail: bytes of a group that was never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The file within the data folder.
    pub file: String,
    /// Where its valid groups end.
    pub offset: u64,
    /// Bytes from there to the last byte that was not zero.
    pub bytes: u64,
}

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Up to where the cache was trusted.
    pub cached_position: Position,
    /// Why a cache that was there was not used.
    pub cache_ignored: Option<&'static str>,
    /// Events read after it.
    pub events_read: u64,
    /// Whether the log had been closed in order.
    pub clean_stop: bool,
    /// What was cut, or would be.
    pub torn: Option<TornTail>,
    /// Time of the last group, events or not, in microseconds since the Unix epoch.
    pub(crate) last_group_at_us: i64,
}

/// The part named where a log ends before the checkpoint beside it.
pub(crate) const OWN_SIZE: &str = "size of the signed checkpoint";

/// Bytes written again at once.
const COPY_BYTES: usize = 1 << 20;

/// Reads which log a folder holds.
pub(crate) fn read_meta(disk: &dyn Disk, folder: &Path) -> Result<Meta, OpenError> {
    let bytes = match read_file(disk, &folder.join("meta"), META_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(without_meta(disk, folder)?);
        }
        Err(source) => {
            return Err(OpenError::Io {
                doing: "read",
                file: "meta".into(),
                source,
            });
        }
    };
    Meta::decode(&bytes).map_err(|error| match error {
        MetaError::UnknownVersion(found) => OpenError::UnknownVersion {
            file: "meta".into(),
            found,
            known: FORMAT_VERSION,
        },
        MetaError::Flawed(flaw) => OpenError::from(Damage {
            kind: flaw.kind,
            file: "meta".into(),
            offset: u64::try_from(flaw.at).unwrap_or(u64::MAX),
            position: None,
            part: flaw.part,
            expected: flaw.expected,
            found: flaw.found,
        }),
    })
}

/// Tells a folder that holds no log from one whose meta file is gone.
fn without_meta(disk: &dyn Disk, folder: &Path) -> Result<OpenError, OpenError> {
    let names = match disk.list(&folder.join("log")) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(io_error("list", "log".into())(source)),
    };
    let folder = folder.display().to_string();
    Ok(if names.iter().any(|name| name.ends_with(".seg")) {
        OpenError::NoMeta { folder }
    } else {
        OpenError::NoLog { folder }
    })
}

/// How the last segment ends.
#[derive(Debug)]
struct LastSegment {
    /// Where reading it began: what lies before is known to be synced.
    read_from: u32,
    data_end: u32,
    verdict: Verdict,
    footer: SegmentFooter,
    footer_bytes: [u8; FOOTER_BYTES],
    digest: [u8; 32],
}

/// The log as found.
#[derive(Debug)]
pub(crate) struct Found {
    walk: Walk,
    segments: Vec<Segment>,
    closed: Option<ClosedSegment>,
    last: Option<LastSegment>,
    last_epoch: u64,
    report: Recovery,
    pub(crate) damage: Option<Damage>,
}

/// Reads the log as far as it is right; changes nothing.
pub(crate) fn recover(
    disk: &Arc<dyn Disk>,
    folder: &Path,
    meta: &Meta,
    progress: &Progress,
) -> Result<Found, OpenError> {
    let (note, note_damage) = read_note(disk.as_ref(), folder, meta)?;
    let mut ignored = None;
    let mut reached = None;
    let cached = cache::load(disk.as_ref(), folder, meta).unwrap_or_else(|reason| {
        ignored = Some(reason);
        None
    });
    if let Some(cached) = cached {
        reached = Some(Reached::of(&cached));
        match from_cache((disk, folder, meta), note, cached, progress)? {
            Ok(mut found) => {
                found.damage = found.damage.or(note_damage);
                return Ok(found);
            }
            Err(reason) => ignored = Some(reason),
        }
    }
    let files = files::find(disk.as_ref(), folder, meta)?;
    let mut found = walk_from(files, Walk::new(meta, note), (1, None), progress)?;
    found.report.cache_ignored = ignored;
    let damage = found.damage.take();
    // What the cache knows names a place in the log; the signed checkpoint only how many events are gone.
    found.damage = damage
        .or_else(|| reached.and_then(|reached| reached.check(&found)))
        .or_else(|| check_size(&found.walk))
        .or(note_damage);
    Ok(found)
}

/// Reads the whole log closely; changes nothing.
pub(crate) fn verify(
    disk: &Arc<dyn Disk>,
    folder: &Path,
    meta: &Meta,
    how: &Verify,
) -> Result<Verified, OpenError> {
    // Once, and before the log, which a writer only makes longer than it.
    let checkpoint = read_note_bytes(disk.as_ref(), folder)?;
    let (note, note_damage) = match &how.key {
        Some(key) => signed_head(checkpoint.as_deref(), meta, key),
        None => note_head(checkpoint.as_deref(), meta),
    };
    let walk = |beside| {
        let files = files::find(disk.as_ref(), folder, meta)?;
        let mut walk = Walk::new(meta, note);
        walk.closely = Some(Closely {
            kept: how.kept.map(|(size, root)| NoteHead { size, root }),
            payload_percent: how.payload_percent,
            draw: how.seed,
            beside,
            ..Closely::default()
        });
        walk_from(files, walk, (1, None), &how.progress)
    };
    let mut found = walk(Beside::start())?;
    let closely = found.walk.closely.as_mut();
    let beside = closely.and_then(|closely| closely.beside.take());
    if beside.is_some_and(|beside| !beside.finish()) {
        found = walk(None)?;
    }
    let walk = &found.walk;
    let closely = walk.closely.as_ref();
    let kept = closely.and_then(|closely| closely.kept);
    let short = check_size(walk).or_else(|| {
        let kept = kept.filter(|kept| kept.size > walk.position().get())?;
        Some(shorter(walk, kept, "size of the kept checkpoint"))
    });
    Ok(Verified {
        meta: meta.clone(),
        segments: u64::try_from(found.segments.len()).unwrap_or(u64::MAX),
        groups: closely.map_or(0, |closely| closely.groups),
        events: walk.position().get(),
        payloads: closely.map_or(0, |closely| closely.payloads),
        streams: u64::from(walk.heads.count()),
        root: walk.frontier.root(),
        torn: found.report.torn.clone(),
        checkpoint,
        damage: found.damage.or(short).or(note_damage),
    })
}

/// How far a cache says that the log was synced: a log that ends before has lost acknowledged events.
#[derive(Clone, Copy, Debug)]
struct Reached {
    end: Option<Address>,
    position: Position,
}

impl Reached {
    fn of(cached: &Cached) -> Self {
        Self {
            end: cached.tail.durable.end,
            position: cached.position_max,
        }
    }

    /// Names where a log ends that should be longer.
    fn check(self, found: &Found) -> Option<Damage> {
        let walk = &found.walk;
        let ends = Address::raw_or_zero(walk.expected.group_end);
        let stated = Address::raw_or_zero(self.end);
        if ends >= stated && walk.position() >= self.position {
            return None;
        }
        let there = found.segments.last().map_or(0, |segment| segment.number);
        let at = match (self.end, &found.last) {
            (Some(end), _) if end.segment() > there => Address::new(end.segment(), 0),
            (_, Some(last)) => Address::new(there, last.data_end),
            _ => walk.expected.group_end.or(self.end)?,
        };
        let (part, position) = ("end of the log", Position::new(walk.expected.next_position));
        let damage = Damage::in_segment(DamageKind::Missing, at, Some(position), part);
        let expected = match self.end {
            Some(end) => format!("groups up to {end}, as cache/heads says"),
            None => format!("events up to {}, as cache/heads says", self.position),
        };
        Some(damage.expected_found(expected, "no whole group"))
    }
}

/// Tries to take up the log where the cache ends; any doubt makes the caller start from zero.
fn from_cache(
    (disk, folder, meta): (&Arc<dyn Disk>, &Path, &Meta),
    note: Option<NoteHead>,
    cached: Cached,
    progress: &Progress,
) -> Result<Result<Found, &'static str>, OpenError> {
    let files = files::find(disk.as_ref(), folder, meta)?;
    let Some(end) = cached.tail.durable.end else {
        return Ok(Err("it is of an empty log"));
    };
    let older = note.is_some_and(|note| note.size < cached.tail.durable.position.get());
    if older && note != cached.note {
        return Ok(Err("it does not know the signed checkpoint"));
    }
    if cached.tail.frontier.size() != cached.tail.durable.position.get() {
        return Ok(Err("its tree has another size"));
    }
    let held = readback::groups_hold(&files, end, cached.tail.last_group);
    if !held.map_err(io_error("read", segment_file(end.segment())))? {
        return Ok(Err("the log does not hold the groups before its end"));
    }
    let position = cached.tail.durable.position;
    let position_max = cached.position_max;
    let walk = Walk::resume(meta, note, &cached);
    if walk.check_note().is_err() {
        return Ok(Err("its tree differs from the signed checkpoint"));
    }
    let mut found = walk_from(files, walk, (end.segment(), Some(end.offset())), progress)?;
    found.report.cached_position = position;
    if found.damage.is_some() || check_size(&found.walk).is_some() {
        return Ok(Err("the log behind it is damaged"));
    }
    if found.walk.position() < position_max || found.segments.len() < segment_index(end) + 1 {
        return Ok(Err("it is ahead of the log"));
    }
    Ok(Ok(found))
}

fn segment_index(address: Address) -> usize {
    usize::try_from(address.segment()).map_or(usize::MAX - 1, |number| number.saturating_sub(1))
}

/// Walks all segments from one on.
fn walk_from(
    files: Files,
    mut walk: Walk,
    (first, offset): (u32, Option<u32>),
    progress: &Progress,
) -> Result<Found, OpenError> {
    let closed = files.last_closed();
    let end = files.segments.last().map_or(0, |segment| segment.number);
    let count = (end + 1).saturating_sub(first);
    let mut damage = None;
    let mut last = None;
    for segment in files
        .segments
        .iter()
        .filter(|segment| segment.number >= first)
    {
        progress.say(Step {
            doing: "reading the log",
            done: u64::from(segment.number - first),
            total: u64::from(count),
            unit: "segments",
        });
        let start = u32::try_from(SEGMENT_HEADER_BYTES).unwrap_or(u32::MAX);
        let from = offset.filter(|_| segment.number == first).unwrap_or(start);
        let io = || io_error("read", segment_file(segment.number));
        let mut stopped = walk
            .segment(segment, from, segment.data_end)
            .map_err(io())?;
        if segment.data_end.is_some() {
            damage = check_closed(&walk, &files, segment, &stopped);
        } else {
            let mut judged = judge_last(&walk, segment, &stopped, from).map_err(io())?;
            // A writer may have gone on since: what is damage stays where it is, what is new moves the end. A group
            // that only its hashes or links speak against was whole, and no later look makes it another.
            while let Verdict::Damaged(flaw) = &judged.verdict
                && !flaw.kind.tampering()
            {
                let mut further = walk.segment(segment, stopped.offset, None).map_err(io())?;
                if further.offset == stopped.offset {
                    break;
                }
                further.events += stopped.events;
                stopped = further;
                judged = judge_last(&walk, segment, &stopped, from).map_err(io())?;
            }
            if let Verdict::Damaged(flaw) = &judged.verdict {
                damage = Some(walk.damage(segment.number, judged.data_end, flaw.clone()));
            }
            last = Some(judged);
        }
        if damage.is_some() {
            break;
        }
    }
    let report = report(&walk, &files, last.as_ref());
    let damage = damage.or(files.damage);
    let last_epoch = files.last_epoch.max(walk.expected.epoch);
    Ok(Found {
        walk,
        segments: files.segments,
        closed,
        last,
        last_epoch,
        report,
        damage,
    })
}

/// Checks that a closed segment holds what its footer says.
fn check_closed(
    walk: &Walk,
    files: &Files,
    segment: &Segment,
    stopped: &Stopped,
) -> Option<Damage> {
    if let Some(flaw) = &stopped.flaw {
        return Some(walk.damage(segment.number, stopped.offset, flaw.clone()));
    }
    let index = usize::try_from(segment.number).ok()?.checked_sub(1)?;
    let (footer, _) = files.footers.get(index)?;
    let agrees = footer.last_group == walk.expected.last_group
        && footer.last_position == walk.position().get()
        && u64::from(stopped.offset) == footer.data_end;
    if agrees {
        return None;
    }
    let flaw = Flaw::new(DamageKind::Hash, "segment footer against its groups", 0)
        .compared(walk.position(), footer.last_position);
    Some(walk.damage(segment.number, stopped.offset, flaw))
}

/// Judges what follows the last segment's valid groups.
fn judge_last(
    walk: &Walk,
    segment: &Segment,
    stopped: &Stopped,
    read_from: u32,
) -> io::Result<LastSegment> {
    let data_end = stopped.offset;
    let first_position = segment.first_position.get();
    let footer = SegmentFooter {
        number: u64::from(segment.number),
        event_count: walk.expected.next_position.saturating_sub(first_position),
        group_count: walk.groups_in_segment,
        data_end: u64::from(data_end),
        last_position: walk.position().get(),
        last_group: walk.expected.last_group,
    };
    let (footer_bytes, digest) = footer.encode(&segment.header);
    let rest_bytes = segment.file.len()?.saturating_sub(u64::from(data_end));
    let mut rest = vec![0; usize::try_from(rest_bytes).unwrap_or(0)];
    let read = read_full_at(segment.file.as_ref(), &mut rest, u64::from(data_end))?;
    rest.truncate(read);
    let flaw = stopped
        .flaw
        .clone()
        .unwrap_or_else(|| Flaw::new(DamageKind::Missing, "group header", 0));
    let clean_stop = walk.clean_stop && walk.groups_in_segment > 0;
    let verdict = tail::judge(&rest, flaw, &walk.expected, &footer_bytes, clean_stop);
    Ok(LastSegment {
        read_from,
        data_end,
        verdict,
        footer,
        footer_bytes,
        digest,
    })
}

fn report(walk: &Walk, files: &Files, last: Option<&LastSegment>) -> Recovery {
    let torn = last.and_then(|last| {
        let bytes = match &last.verdict {
            Verdict::Torn(bytes) => u64::try_from(*bytes).unwrap_or(u64::MAX),
            _ => return None,
        };
        let number = files.segments.last()?.number;
        Some(TornTail {
            file: segment_file(number),
            offset: u64::from(last.data_end),
            bytes,
        })
    });
    Recovery {
        cached_position: Position::ZERO,
        cache_ignored: None,
        events_read: walk.events_read,
        clean_stop: walk.clean_stop || files.segments.is_empty(),
        torn,
        last_group_at_us: walk.expected.last_time_us,
    }
}

/// Writes what stands in a file between two offsets again, and syncs it.
///
/// Reading it does not show that it is on the disk: a system whose sync failed may keep the bytes in memory and take
/// them for written, so that a later sync alone would pass them over.
fn write_again(file: &dyn DiskFile, from: u64, end: u64) -> io::Result<()> {
    if planted(Mistake::TrustUnsyncedTail) {
        return Ok(());
    }
    let mut at = from;
    while at < end {
        let bytes = usize::try_from(end - at).map_or(COPY_BYTES, |rest| rest.min(COPY_BYTES));
        let mut buffer = vec![0; bytes];
        read_exact_at(file, &mut buffer, at)?;
        file.write_at(&buffer, at)?;
        at = at.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
    file.sync_all()
}

/// Checks that the log reaches the signed checkpoint.
fn check_size(walk: &Walk) -> Option<Damage> {
    let note = walk.note.filter(|note| note.size > walk.position().get())?;
    Some(shorter(walk, note, OWN_SIZE))
}

fn shorter(walk: &Walk, note: NoteHead, part: &'static str) -> Damage {
    Damage {
        kind: DamageKind::RolledBack,
        file: "checkpoint".into(),
        offset: 0,
        position: Some(walk.position()),
        part,
        expected: format!("at least {} events", note.size),
        found: walk.position().to_string(),
    }
}

/// Reads the stored signed checkpoint; one that cannot be read is damage.
fn read_note(
    disk: &dyn Disk,
    folder: &Path,
    meta: &Meta,
) -> Result<(Option<NoteHead>, Option<Damage>), OpenError> {
    let note = read_note_bytes(disk, folder)?;
    Ok(note_head(note.as_deref(), meta))
}

fn read_note_bytes(disk: &dyn Disk, folder: &Path) -> Result<Option<Vec<u8>>, OpenError> {
    let max = u64::try_from(NOTE_BYTES_MAX).unwrap_or(u64::MAX);
    match read_file(disk, &folder.join("checkpoint"), max) {
        Ok(note) => Ok(Some(note)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error("read", "checkpoint".into())(source)),
    }
}

fn note_head(note: Option<&[u8]>, meta: &Meta) -> (Option<NoteHead>, Option<Damage>) {
    let Some(note) = note else {
        return (None, None);
    };
    match NoteHead::parse(note, &meta.origin) {
        Ok(head) => (Some(head), None),
        Err(found) => {
            let damage = Damage {
                kind: DamageKind::Checksum,
                file: "checkpoint".into(),
                offset: 0,
                position: None,
                part: "signed checkpoint",
                expected: format!("a checkpoint of {}", meta.origin),
                found,
            };
            (None, Some(damage))
        }
    }
}

/// The same of a checkpoint that must be signed with a key.
fn signed_head(
    note: Option<&[u8]>,
    meta: &Meta,
    key: &VerifierKey,
) -> (Option<NoteHead>, Option<Damage>) {
    let (head, damage) = note_head(note, meta);
    let error = match note.map(|note| Checkpoint::open(note, key)) {
        Some(Err(error)) if damage.is_none() => error,
        _ => return (head, damage),
    };
    let damage = Damage {
        kind: DamageKind::Hash,
        file: "checkpoint".into(),
        offset: 0,
        position: None,
        part: "signature of the checkpoint",
        expected: format!("one by {}", key.name()),
        found: error.to_string(),
    };
    (None, Some(damage))
}

impl Found {
    /// Cuts a torn tail, closes the last segment where it is open, and writes and syncs all that was accepted.
    pub(crate) fn close_tail(
        &mut self,
        disk: &Arc<dyn Disk>,
        folder: &Path,
    ) -> Result<(), OpenError> {
        let (Some(last), Some(segment)) = (&self.last, self.segments.last_mut()) else {
            return Ok(());
        };
        let name = segment_file(segment.number);
        let file = disk
            .open(&folder.join(&name), Access::ReadWrite)
            .map_err(io_error("open", name.clone()))?;
        let end = u64::from(last.data_end) + FOOTER_BYTES as u64;
        let from = u64::from(last.read_from);
        let closing = if last.verdict == Verdict::Closed {
            file.set_len(end)
                .and_then(|()| write_again(file.as_ref(), from, end))
        } else {
            // Cut first, so that a crash in between leaves no bytes that look like more than a torn write.
            file.set_len(u64::from(last.data_end))
                .and_then(|()| write_again(file.as_ref(), from, u64::from(last.data_end)))
                .and_then(|()| write_footer(file.as_ref(), last.data_end, &last.footer_bytes))
        };
        closing.map_err(io_error("close", name))?;
        disk.sync_dir(&folder.join("log"))
            .map_err(io_error("sync", "log".into()))?;
        segment.data_end = Some(last.data_end);
        self.closed = Some(closed(
            segment.first_position.get(),
            &last.footer,
            last.digest,
        ));
        Ok(())
    }

    /// Splits into what readers share and what the sink goes on from.
    pub(crate) fn into_parts(
        self,
        disk: Arc<dyn Disk>,
        folder: &Path,
        meta: Meta,
        clock: Clock,
        status: LogStatus,
    ) -> (Arc<Shared>, End, Recovery) {
        let walk = self.walk;
        let mut tail = Tail {
            durable: Durable {
                position: walk.position(),
                recorded_at_us: walk.recorded_at_us,
                end: walk.expected.group_end,
            },
            frontier: walk.frontier,
            last_group: walk.expected.last_group,
            last_group_at_us: walk.expected.last_time_us,
            epoch: self.last_epoch,
            groups_in_segment: walk.groups_in_segment,
            clean_stop: walk.clean_stop,
        };
        let shared = Shared::new(Opening {
            disk,
            folder: folder.to_path_buf(),
            meta,
            clock,
            heads: walk.heads,
            index: walk.index,
            segments: Segments::new(self.segments),
            tail: tail.clone(),
            note: walk.note,
            status,
        });
        tail.epoch += 1;
        let cached_position = self.report.cached_position;
        let end = End {
            tail,
            closed: self.closed,
            cached_position,
        };
        (Arc::new(shared), end, self.report)
    }
}
