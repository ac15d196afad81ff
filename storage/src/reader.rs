//! Reading what is durable: by stream, by position, by address, in order, and following the tail.
//!
//! Refuses to show anything that is not durable. Damage met on the way is named, stops the writer, and
//! never looks like the end of the log.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sokhoe_chain::{EventHash, NodeHash, StreamId};

use crate::disk::{Disk, read_full_at};
use crate::error::{Damage, DamageKind, ReadError, WriteFailure, segment_file};
use crate::format::frame::{FRAME_BYTES_MIN, FrameBytes, decode_frame, stated_length};
use crate::format::meta::Meta;
use crate::heads::Head;
use crate::metrics::Metrics;
use crate::position::{Address, Position};
use crate::shared::{Durable, LogStatus, Shared};

mod frame;
mod scan;
mod stretches;

use self::frame::decode_header;
pub use self::frame::{Frame, FrameRef};
pub use self::scan::Scan;
pub use self::stretches::Stretch;

/// Bytes read at once for a single frame; most frames fit.
const FIRST_READ_BYTES: usize = 1024;

/// Reads the log; cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("durable", &self.durable())
            .finish_non_exhaustive()
    }
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Returns which log this is.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.shared.meta
    }

    /// Returns the data folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// Returns the disk that the data folder lies on.
    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.shared.disk
    }

    /// Returns how far the log is durable.
    #[must_use]
    pub fn durable(&self) -> Durable {
        self.shared.durable()
    }

    /// Returns the last durable position, without a lock.
    #[must_use]
    pub fn position(&self) -> Position {
        self.shared.position()
    }

    /// Returns whether the log takes events, and if not, why.
    #[must_use]
    pub fn status(&self) -> LogStatus {
        self.shared.status()
    }

    /// Returns the counters.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.shared.counters.snapshot()
    }

    /// Returns size and root of the tree over all durable events, for a signer.
    #[must_use]
    pub fn tree_head(&self) -> (u64, NodeHash) {
        self.shared.tree_head()
    }

    /// Replaces the stored checkpoint by a newer signed note, atomically; its size must be durable.
    ///
    /// # Errors
    /// When it is no checkpoint of this log or ahead of what is durable, the file is not what was stored before, or the
    /// disk refuses; the old note then still stands.
    pub fn write_checkpoint(&self, note: &str) -> Result<(), WriteFailure> {
        self.shared.note.replace(&self.shared, note)
    }

    /// Reads the stored checkpoint, a signed note; `NotThere` before the first. A file that is not what was stored last
    /// stops the writer, and what was stored is returned.
    ///
    /// # Errors
    /// When there is none, it is no text, or the disk refuses.
    pub fn checkpoint_note(&self) -> Result<String, ReadError> {
        self.shared.note.read(&self.shared)
    }

    /// Notes that an event whose checksums hold does not bear out what is said of it, which stops the writer.
    pub fn distrust(&self, address: Address, position: Position, part: &'static str) {
        let damage = Damage::in_segment(DamageKind::Hash, address, Some(position), part);
        self.shared.damaged(&damage);
    }

    /// Returns the number of streams.
    #[must_use]
    pub fn streams(&self) -> u32 {
        self.shared.heads.count()
    }

    /// Returns a stream's last durable event.
    #[must_use]
    pub fn head(&self, stream: &StreamId) -> Option<Head> {
        self.shared.heads.get(stream)
    }

    /// Returns every stream's version and head hash, in the order of their numbers; for commitments.
    ///
    /// Heads may be newer than the durable position read before the call, never older.
    #[must_use]
    pub fn heads(&self) -> Vec<sokhoe_chain::StreamHead> {
        let heads = self.shared.heads.copy(self.shared.heads.count());
        heads
            .into_iter()
            .map(|head| sokhoe_chain::StreamHead {
                stream: head.stream,
                version: head.version,
                hash: head.hash,
            })
            .collect()
    }

    /// Waits until something past a position is durable, the log stops, or the time is over.
    ///
    /// Once the log has stopped it returns at once: look at the status before waiting again.
    #[must_use]
    pub fn wait_past(&self, position: Position, timeout: Duration) -> Durable {
        self.shared.wait_past(position, timeout)
    }

    /// Calls a function after each publication and when the log stops, for the life of the log, on the thread that syncs.
    ///
    /// It must return at once, like a send into a `tokio::sync::watch` channel does.
    pub fn on_advance(&self, listener: impl Fn(Durable) + Send + Sync + 'static) {
        self.shared.listen(Box::new(listener));
    }

    /// Reads the frame at an address, as a head, a stamp or another frame gave it.
    ///
    /// # Errors
    /// Damage, a disk error, or that the address is not durable.
    pub fn read_at(&self, address: Address) -> Result<Frame, ReadError> {
        if !self.shared.synced(address) {
            let what = format!("frame at {address}");
            return Err(ReadError::NotThere {
                what,
                durable: self.position(),
            });
        }
        self.noting(self.frame_at(address))
    }

    /// Reads the frame at a position: at most 64 frames are walked over.
    ///
    /// # Errors
    /// Damage, a disk error, or that the position is not durable.
    pub fn read_position(&self, position: Position) -> Result<Frame, ReadError> {
        match self.scan(position).next_frame()? {
            Some(frame) if position != Position::ZERO => frame.to_frame(),
            _ => Err(ReadError::NotThere {
                what: format!("position {position}"),
                durable: self.position(),
            }),
        }
    }

    /// Reads a whole stream in the order of versions, its links checked; one dependent read an event.
    ///
    /// # Errors
    /// Damage or a disk error.
    pub fn read_stream(&self, stream: &StreamId) -> Result<Vec<Frame>, ReadError> {
        let mut frames = self.read_stream_back(stream, None, usize::MAX)?;
        frames.reverse();
        Ok(frames)
    }

    /// Reads up to `count` events of a stream backwards, newest first, from an address of one of its frames or its head.
    ///
    /// # Errors
    /// Damage, a disk error, or that the address holds another stream's frame.
    pub fn read_stream_back(
        &self,
        stream: &StreamId,
        from: Option<Address>,
        count: usize,
    ) -> Result<Vec<Frame>, ReadError> {
        let mut frames: Vec<Frame> = Vec::new();
        let head = self.head(stream);
        let mut next = from.or(head.map(|head| head.address));
        while let Some(address) = next.filter(|_| frames.len() < count) {
            let frame = self.read_at(address)?;
            match frames.last() {
                Some(later) => self.noting(check_link(later, &frame))?,
                None if frame.header.stream != *stream => {
                    return Err(ReadError::NotAFrame { address });
                }
                None => {
                    if let Some(head) = head.filter(|head| head.address == address) {
                        self.noting(check_head(&head, &frame))?;
                    }
                }
            }
            next = frame.previous;
            frames.push(frame);
        }
        if let Some(oldest) = frames.last().filter(|_| next.is_none()) {
            self.noting(check_first(oldest))?;
        }
        Ok(frames)
    }

    /// Reads in order from a position on, up to what is durable; the same scan goes on when more is.
    #[must_use]
    pub fn scan(&self, from: Position) -> Scan {
        Scan::new(self.clone(), from)
    }

    /// Returns the last position recorded at or before a time in microseconds; 0 when there is none.
    ///
    /// # Errors
    /// Damage or a disk error.
    pub fn position_at_time(&self, time_us: i64) -> Result<Position, ReadError> {
        let Some((entry, _)) = self.shared.index.at_time(time_us) else {
            return Ok(Position::ZERO);
        };
        let mut last = Position::ZERO;
        let mut scan = self.scan(entry);
        while let Some(frame) = scan.next_frame()? {
            if sokhoe_chain::header::stamp_of(frame.header_bytes).recorded_at_us > time_us {
                break;
            }
            last = frame.position;
        }
        Ok(last)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Notes damage in the log's status on its way to the caller.
    pub(crate) fn noting<T>(&self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        if let Err(ReadError::Damaged(damage)) = &result {
            self.shared.damaged(damage);
        }
        result
    }

    fn frame_at(&self, address: Address) -> Result<Frame, ReadError> {
        let segment = self
            .shared
            .segments
            .get(address.segment())
            .filter(|_| address.offset().is_multiple_of(8))
            .ok_or(ReadError::NotAFrame { address })?;
        let io = |source| ReadError::Io {
            file: segment_file(segment.number),
            source,
        };
        let offset = u64::from(address.offset());
        let mut bytes = vec![0; FIRST_READ_BYTES];
        let read = read_full_at(segment.file.as_ref(), &mut bytes, offset).map_err(io)?;
        bytes.truncate(read);
        if let Some(length) = stated_length(&bytes).filter(|length| *length > read) {
            bytes.resize(length, 0);
            let rest = bytes.get_mut(read..).unwrap_or_default();
            let at = offset + u64::try_from(read).unwrap_or(u64::MAX);
            let more = read_full_at(segment.file.as_ref(), rest, at).map_err(io)?;
            bytes.truncate(read + more);
        }
        let frame = decode_at(&bytes, address, None)?;
        Ok(Frame {
            position: frame.position,
            address,
            previous: frame.previous,
            header: decode_header(frame.header, address, frame.position)?,
            header_bytes: *frame.header,
            payload: frame.payload.to_vec(),
        })
    }
}

/// Decodes a frame that must lie at an address.
fn decode_at(
    bytes: &[u8],
    address: Address,
    position: Option<Position>,
) -> Result<FrameBytes<'_>, ReadError> {
    decode_frame(bytes).map_err(|flaw| {
        let kind = if bytes.len() < FRAME_BYTES_MIN {
            DamageKind::Missing
        } else {
            flaw.kind
        };
        Damage::in_segment(kind, address, position, flaw.part)
            .expected_found(flaw.expected, flaw.found)
            .into()
    })
}

fn check_head(head: &Head, frame: &Frame) -> Result<(), ReadError> {
    let hash = frame.hash();
    if hash == head.hash && frame.header.version == head.version {
        return Ok(());
    }
    Err(link_damage(
        frame,
        "event hash against the head",
        &head.hash,
        &hash,
    ))
}

fn check_link(later: &Frame, frame: &Frame) -> Result<(), ReadError> {
    let hash = frame.hash();
    let follows = frame.header.version.checked_add(1) == Some(later.header.version);
    if hash == later.header.previous && follows && frame.header.stream == later.header.stream {
        return Ok(());
    }
    Err(link_damage(
        frame,
        "event hash against the next event's link",
        &later.header.previous,
        &hash,
    ))
}

fn check_first(frame: &Frame) -> Result<(), ReadError> {
    if frame.header.version == 1 && frame.header.previous == EventHash::ZERO {
        return Ok(());
    }
    Err(link_damage(
        frame,
        "first event of a stream",
        &EventHash::ZERO,
        &frame.header.previous,
    ))
}

fn link_damage(
    frame: &Frame,
    part: &'static str,
    expected: &EventHash,
    found: &EventHash,
) -> ReadError {
    Damage::in_segment(DamageKind::Link, frame.address, Some(frame.position), part)
        .expected_found(expected.to_string(), found.to_string())
        .into()
}
