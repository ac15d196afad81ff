//! Opening: reads what the cache says, walks the tail of the log, tells a torn tail from damage.

use std::io;
use std::path::Path;
use std::sync::Arc;

use sokhoe_chain::{Frontier, GroupDigest};

use crate::clock::Clock;
use crate::disk::{Disk, read_file};
use crate::error::{Damage, OpenError};
use crate::format::FORMAT_VERSION;
use crate::format::meta::{META_BYTES_MAX, Meta, MetaError};
use crate::heads::Heads;
use crate::index::SparseIndex;
use crate::position::{Address, Position};
use crate::segments::{Segment, Segments};
use crate::shared::{Durable, LogStatus, Opening, Shared};
use crate::sink::{ClosedSegment, End};

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

/// The log as found.
#[derive(Debug)]
pub(crate) struct Found {
    heads: Heads,
    index: SparseIndex,
    segments: Vec<Segment>,
    durable: Durable,
    frontier: Frontier,
    last_group: GroupDigest,
    closed: Option<ClosedSegment>,
    last_epoch: u64,
    report: Recovery,
    pub(crate) damage: Option<Damage>,
}

/// Reads which log a folder holds.
pub(crate) fn read_meta(disk: &dyn Disk, folder: &Path) -> Result<Meta, OpenError> {
    let bytes = match read_file(disk, &folder.join("meta"), META_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::NoLog {
                folder: folder.display().to_string(),
            });
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

pub(crate) fn recover(
    _disk: &Arc<dyn Disk>,
    _folder: &Path,
    _meta: &Meta,
) -> Result<Found, OpenError> {
    Ok(Found {
        heads: Heads::new(),
        index: SparseIndex::default(),
        segments: Vec::new(),
        durable: Durable {
            position: Position::ZERO,
            recorded_at_us: 0,
            end: None,
        },
        frontier: Frontier::default(),
        last_group: GroupDigest::ZERO,
        closed: None,
        last_epoch: 0,
        report: Recovery::default(),
        damage: None,
    })
}

impl Found {
    /// Cuts a torn tail and closes the last segment where it is open; everything accepted is synced then.
    pub(crate) fn close_tail(
        &mut self,
        _disk: &Arc<dyn Disk>,
        _folder: &Path,
        _meta: &Meta,
        _clock: &Clock,
    ) -> Result<(), OpenError> {
        Ok(())
    }

    pub(crate) fn into_parts(
        self,
        disk: Arc<dyn Disk>,
        folder: &Path,
        meta: Meta,
        clock: Clock,
        status: LogStatus,
    ) -> (Arc<Shared>, End, Recovery) {
        let end = End {
            last_group: self.last_group,
            group_end: self.durable.end,
            closed: self.closed,
            epoch: self.last_epoch + 1,
            frontier: self.frontier.clone(),
            cached_position: self.report.cached_position,
        };
        let shared = Shared::new(Opening {
            disk,
            folder: folder.to_path_buf(),
            meta,
            clock,
            heads: self.heads,
            index: self.index,
            segments: Segments::new(self.segments),
            durable: self.durable,
            frontier: self.frontier,
            status,
        });
        (Arc::new(shared), end, self.report)
    }
}
