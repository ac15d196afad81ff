//! Finds a log's segment files and checks what opens and closes each.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Access, Disk, DiskFile, read_exact_at};
use crate::error::{Damage, DamageKind, OpenError, segment_file};
use crate::format::meta::Meta;
use crate::format::segment::{FOOTER_BYTES, SEGMENT_HEADER_BYTES, SegmentFooter, SegmentHeader};
use crate::format::{Flaw, short_hex};
use crate::position::{Address, Position};
use crate::segments::Segment;
use crate::sink::ClosedSegment;

/// The files in order, up to the first that is not right.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) segments: Vec<Segment>,
    /// Footers of all segments but the last.
    pub(super) footers: Vec<(SegmentFooter, [u8; 32])>,
    pub(super) last_epoch: u64,
    pub(super) damage: Option<Damage>,
}

impl Files {
    /// Returns what is known of the segment before the last.
    pub(super) fn last_closed(&self) -> Option<ClosedSegment> {
        let (footer, digest) = self.footers.last()?;
        let segment = self.segments.get(self.footers.len() - 1)?;
        Some(closed(segment.first_position.get(), footer, *digest))
    }
}

/// Sums up a closed segment.
pub(super) fn closed(
    first_position: u64,
    footer: &SegmentFooter,
    digest: [u8; 32],
) -> ClosedSegment {
    ClosedSegment {
        number: footer.number,
        first_position,
        event_count: footer.event_count,
        data_end: footer.data_end,
        digest,
    }
}

pub(super) fn io_error(doing: &'static str, file: String) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io {
        doing,
        file,
        source,
    }
}

/// Opens all segment files for reading.
pub(super) fn find(disk: &dyn Disk, folder: &Path, meta: &Meta) -> Result<Files, OpenError> {
    let names = match disk.list(&folder.join("log")) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(io_error("list", "log".into())(source)),
    };
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort_unstable();
    let mut files = Files::default();
    let count = numbers.len();
    for (number, index) in numbers.into_iter().zip(1..) {
        let wanted = index;
        if number != wanted {
            files.damage = Some(missing_file(wanted));
            break;
        }
        let file = open(disk, folder, number)?;
        let last = usize::try_from(number).unwrap_or(usize::MAX) == count;
        match check_file(file, number, last, meta, &files) {
            Ok(Checked {
                segment,
                epoch,
                footer,
            }) => {
                files.segments.push(segment);
                files.footers.extend(footer);
                files.last_epoch = epoch;
            }
            Err(CheckError::Damaged(damage)) => {
                files.damage = Some(*damage);
                break;
            }
            Err(CheckError::Io(source)) => {
                return Err(io_error("read", segment_file(number))(source));
            }
        }
    }
    Ok(files)
}

fn open(disk: &dyn Disk, folder: &Path, number: u32) -> Result<Arc<dyn DiskFile>, OpenError> {
    let name = segment_file(number);
    disk.open(&folder.join(&name), Access::Read)
        .map_err(io_error("open", name))
}

fn number_of(name: &str) -> Option<u32> {
    let digits = name
        .strip_suffix(".seg")
        .filter(|digits| digits.len() == 16)?;
    digits.parse().ok().filter(|number| *number > 0)
}

fn missing_file(number: u32) -> Damage {
    Damage::in_segment(
        DamageKind::Missing,
        Address::new(number, 0),
        None,
        "segment file",
    )
    .expected_found("the file", "none")
}

struct Checked {
    segment: Segment,
    epoch: u64,
    footer: Option<(SegmentFooter, [u8; 32])>,
}

enum CheckError {
    Damaged(Box<Damage>),
    Io(io::Error),
}

impl From<io::Error> for CheckError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn check_file(
    file: Arc<dyn DiskFile>,
    number: u32,
    last: bool,
    meta: &Meta,
    before: &Files,
) -> Result<Checked, CheckError> {
    let damaged = |offset: u64, flaw: Flaw| {
        let at = Address::new(number, 0).plus(offset + u64::try_from(flaw.at).unwrap_or(0));
        let damage = Damage::in_segment(flaw.kind, at, None, flaw.part)
            .expected_found(flaw.expected, flaw.found);
        CheckError::Damaged(Box::new(damage))
    };
    let bytes: [u8; SEGMENT_HEADER_BYTES] =
        read_part(file.as_ref(), 0, "segment header")?.map_err(|flaw| damaged(0, flaw))?;
    let header = SegmentHeader::decode(&bytes).map_err(|flaw| damaged(0, flaw))?;
    check_header(&header, number, meta, before).map_err(|flaw| damaged(0, flaw))?;
    let mut segment = Segment {
        number,
        first_position: Position::new(header.first_position),
        header: bytes,
        data_end: None,
        file,
    };
    if last {
        return Ok(Checked {
            segment,
            epoch: header.epoch,
            footer: None,
        });
    }
    let at = segment.file.len()?.saturating_sub(FOOTER_BYTES as u64);
    let footer: [u8; FOOTER_BYTES] =
        read_part(segment.file.as_ref(), at, "segment footer")?.map_err(|f| damaged(at, f))?;
    let (footer, digest) =
        SegmentFooter::decode(&footer, &bytes).map_err(|flaw| damaged(at, flaw))?;
    if footer.data_end != at || footer.number != u64::from(number) {
        let flaw = Flaw::new(DamageKind::Misplaced, "segment footer", 0).compared(
            format_args!("segment {number}, end {at}"),
            format_args!("{}, {}", footer.number, footer.data_end),
        );
        return Err(damaged(at, flaw));
    }
    segment.data_end = u32::try_from(at).ok();
    Ok(Checked {
        segment,
        epoch: header.epoch,
        footer: Some((footer, digest)),
    })
}

fn read_part<const N: usize>(
    file: &dyn DiskFile,
    offset: u64,
    part: &'static str,
) -> io::Result<Result<[u8; N], Flaw>> {
    let mut bytes = [0; N];
    match read_exact_at(file, &mut bytes, offset) {
        Ok(()) => Ok(Ok(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Ok(Err(Flaw::new(DamageKind::Missing, part, 0)))
        }
        Err(error) => Err(error),
    }
}

fn check_header(
    header: &SegmentHeader,
    number: u32,
    meta: &Meta,
    before: &Files,
) -> Result<(), Flaw> {
    let link = |part, at| Flaw::new(DamageKind::Link, part, at);
    if header.log_id != meta.log_id || header.tenant != meta.tenant {
        return Err(link("log id of a segment", 16).compared(meta.log_id, header.log_id));
    }
    if header.number != u64::from(number) {
        return Err(link("number of a segment", 48).compared(number, header.number));
    }
    let (first_position, digest) = match before.footers.last() {
        Some((footer, digest)) => (footer.last_position.saturating_add(1), *digest),
        None => (1, [0; 32]),
    };
    if header.first_position != first_position {
        return Err(
            link("first position of a segment", 56).compared(first_position, header.first_position)
        );
    }
    if header.previous_segment != digest {
        return Err(link("link to the segment before", 80)
            .compared(short_hex(&digest), short_hex(&header.previous_segment)));
    }
    if header.epoch < before.last_epoch {
        return Err(link("writer epoch of a segment", 64).compared(before.last_epoch, header.epoch));
    }
    Ok(())
}
