//! Reads back the last groups before the place where a cache ends, so that damage there is met at the start.
//!
//! A cache states the digest of its last group, and each group the digest and the end of the one before. So the
//! groups are followed backwards, and a right digest proves every byte. The bytes read are bounded.

use std::io;

use sokhoe_chain::{GroupDigest, group_digest};

use super::files::Files;
use crate::disk::read_full_at;
use crate::format::group::{
    GROUP_BYTES_MAX, GROUP_HEADER_BYTES, GROUP_MAGIC, GroupHeader, TRAILER_BYTES, decode_trailer,
};
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::position::Address;
use crate::segments::Segment;

/// Bytes after which no further group is read back, once one with events was.
const READ_BACK_BYTES: u64 = 4 << 20;

/// Says whether the groups before an address, the last of them with this digest, are as they were written.
pub(super) fn groups_hold(files: &Files, end: Address, digest: GroupDigest) -> io::Result<bool> {
    let mut next = Some((end, digest));
    let mut bytes = Piece::default();
    let mut read_back = 0;
    let mut with_events = false;
    while let Some((end, digest)) = next {
        if with_events && read_back >= READ_BACK_BYTES {
            return Ok(true);
        }
        let index = usize::try_from(end.segment()).unwrap_or(usize::MAX);
        let Some(segment) = files.segments.get(index.wrapping_sub(1)) else {
            return Ok(false);
        };
        let Some(group) = bytes.group_before(segment, end.offset())? else {
            return Ok(false);
        };
        let frames_end = group.bytes.len() - TRAILER_BYTES;
        let (content, trailer) = group.bytes.split_at(frames_end);
        if group_digest(content) != digest || decode_trailer(trailer).ok() != Some(digest) {
            return Ok(false);
        }
        read_back += group.header.bytes;
        with_events |= group.header.count > 0;
        let before = Address::from_raw(group.header.previous_end);
        next = before.map(|before| (before, group.header.previous));
    }
    Ok(true)
}

/// A whole group, its digest not yet checked.
struct Found<'a> {
    header: GroupHeader,
    bytes: &'a [u8],
}

/// A piece of a segment that is held.
#[derive(Default)]
struct Piece {
    segment: u32,
    start: u64,
    bytes: Vec<u8>,
}

impl Piece {
    /// Finds the group that ends at an offset; none where the bytes are missing or no header leads there.
    fn group_before(&mut self, segment: &Segment, end: u32) -> io::Result<Option<Found<'_>>> {
        let mut found = self.search(segment.number, end);
        for count in [READ_BACK_BYTES, GROUP_BYTES_MAX] {
            if found.is_some() {
                break;
            }
            if !self.read(segment, u64::from(end), count)? {
                return Ok(None);
            }
            found = self.search(segment.number, end);
        }
        Ok(found.and_then(|(from, to, header)| {
            let bytes = self.bytes.get(from..to)?;
            Some(Found { header, bytes })
        }))
    }

    /// Reads up to so many bytes that end at an offset; false when the file does not reach it.
    fn read(&mut self, segment: &Segment, end: u64, count: u64) -> io::Result<bool> {
        let first = SEGMENT_HEADER_BYTES as u64;
        let start = end.saturating_sub(count).max(first);
        let count = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
        self.segment = segment.number;
        // All groups start at a multiple of eight, and so does a piece that ends with one.
        self.start = start;
        self.bytes.clear();
        self.bytes.resize(count, 0);
        let read = read_full_at(segment.file.as_ref(), &mut self.bytes, start)?;
        Ok(read == count)
    }

    /// Searches what is held, backwards, for the header of the group that ends at an offset.
    fn search(&self, segment: u32, end: u32) -> Option<(usize, usize, GroupHeader)> {
        if segment != self.segment {
            return None;
        }
        let to = usize::try_from(u64::from(end).checked_sub(self.start)?).ok()?;
        let held = self.bytes.get(..to)?;
        let last = to.checked_sub(GROUP_HEADER_BYTES + TRAILER_BYTES)?;
        (0..=last).rev().step_by(8).find_map(|from| {
            let bytes = held.get(from..)?;
            if !bytes.starts_with(&GROUP_MAGIC) {
                return None;
            }
            let header = GroupHeader::decode(bytes.first_chunk()?).ok()?;
            let whole = usize::try_from(header.bytes).ok() == Some(bytes.len());
            whole.then_some((from, to, header))
        })
    }
}
