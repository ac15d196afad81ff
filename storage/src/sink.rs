//! Makes closed groups durable: links, digests, write, sync, tree, publication, completions, in that order.
//!
//! The only code that writes segments. One failed write or sync stops the log for good, since the page cache
//! cannot be trusted after it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use sokhoe_chain::{GroupDigest, group_digest};

use crate::cache;
use crate::disk::{Access, DiskFile};
use crate::error::{WriteFailure, segment_file};
use crate::format::group::{FLAG_CLEAN_STOP, GroupHeader, TRAILER_BYTES, encode_trailer};
use crate::format::put;
use crate::format::segment::{FOOTER_BYTES, SEGMENT_HEADER_BYTES, SegmentFooter, SegmentHeader};
use crate::group::{ClosedGroup, Completion, Outcome};
use crate::log::LogOptions;
use crate::metrics::add;
use crate::planted::{Mistake, planted};
use crate::position::{Address, Position};
use crate::prepare::Preparer;
use crate::segments::Segment;
use crate::shared::{LogStatus, Shared, Tail};

/// The segment that groups go to.
#[derive(Debug)]
struct OpenSegment {
    number: u32,
    file: Arc<dyn DiskFile>,
    header: [u8; SEGMENT_HEADER_BYTES],
    first_position: u64,
    event_count: u64,
}

/// A closed segment, as the next one's first event tells of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClosedSegment {
    pub(crate) number: u64,
    pub(crate) first_position: u64,
    pub(crate) event_count: u64,
    pub(crate) data_end: u64,
    pub(crate) digest: [u8; 32],
}

/// Where the log ends, as recovery found it.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) tail: Tail,
    pub(crate) closed: Option<ClosedSegment>,
    pub(crate) cached_position: Position,
}

#[derive(Debug)]
pub(crate) struct Sink {
    shared: Arc<Shared>,
    preparer: Preparer,
    segment: Option<OpenSegment>,
    closed: Option<ClosedSegment>,
    /// The durable end, and this opening's epoch.
    tail: Tail,
    cacher: cache::Cacher,
}

impl Sink {
    /// Takes up the log where it ends; the epoch is that of this opening.
    pub(crate) fn new(shared: Arc<Shared>, options: &LogOptions, end: End) -> io::Result<Self> {
        let preparer = Preparer::start(&shared, options)?;
        let cacher = cache::Cacher::new(end.cached_position, options);
        Ok(Self {
            shared,
            preparer,
            segment: None,
            closed: end.closed,
            tail: end.tail,
            cacher,
        })
    }

    /// Makes a group durable and visible, and tells whoever waits for it.
    pub(crate) fn make_durable(&mut self, group: &mut ClosedGroup) -> Outcome {
        let outcome = self.commit(group);
        if let Err(failure) = &outcome {
            self.shared.stop(LogStatus::Stopped(failure.clone()));
        }
        complete(&mut group.completions, &outcome);
        outcome
    }

    /// Tells whoever waits for a group that it will not be written.
    pub(crate) fn give_up(&self, group: &mut ClosedGroup, failure: &WriteFailure) {
        complete(&mut group.completions, &Err(failure.clone()));
    }

    fn commit(&mut self, group: &mut ClosedGroup) -> Outcome {
        if let Some(failure) = self.shared.refusal() {
            return Err(failure);
        }
        if let Some(before_sync) = group.before_sync.take() {
            before_sync().map_err(|e| WriteFailure::BeforeSync {
                source: Arc::from(e),
            })?;
        }
        if group.writes_nothing() {
            return Ok(self.shared.durable());
        }
        let digest = self.seal(group);
        if planted(Mistake::IndexBeforeLog) {
            let mut tail = self.tail.clone();
            tail.durable.position = Position::new(group.first_position);
            self.shared.publish(group, &tail);
        }
        self.write(group)?;
        self.advance(group, digest);
        self.shared.publish(group, &self.tail);
        self.cacher
            .after_group(&self.shared, self.tail.durable.position);
        Ok(self.tail.durable)
    }

    /// Moves the end of the log behind a synced group.
    fn advance(&mut self, group: &ClosedGroup, digest: GroupDigest) {
        for head in &group.moved {
            self.tail.frontier.push_event(&head.hash);
        }
        self.tail.last_group = digest;
        self.tail.last_group_at_us = group.time_us;
        self.tail.groups_in_segment += 1;
        self.tail.clean_stop = group.flags & FLAG_CLEAN_STOP != 0;
        let durable = &mut self.tail.durable;
        let bytes = u64::try_from(group.buffer.len()).unwrap_or(u64::MAX);
        durable.end = Some(group.start.plus(bytes));
        if group.count > 0 {
            durable.position = Position::new(group.first_position + u64::from(group.count) - 1);
            durable.recorded_at_us = group.time_us;
        }
        if let Some(segment) = &mut self.segment {
            segment.event_count += u64::from(group.count);
        }
    }

    /// Fills in the header and appends the trailer.
    fn seal(&self, group: &mut ClosedGroup) -> GroupDigest {
        let bytes = u64::try_from(group.buffer.len() + TRAILER_BYTES).unwrap_or(u64::MAX);
        let header = GroupHeader {
            log_id: self.shared.meta.log_id,
            tenant: self.shared.meta.tenant,
            epoch: self.tail.epoch,
            first_position: group.first_position,
            count: group.count,
            flags: group.flags,
            bytes,
            time_us: group.time_us,
            previous_end: Address::raw_or_zero(self.tail.durable.end),
            previous: self.tail.last_group,
        };
        put(&mut group.buffer, 0, &header.encode());
        let digest = group_digest(&group.buffer);
        if !planted(Mistake::DropTrailer) {
            group.buffer.extend_from_slice(&encode_trailer(&digest));
        }
        digest
    }

    fn write(&self, group: &ClosedGroup) -> Result<(), WriteFailure> {
        let Some(segment) = &self.segment else {
            return Err(WriteFailure::Stopped);
        };
        let offset = u64::from(group.start.offset());
        let failed = |doing| failure(doing, segment_file(segment.number));
        segment
            .file
            .write_at(&group.buffer, offset)
            .map_err(failed("write"))?;
        let began_us = self.shared.clock.now_us();
        if !planted(Mistake::AcknowledgeUnsynced) {
            segment.file.sync_data().map_err(failed("sync"))?;
        }
        let took_us = self.shared.clock.now_us().saturating_sub(began_us);
        let counters = &self.shared.counters;
        counters.synced(u64::try_from(took_us).unwrap_or(0));
        add(&counters.groups, 1);
        add(&counters.events, u64::from(group.count));
        add(
            &counters.bytes,
            u64::try_from(group.buffer.len()).unwrap_or(0),
        );
        Ok(())
    }

    /// Says whether anything was written since the log was opened.
    pub(crate) fn wrote(&self) -> bool {
        self.segment.is_some()
    }

    /// Closes the segment, if one is open, and begins the next; returns where groups go and what was closed.
    pub(crate) fn roll(
        &mut self,
        first_position: u64,
        next_bytes: u32,
    ) -> Result<(Address, Option<ClosedSegment>), WriteFailure> {
        self.close_segment()?;
        let number = u32::try_from(self.shared.segments.count() + 1).unwrap_or(u32::MAX);
        let header = SegmentHeader {
            log_id: self.shared.meta.log_id,
            tenant: self.shared.meta.tenant,
            number: u64::from(number),
            first_position,
            epoch: self.tail.epoch,
            created_us: self.shared.clock.now_us(),
            previous_segment: self.closed.map_or([0; 32], |closed| closed.digest),
        }
        .encode();
        let file = self.begin_file(number, &header)?;
        self.shared.segments.push(Segment {
            number,
            file: Arc::clone(&file),
            first_position: Position::new(first_position),
            header,
            data_end: None,
        });
        self.segment = Some(OpenSegment {
            number,
            file,
            header,
            first_position,
            event_count: 0,
        });
        self.tail.groups_in_segment = 0;
        self.preparer.request(next_bytes);
        let start = u32::try_from(SEGMENT_HEADER_BYTES).unwrap_or(u32::MAX);
        Ok((Address::new(number, start), self.closed.take()))
    }

    /// Writes the header, syncs it, and only then gives the file its name.
    fn begin_file(
        &mut self,
        number: u32,
        header: &[u8; SEGMENT_HEADER_BYTES],
    ) -> Result<Arc<dyn DiskFile>, WriteFailure> {
        let name = segment_file(number);
        let prepared = self.prepared().map_err(failure("create", name.clone()))?;
        let (path, file) = prepared;
        file.write_at(header, 0)
            .map_err(failure("write the header of", name.clone()))?;
        file.sync_all()
            .map_err(failure("sync the header of", name.clone()))?;
        let target = self.shared.folder.join(&name);
        let disk = &self.shared.disk;
        disk.rename(&path, &target)
            .map_err(failure("name", name.clone()))?;
        if !planted(Mistake::SkipFolderSync) {
            disk.sync_dir(&self.shared.folder.join("log"))
                .map_err(failure("sync the folder of", name))?;
        }
        Ok(file)
    }

    fn prepared(&mut self) -> io::Result<(PathBuf, Arc<dyn DiskFile>)> {
        if let Some(path) = self.preparer.take() {
            let file = self.shared.disk.open(&path, Access::ReadWrite)?;
            return Ok((path, file));
        }
        add(&self.shared.counters.segments_unprepared, 1);
        let path = self.shared.folder.join("cache/unprepared");
        match self.shared.disk.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = self.shared.disk.create_new(&path)?;
        Ok((path, file))
    }

    /// Writes and syncs the footer, and gives back the prepared rest of the file.
    pub(crate) fn close_segment(&mut self) -> Result<(), WriteFailure> {
        let Some(segment) = self.segment.take() else {
            return Ok(());
        };
        let start = u32::try_from(SEGMENT_HEADER_BYTES).unwrap_or(u32::MAX);
        let data_end = match self.tail.durable.end {
            Some(end) if end.segment() == segment.number => end.offset(),
            _ => start,
        };
        let footer = SegmentFooter {
            number: u64::from(segment.number),
            event_count: segment.event_count,
            group_count: self.tail.groups_in_segment,
            data_end: u64::from(data_end),
            last_position: segment.first_position + segment.event_count - 1,
            last_group: self.tail.last_group,
        };
        let (bytes, digest) = footer.encode(&segment.header);
        write_footer(segment.file.as_ref(), data_end, &bytes)
            .map_err(failure("close", segment_file(segment.number)))?;
        self.shared.segments.close_last(data_end);
        add(&self.shared.counters.segments_closed, 1);
        self.closed = Some(ClosedSegment {
            number: u64::from(segment.number),
            first_position: segment.first_position,
            event_count: segment.event_count,
            data_end: u64::from(data_end),
            digest,
        });
        Ok(())
    }

    /// Closes the segment after a clean stop and writes the checkpoint of heads.
    pub(crate) fn finish(&mut self) -> Result<(), WriteFailure> {
        self.close_segment()?;
        self.preparer.stop();
        self.cacher.finish(&self.shared);
        Ok(())
    }
}

/// Writes a footer at the end of the groups, makes it durable, and cuts what follows.
pub(crate) fn write_footer(
    file: &dyn DiskFile,
    data_end: u32,
    footer: &[u8; FOOTER_BYTES],
) -> io::Result<()> {
    file.write_at(footer, u64::from(data_end))?;
    file.sync_data()?;
    file.set_len(u64::from(data_end) + footer.len() as u64)?;
    file.sync_all()
}

fn failure(doing: &'static str, file: String) -> impl FnOnce(io::Error) -> WriteFailure {
    move |source| WriteFailure::Io {
        doing,
        file,
        source: Arc::new(source),
    }
}

/// Runs a group's completions.
pub(crate) fn complete(completions: &mut Vec<Completion>, outcome: &Outcome) {
    for completion in completions.drain(..) {
        completion(outcome);
    }
}
