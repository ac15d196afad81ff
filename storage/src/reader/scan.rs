//! Sequential reading: buffered, checksums and positions checked, segment after segment.

use super::{Frame, FrameRef, Reader, decode_at};
use crate::disk::read_exact_at;
use crate::error::{Damage, DamageKind, ReadError, segment_file};
use crate::format::field;
use crate::format::frame::{FRAME_BYTES_MIN, checked_frame, stated_length};
use crate::format::group::{
    GROUP_HEADER_BYTES, GROUP_MAGIC, GroupHeader, TRAILER_BYTES, TRAILER_MAGIC, decode_trailer,
};
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::position::{Address, Position};
use crate::shared::Durable;

/// Bytes read first; a scan for one event rarely needs more.
const READ_BYTES_FIRST: usize = 16 << 10;
/// Bytes read at once by a scan that goes on; each read takes twice the last until then.
const READ_BYTES_MAX: usize = 256 << 10;

/// Reads events in order of position; at the durable end it returns `None` and can be asked again.
#[derive(Debug)]
pub struct Scan {
    reader: Reader,
    /// The position to return next.
    wanted: Position,
    /// The position at the cursor, once it is placed.
    next: Position,
    cursor: Option<Address>,
    limit: Durable,
    buffer: Vec<u8>,
    /// Bytes that the next read takes.
    ahead: usize,
    /// Where the buffer's first byte lies.
    buffer_at: Address,
    failed: Option<Damage>,
}

impl Scan {
    pub(super) fn new(reader: Reader, from: Position) -> Self {
        let wanted = from.max(Position::new(1));
        let limit = Durable {
            position: Position::ZERO,
            recorded_at_us: 0,
            end: None,
        };
        Self {
            reader,
            wanted,
            next: wanted,
            cursor: None,
            limit,
            buffer: Vec::new(),
            ahead: READ_BYTES_FIRST,
            buffer_at: Address::new(0, 0),
            failed: None,
        }
    }

    /// Returns the position that comes next.
    #[must_use]
    pub fn position(&self) -> Position {
        self.wanted
    }

    /// Returns the next event, borrowed; `None` at the durable end.
    ///
    /// # Errors
    /// Damage, which the scan then keeps returning, or a disk error.
    pub fn next_frame(&mut self) -> Result<Option<FrameRef<'_>>, ReadError> {
        if let Some(damage) = &self.failed {
            return Err(damage.clone().into());
        }
        if self.wanted > self.limit.position {
            self.limit = self.reader.durable();
            if self.wanted > self.limit.position {
                return Ok(None);
            }
        }
        let placed = self.place();
        self.keep(placed)?;
        loop {
            let ready = self.step();
            let (address, length) = self.keep(ready)?;
            let position = self.next;
            self.next = position.next();
            self.cursor = Some(address.plus(u64::try_from(length).unwrap_or(u64::MAX)));
            if position == self.wanted {
                self.wanted = position.next();
                return self.frame(address, length).map(Some);
            }
        }
    }

    /// Remembers damage, for the log and for the next call.
    fn keep<T>(&mut self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        if let Err(ReadError::Damaged(damage)) = &result {
            self.failed = Some(damage.as_ref().clone());
        }
        self.reader.noting(result)
    }

    /// Puts the cursor at the indexed frame before the wanted position, once.
    fn place(&mut self) -> Result<(), ReadError> {
        if self.cursor.is_some() {
            return Ok(());
        }
        let Some((position, address)) = self.reader.shared().index.before(self.wanted) else {
            let what = format!("position {}", self.wanted);
            return Err(ReadError::NotThere {
                what,
                durable: self.limit.position,
            });
        };
        self.next = position;
        self.cursor = Some(address);
        Ok(())
    }

    /// Goes over trailers, headers and segment ends to the next frame, whole in the buffer.
    fn step(&mut self) -> Result<(Address, usize), ReadError> {
        loop {
            let at = self.cursor.unwrap_or(self.buffer_at);
            let Some(left) = self.left(at)? else {
                self.cursor = Some(Address::new(at.segment() + 1, first_offset()));
                continue;
            };
            let start: [u8; 8] = field(self.bytes(at, 8, left)?, 0).unwrap_or_default();
            if start == TRAILER_MAGIC {
                let checked = decode_trailer(self.bytes(at, TRAILER_BYTES, left)?);
                self.pass(at, TRAILER_BYTES, checked.map(|_| ()))?;
            } else if start == GROUP_MAGIC {
                let bytes = self.bytes(at, GROUP_HEADER_BYTES, left)?;
                let checked = bytes
                    .first_chunk()
                    .map_or(Ok(()), |b| GroupHeader::decode(b).map(|_| ()));
                self.pass(at, GROUP_HEADER_BYTES, checked)?;
            } else {
                let length = stated_length(&start).unwrap_or(FRAME_BYTES_MIN);
                let position = self.next;
                let frame = decode_at(self.bytes(at, length, left)?, at, Some(position))?;
                if frame.position == position {
                    return Ok((at, length));
                }
                let found = frame.position.to_string();
                return Err(misplaced(at, position, &found));
            }
        }
    }

    fn pass(
        &mut self,
        at: Address,
        bytes: usize,
        checked: Result<(), crate::format::Flaw>,
    ) -> Result<(), ReadError> {
        checked.map_err(|flaw| {
            ReadError::from(
                Damage::in_segment(flaw.kind, at, Some(self.next), flaw.part)
                    .expected_found(flaw.expected, flaw.found),
            )
        })?;
        self.cursor = Some(at.plus(u64::try_from(bytes).unwrap_or(u64::MAX)));
        Ok(())
    }

    /// Returns how many bytes of groups the segment still has from an address on; `None` at its end.
    fn left(&self, at: Address) -> Result<Option<usize>, ReadError> {
        let missing = || {
            ReadError::from(Damage::in_segment(
                DamageKind::Missing,
                at,
                Some(self.next),
                "segment with durable events",
            ))
        };
        let end = match self.limit.end {
            Some(end) if end.segment() == at.segment() => end.offset(),
            _ => self
                .reader
                .shared()
                .segments
                .get(at.segment())
                .and_then(|segment| segment.data_end)
                .ok_or_else(missing)?,
        };
        let left = usize::try_from(end.saturating_sub(at.offset())).unwrap_or(0);
        Ok((left > 0).then_some(left))
    }

    /// Returns bytes from an address on, reading ahead where the buffer does not hold them.
    fn bytes(&mut self, at: Address, count: usize, left: usize) -> Result<&[u8], ReadError> {
        if count > left {
            return Err(Damage::in_segment(
                DamageKind::Missing,
                at,
                Some(self.next),
                "bytes before the end of the groups",
            )
            .expected_found(count.to_string(), left.to_string())
            .into());
        }
        if self.buffered(at, count).is_none() {
            let segment = self
                .reader
                .shared()
                .segments
                .get(at.segment())
                .ok_or(ReadError::NotAFrame { address: at })?;
            self.buffer.clear();
            self.buffer.resize(self.ahead.max(count).min(left), 0);
            self.ahead = (self.ahead * 2).min(READ_BYTES_MAX);
            self.buffer_at = at;
            let read = read_exact_at(
                segment.file.as_ref(),
                &mut self.buffer,
                u64::from(at.offset()),
            );
            if let Err(source) = read {
                self.buffer.clear();
                return Err(read_failure(source, at, self.next));
            }
        }
        Ok(self.buffered(at, count).unwrap_or_default())
    }

    fn buffered(&self, at: Address, count: usize) -> Option<&[u8]> {
        let skip = usize::try_from(at.raw().checked_sub(self.buffer_at.raw())?).ok()?;
        self.buffer.get(skip..skip.checked_add(count)?)
    }

    /// Looks at a frame that `step` has checked.
    fn frame(&self, address: Address, length: usize) -> Result<FrameRef<'_>, ReadError> {
        let frame = self
            .buffered(address, length)
            .and_then(checked_frame)
            .ok_or(ReadError::NotAFrame { address })?;
        Ok(FrameRef {
            position: frame.position,
            address,
            previous: frame.previous,
            header_bytes: frame.header,
            payload: frame.payload,
        })
    }
}

impl Iterator for Scan {
    type Item = Result<Frame, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_frame() {
            Ok(Some(frame)) => Some(frame.to_frame()),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

fn misplaced(at: Address, position: Position, found: &str) -> ReadError {
    Damage::in_segment(
        DamageKind::Misplaced,
        at,
        Some(position),
        "position of a frame",
    )
    .expected_found(position.to_string(), found)
    .into()
}

fn first_offset() -> u32 {
    u32::try_from(SEGMENT_HEADER_BYTES).unwrap_or(u32::MAX)
}

fn read_failure(source: std::io::Error, at: Address, position: Position) -> ReadError {
    if source.kind() == std::io::ErrorKind::UnexpectedEof {
        return Damage::in_segment(DamageKind::Missing, at, Some(position), "durable bytes").into();
    }
    ReadError::Io {
        file: segment_file(at.segment()),
        source,
    }
}
