//! Judges what follows the last valid group of the last segment: nothing, a torn write, or damage.
//!
//! A torn write is the unsynced end of the log and nothing else. Anything valid after it, a clean-stop mark
//! before it, or one flipped bit that explains it, and it is damage.

use super::walk::{Expected, check_group, whole_group};
use crate::error::DamageKind;
use crate::format::flip::{Bit, single_flip};
use crate::format::frame::{FRAME_CRC_AT, decode_frame, stated_length};
use crate::format::group::{
    GROUP_CRC_AT, GROUP_HEADER_BYTES, GROUP_MAGIC, GroupHeader, TRAILER_BYTES, TRAILER_CRC_AT,
    decode_trailer,
};
use crate::format::segment::{FOOTER_BYTES, FOOTER_CRC_AT, FOOTER_MAGIC, check_crc};
use crate::format::{Flaw, field};
use crate::planted::{Mistake, planted};

/// What the rest of the last segment is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Zeros or nothing.
    Clean,
    /// The footer that belongs there.
    Closed,
    /// The beginning of that footer.
    TornFooter,
    /// A write that never finished; so many bytes up to the last one that is not zero.
    Torn(usize),
    /// Something that was whole once.
    Damaged(Flaw),
}

/// Judges the bytes from the last valid group's end to the file's end.
pub(super) fn judge(
    rest: &[u8],
    flaw: Flaw,
    expected: &Expected,
    footer: &[u8; FOOTER_BYTES],
    after_clean_stop: bool,
) -> Verdict {
    let used = rest
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    if used == 0 {
        return Verdict::Clean;
    }
    if let Some(at) = lone_bit(rest) {
        return Verdict::Damaged(Flaw::new(DamageKind::Checksum, "unwritten space", at));
    }
    if let Some(verdict) = compare_with_footer(rest, used, footer) {
        return verdict;
    }
    let damaged = |part| Verdict::Damaged(Flaw::new(DamageKind::Checksum, part, 0));
    if after_clean_stop {
        return damaged("bytes after the clean-stop mark");
    }
    if !matches!(flaw.kind, DamageKind::Checksum | DamageKind::Missing) {
        return Verdict::Damaged(flaw);
    }
    if anything_valid(rest, expected) {
        return Verdict::Damaged(flaw);
    }
    let explained = flip_that_explains(rest, expected);
    match explained.filter(|_| !planted(Mistake::FlippedIsTorn)) {
        Some(bit) => Verdict::Damaged(Flaw {
            at: bit.byte,
            ..flaw
        }),
        None => Verdict::Torn(used),
    }
}

fn compare_with_footer(rest: &[u8], used: usize, footer: &[u8; FOOTER_BYTES]) -> Option<Verdict> {
    let start = rest.get(..FOOTER_BYTES.min(rest.len())).unwrap_or_default();
    if start == footer {
        return Some(
            match rest.get(FOOTER_BYTES..)?.iter().position(|byte| *byte != 0) {
                None => Verdict::Closed,
                Some(at) => Verdict::Damaged(Flaw::new(
                    DamageKind::Checksum,
                    "bytes after the segment's footer",
                    FOOTER_BYTES + at,
                )),
            },
        );
    }
    if used > FOOTER_BYTES {
        return None;
    }
    let differing = start.iter().zip(footer).map(|(a, b)| (a ^ b).count_ones());
    if start.len() == FOOTER_BYTES && differing.sum::<u32>() == 1 {
        let at = start
            .iter()
            .zip(footer)
            .position(|(a, b)| a != b)
            .unwrap_or(0);
        return Some(Verdict::Damaged(Flaw::new(
            DamageKind::Checksum,
            "segment footer",
            at,
        )));
    }
    let partly = start
        .iter()
        .zip(footer)
        .all(|(found, whole)| found == whole || *found == 0);
    partly.then_some(Verdict::TornFooter)
}

fn lone_bit(rest: &[u8]) -> Option<usize> {
    let mut set = rest.iter().enumerate().filter(|(_, byte)| **byte != 0);
    let (at, byte) = set.next()?;
    (byte.count_ones() == 1 && set.next().is_none()).then_some(at)
}

/// Says whether a group header of this log stands somewhere after the start, or a footer anywhere.
fn anything_valid(rest: &[u8], expected: &Expected) -> bool {
    let (words, _) = rest.as_chunks::<8>();
    words.iter().enumerate().any(|(word, bytes)| {
        let found = rest.get(word * 8..).unwrap_or_default();
        if *bytes == GROUP_MAGIC && word > 0 {
            let header = found
                .first_chunk()
                .and_then(|header| GroupHeader::decode(header).ok());
            return header.is_some_and(|header| header.log_id == expected.meta.log_id);
        }
        *bytes == FOOTER_MAGIC
            && field::<FOOTER_BYTES>(found, 0)
                .is_some_and(|footer| check_crc(&footer, FOOTER_CRC_AT, "segment footer").is_ok())
    })
}

/// Finds the one bit whose flip makes the group at the start valid.
fn flip_that_explains(rest: &[u8], expected: &Expected) -> Option<Bit> {
    let header: [u8; GROUP_HEADER_BYTES] = field(rest, 0)?;
    let candidates = match GroupHeader::decode(&header) {
        Ok(header) => candidates_in_group(whole_group(rest, &header).ok()?, &header),
        Err(_) => single_flip(&header, GROUP_CRC_AT).into_iter().collect(),
    };
    candidates.into_iter().find(|bit| {
        let mut fixed = rest.to_vec();
        bit.flip(&mut fixed);
        check_group(&fixed, expected).is_ok()
    })
}

/// Names the bits that may explain the first wrong part of a group whose header is right.
fn candidates_in_group(group: &[u8], header: &GroupHeader) -> Vec<Bit> {
    let frames_end = group.len() - TRAILER_BYTES;
    let mut at = GROUP_HEADER_BYTES;
    for _ in 0..header.count {
        let frames = group.get(at..frames_end).unwrap_or_default();
        match decode_frame(frames) {
            Ok(frame) => at += frame.length,
            Err(_) => return candidates_in_frame(frames, at),
        }
    }
    let trailer = group.get(frames_end..).unwrap_or_default();
    if decode_trailer(trailer).is_ok() {
        return Vec::new();
    }
    let in_trailer = single_flip(trailer, TRAILER_CRC_AT);
    in_trailer
        .map(|bit| Bit {
            byte: bit.byte + frames_end,
            ..bit
        })
        .into_iter()
        .collect()
}

fn candidates_in_frame(frames: &[u8], at: usize) -> Vec<Bit> {
    let mut candidates = Vec::new();
    let stated = stated_length(frames).and_then(|length| frames.get(..length));
    candidates.extend(stated.and_then(|frame| single_flip(frame, FRAME_CRC_AT)));
    // A wrong length moves the end of what the CRC covers, so each of its bits is tried.
    let mut start: Vec<u8> = frames
        .get(..crate::FRAME_BYTES_MAX.min(frames.len()))
        .unwrap_or_default()
        .to_vec();
    for bit in (0..4).flat_map(|byte| (0..8).map(move |bit| Bit { byte, bit })) {
        bit.flip(&mut start);
        if decode_frame(&start).is_ok() {
            candidates.push(bit);
        }
        bit.flip(&mut start);
    }
    candidates
        .into_iter()
        .map(|bit| Bit {
            byte: bit.byte + at,
            ..bit
        })
        .collect()
}
