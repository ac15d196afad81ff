//! A log opened for writing: creating, opening, appending without threads, closing in order.

use std::io;
use std::path::Path;
use std::sync::Arc;

use sokhoe_chain::{
    Aead, EventHeader, EventKey, KeeperBody, LogId, StreamId, StreamKind, payload_digest,
};

use crate::clock::Clock;
use crate::disk::{Disk, DiskLock, write_file_atomic};
use crate::draft::Draft;
use crate::error::{OpenError, WriteFailure};
use crate::format::meta::{Meta, ORIGIN_BYTES_MAX};
use crate::group::{ClosedGroup, Group, GroupBuilder};
use crate::position::Address;
use crate::progress::Progress;
use crate::reader::Reader;
use crate::recovery::{self, Recovery};
use crate::shared::{Durable, LogStatus, Shared};
use crate::sink::{ClosedSegment, Sink};

/// How a log is kept; every value has a sensible default.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Bytes after which a segment is closed; its last group may pass them.
    pub segment_bytes: u32,
    /// Bytes of the first segment after opening; each next one is four times as large, up to `segment_bytes`.
    pub first_segment_bytes: u32,
    /// Bytes after which a commit group takes no further request.
    pub group_bytes: usize,
    /// Events after which the heads are written to the cache, which bounds the next start's time after a crash.
    pub cache_every_events: u64,
    /// Whether segments are prepared ahead and heads cached on threads of their own.
    ///
    /// Without them no segment is prepared, and every run of the same commands does the same to the disk.
    pub in_background: bool,
    /// Who is told how far opening is.
    pub progress: Progress,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            first_segment_bytes: 4 << 20,
            group_bytes: 2 << 20,
            cache_every_events: 2_000_000,
            in_background: true,
            progress: Progress::default(),
        }
    }
}

impl LogOptions {
    /// Returns the size of the n-th segment since opening, from 0.
    pub(crate) fn bytes_of_segment(&self, nth: usize) -> u32 {
        let shift = u32::try_from(nth)
            .unwrap_or(u32::MAX)
            .saturating_mul(2)
            .min(20);
        let grown = u64::from(self.first_segment_bytes) << shift;
        u32::try_from(grown.min(u64::from(self.segment_bytes))).unwrap_or(self.segment_bytes)
    }
}

/// What a new log is created with.
#[derive(Clone, Debug)]
pub struct NewLog {
    /// Its random id.
    pub log_id: LogId,
    /// Whose log it is; zero where there is one tenant.
    pub tenant: [u8; 16],
    /// Origin line of its checkpoints.
    pub origin: String,
}

/// An opened log and what opening found.
#[derive(Debug)]
pub struct Opened {
    /// The log.
    pub log: Log,
    /// What was found, and what was cut.
    pub recovery: Recovery,
}

/// A log opened for reading only, whole or not.
#[derive(Debug)]
pub struct OpenedReadOnly {
    /// Reads everything before the damage, if there is any.
    pub reader: Reader,
    /// What was found.
    pub recovery: Recovery,
    /// The damage that opening for writing would refuse.
    pub damage: Option<crate::error::Damage>,
}

/// The log, exclusively held for writing.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    options: LogOptions,
    pub(crate) builder: GroupBuilder,
    /// Away while a group is being synced.
    pub(crate) sink: Option<Box<Sink>>,
    next_start: Option<Address>,
    segment_limit: u32,
    segments_begun: usize,
    _lock: Box<dyn DiskLock>,
}

/// Returns the stream of the log's own events.
#[must_use]
pub fn keeper_stream(log_id: LogId) -> StreamId {
    let derived = blake3::derive_key("sokhoe keeper stream 1", &log_id.0);
    StreamId(derived.first_chunk().copied().unwrap_or_default())
}

fn io_error(doing: &'static str, file: &str) -> impl FnOnce(io::Error) -> OpenError {
    let file = file.to_owned();
    move |source| OpenError::Io {
        doing,
        file,
        source,
    }
}

impl Log {
    /// Makes a new log in a folder that holds none, and opens it.
    ///
    /// # Errors
    /// When there is a log already, the origin cannot be used, or the disk refuses.
    pub fn create(
        disk: Arc<dyn Disk>,
        folder: &Path,
        new: NewLog,
        options: LogOptions,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        check_origin(&new.origin)?;
        let shown = || folder.display().to_string();
        for part in ["log", "cache", "blobs"] {
            disk.create_dir_all(&folder.join(part))
                .map_err(io_error("create", part))?;
        }
        let names = disk.list(folder).map_err(io_error("list", "."))?;
        let segments = disk
            .list(&folder.join("log"))
            .map_err(io_error("list", "log"))?;
        if names.iter().any(|name| name == "meta") || !segments.is_empty() {
            return Err(OpenError::Exists { folder: shown() });
        }
        let meta = Meta {
            log_id: new.log_id,
            tenant: new.tenant,
            origin: new.origin,
            created_us: clock.now_us(),
        };
        write_file_atomic(disk.as_ref(), &folder.join("meta"), &meta.encode())
            .map_err(io_error("write", "meta"))?;
        if let Some(parent) = folder
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            disk.sync_dir(parent).map_err(io_error("sync", ".."))?;
        }
        Ok(Self::open(disk, folder, options, clock)?.log)
    }

    /// Opens the log for writing: takes its lock, reads its heads, checks its tail, cuts a torn one.
    ///
    /// # Errors
    /// When there is no log, it is locked, it is damaged (nothing is changed then), or the disk refuses.
    pub fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        options: LogOptions,
        clock: Clock,
    ) -> Result<Opened, OpenError> {
        let meta = recovery::read_meta(disk.as_ref(), folder)?;
        let lock = disk
            .try_lock(&folder.join("lock"))
            .map_err(io_error("lock", "lock"))?
            .ok_or_else(|| OpenError::Locked {
                folder: folder.display().to_string(),
            })?;
        let mut found = recovery::recover(&disk, folder, &meta, &options.progress)?;
        if let Some(damage) = found.damage.take() {
            return Err(damage.into());
        }
        // The cache may be thrown away at any time, the folder too.
        disk.create_dir_all(&folder.join("cache"))
            .map_err(io_error("create", "cache"))?;
        found.close_tail(&disk, folder)?;
        let (shared, end, recovery) = found.into_parts(disk, folder, meta, clock, LogStatus::Open);
        let sink = Sink::new(Arc::clone(&shared), &options, end)
            .map_err(io_error("start a thread for", "log"))?;
        let durable = shared.durable();
        let builder = GroupBuilder::new(
            Arc::clone(&shared),
            durable.position,
            recovery.last_group_at_us,
            options.group_bytes,
        );
        let log = Self {
            shared,
            options,
            builder,
            sink: Some(Box::new(sink)),
            next_start: None,
            segment_limit: 0,
            segments_begun: 0,
            _lock: lock,
        };
        Ok(Opened { log, recovery })
    }

    /// Opens the log for reading only, damaged or not, without its lock and without changing a byte.
    ///
    /// # Errors
    /// When there is no log, its meta file is damaged, or the disk refuses.
    pub fn open_read_only(
        disk: Arc<dyn Disk>,
        folder: &Path,
        clock: Clock,
    ) -> Result<OpenedReadOnly, OpenError> {
        let meta = recovery::read_meta(disk.as_ref(), folder)?;
        let mut found = recovery::recover(&disk, folder, &meta, &Progress::default())?;
        let damage = found.damage.take();
        let status = match &damage {
            Some(damage) => LogStatus::Damaged(Box::new(damage.clone())),
            None => LogStatus::ReadOnly,
        };
        let (shared, _, recovery) = found.into_parts(disk, folder, meta, clock, status);
        Ok(OpenedReadOnly {
            reader: Reader::new(shared),
            recovery,
            damage,
        })
    }

    /// Returns which log this is.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.shared.meta
    }

    /// Returns a reader.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Appends what the closure pushes as one commit group and makes it durable, on this thread.
    ///
    /// For tools and tests; a server spawns a [`crate::Writer`].
    ///
    /// # Errors
    /// When a write or sync fails, now or before.
    pub fn commit<T>(
        &mut self,
        fill: impl FnOnce(&mut Group<'_>) -> T,
    ) -> Result<(T, Durable), WriteFailure> {
        self.begin_group()?;
        self.builder.begin_request();
        let value = fill(&mut Group::new(&mut self.builder));
        let group = self.close_group();
        let durable = self.make_durable(group)?;
        Ok((value, durable))
    }

    fn make_durable(&mut self, mut group: ClosedGroup) -> Result<Durable, WriteFailure> {
        let sink = self.sink.as_mut().ok_or(WriteFailure::Stopped)?;
        let durable = sink.make_durable(&mut group)?;
        self.builder.retire(group);
        Ok(durable)
    }

    /// Leaves the clean-stop mark, closes the segment, writes the checkpoint of heads, gives the lock back.
    ///
    /// # Errors
    /// When a write or sync fails, now or before.
    pub fn close(mut self) -> Result<Durable, WriteFailure> {
        self.close_in_order()
    }

    pub(crate) fn close_in_order(&mut self) -> Result<Durable, WriteFailure> {
        if let Some(failure) = self.shared.refusal() {
            return Err(failure);
        }
        let wrote = self.sink.as_ref().is_some_and(|sink| sink.wrote());
        if let Some(start) = self.next_start.filter(|_| wrote) {
            // Even in a full segment: a new one would begin with an event, and the mark stands alone.
            self.builder.begin(start, self.shared.clock.now_us());
            self.builder.mark_clean_stop();
            let group = self.close_group();
            self.make_durable(group)?;
        }
        let sink = self.sink.as_mut().ok_or(WriteFailure::Stopped)?;
        sink.finish().inspect_err(|failure| {
            self.shared.stop(LogStatus::Stopped(failure.clone()));
        })?;
        self.shared.stop(LogStatus::Closed);
        Ok(self.shared.durable())
    }

    /// Says whether the next group begins a segment, for which the sink must be at hand.
    pub(crate) fn must_roll(&self) -> bool {
        self.next_start
            .is_none_or(|start| start.offset() >= self.segment_limit)
    }

    /// Opens the next group, in a new segment where the last one is full.
    pub(crate) fn begin_group(&mut self) -> Result<(), WriteFailure> {
        let now_us = self.shared.clock.now_us();
        if let Some(start) = self.next_start.filter(|_| !self.must_roll()) {
            self.builder.begin(start, now_us);
            return Ok(());
        }
        if let Some(failure) = self.shared.refusal() {
            return Err(failure);
        }
        let first_position = self.builder.last_position() + 1;
        let next_bytes = self.options.bytes_of_segment(self.segments_begun + 1);
        let sink = self.sink.as_mut().ok_or(WriteFailure::Stopped)?;
        let (start, closed) = sink
            .roll(first_position, next_bytes)
            .inspect_err(|failure| {
                self.shared.stop(LogStatus::Stopped(failure.clone()));
            })?;
        self.segment_limit = self.options.bytes_of_segment(self.segments_begun);
        self.segments_begun += 1;
        self.builder.begin(start, now_us);
        if let Some(closed) = closed {
            let draft = segment_closed(self.shared.meta.log_id, &closed);
            self.builder.stamp(&draft);
        }
        Ok(())
    }

    pub(crate) fn close_group(&mut self) -> ClosedGroup {
        let bytes = u64::try_from(self.builder.group_bytes()).unwrap_or(u64::MAX);
        let group = self.builder.close();
        let taken = if group.writes_nothing() { 0 } else { bytes };
        self.next_start = Some(group.start.plus(taken));
        group
    }
}

fn check_origin(origin: &str) -> Result<(), OpenError> {
    let reason = if origin.is_empty() {
        "the origin is empty"
    } else if origin.len() > ORIGIN_BYTES_MAX {
        "the origin is longer than 200 bytes"
    } else if origin.contains(['\n', '+', ' ']) {
        "the origin has a line break, space or plus sign"
    } else {
        return Ok(());
    };
    Err(OpenError::Argument { reason })
}

/// Makes the event that carries a closed segment's digest into the tree.
fn segment_closed(log_id: LogId, closed: &ClosedSegment) -> Draft {
    let payload = KeeperBody::SegmentClosed {
        segment: closed.number,
        first_position: closed.first_position,
        event_count: closed.event_count,
        data_end: closed.data_end,
        footer_digest: closed.digest,
    }
    .encode();
    let mut header = EventHeader::new(StreamKind::Keeper, keeper_stream(log_id), Aead::Clear);
    header.payload_bytes = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    header.payload_digest = payload_digest(&payload);
    header.event_key = EventKey(closed.digest.first_chunk().copied().unwrap_or_default());
    Draft::trusted(&header, payload)
}
