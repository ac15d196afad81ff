//! `sokhoe demo tamper`: what somebody with the disk in their hands could do to one event, for the tour.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use sokhoe_chain::group_digest;
use sokhoe_storage::{Disk, OsDisk, Position};

use crate::arguments::TamperArguments;
use crate::failure::Outcome;
use crate::folder;
use crate::output::Output;

/// Where things lie, from `storage/FORMAT.md`.
const FRAME_CRC_AT: usize = 4;
const PAYLOAD_AT: usize = 216;
const GROUP_BYTES_AT: usize = 72;
const GROUP_HEADER_BYTES: usize = 136;
const SEGMENT_HEADER_BYTES: usize = 128;
const TRAILER_BYTES: usize = 48;

pub(crate) fn run(arguments: &TamperArguments, output: &mut Output) -> anyhow::Result<Outcome> {
    let data = &arguments.data;
    let opened = folder::read_only(data)?;
    let end = opened.reader.position().get();
    ensure!(end > 1, "{} holds no event to tamper with", data.display());
    // Somewhere in the middle of the log lies somebody's event; the log's own are passed over.
    let mut position = end.div_ceil(2);
    let frame = loop {
        let frame = opened.reader.read_position(Position::new(position))?;
        if frame.header.stream_kind != sokhoe_chain::StreamKind::Keeper && !frame.payload.is_empty()
        {
            break frame;
        }
        position += 1;
        ensure!(
            position <= end,
            "{} holds no event to tamper with",
            data.display()
        );
    };
    let file = format!("log/{:016}.seg", frame.address.segment());
    let at = usize::try_from(frame.address.offset())?;
    drop(opened);
    let (before, after) = flip(&data.join(&file), at, arguments.cover_up)?;
    output.line(format!(
        "{file}, offset {}: byte {before:02x} of the event at position {position} is {after:02x} now",
        at + PAYLOAD_AT
    ))?;
    if arguments.cover_up {
        output.line("the checksum of its frame and the digest of its group fit again")?;
    }
    output.line(format!("now run: sokhoe verify {}", data.display()))?;
    Ok(Outcome::Done)
}

/// Flips the lowest bit of a frame's first payload byte; returns the byte before and after.
fn flip(path: &Path, frame_at: usize, cover_up: bool) -> anyhow::Result<(u8, u8)> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let mut bytes = sokhoe_storage::read_file(disk.as_ref(), path, 1 << 32)?;
    let byte = bytes.get_mut(frame_at + PAYLOAD_AT).context("a payload")?;
    let before = *byte;
    *byte ^= 1;
    let after = *byte;
    let file = OpenOptions::new().write(true).open(path)?;
    if cover_up {
        let (start, end) = group_around(&bytes, frame_at)?;
        mend(&mut bytes, frame_at, (start, end))?;
        let group = bytes.get(start..end).context("a group")?;
        file.write_all_at(group, u64::try_from(start)?)?;
    } else {
        file.write_all_at(&[after], u64::try_from(frame_at + PAYLOAD_AT)?)?;
    }
    file.sync_all()?;
    Ok((before, after))
}

/// Finds the commit group that a frame lies in.
fn group_around(segment: &[u8], frame_at: usize) -> anyhow::Result<(usize, usize)> {
    let mut start = SEGMENT_HEADER_BYTES;
    while let Some(bytes) = u64_at(segment, start + GROUP_BYTES_AT) {
        let end = start + usize::try_from(bytes)?;
        if bytes == 0 {
            break;
        }
        if (start..end).contains(&frame_at) {
            return Ok((start, end));
        }
        start = end;
    }
    bail!("the event lies in no group")
}

/// Makes the frame's checksum and the group's digest and trailer fit what stands there.
fn mend(bytes: &mut [u8], frame_at: usize, (start, end): (usize, usize)) -> anyhow::Result<()> {
    let length = usize::try_from(u32_at(bytes, frame_at).context("a frame")?)?;
    let frame = bytes
        .get_mut(frame_at..frame_at + length)
        .context("a frame")?;
    let crc = without_four(frame, FRAME_CRC_AT);
    put(frame, FRAME_CRC_AT, &crc.to_le_bytes());
    let group = bytes.get_mut(start..end).context("a group")?;
    ensure!(
        group.len() > GROUP_HEADER_BYTES + TRAILER_BYTES,
        "the group is too short"
    );
    let (content, trailer) = group.split_at_mut(end - start - TRAILER_BYTES);
    put(trailer, 8, &group_digest(content).0);
    let crc = without_four(trailer, 40);
    put(trailer, 40, &crc.to_le_bytes());
    Ok(())
}

/// CRC32C of all bytes but four.
fn without_four(bytes: &[u8], at: usize) -> u32 {
    let before = crc32c::crc32c(bytes.get(..at).unwrap_or_default());
    crc32c::crc32c_append(before, bytes.get(at + 4..).unwrap_or_default())
}

fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    if let Some(slot) = bytes.get_mut(at..at + new.len()) {
        slot.copy_from_slice(new);
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
