//! Frame: the prefix outside the hash, the hashed header, the payload, padding.

use sokhoe_chain::EVENT_HEADER_BYTES;

use super::{Flaw, aligned, crc_without_field, put, u32_at, u64_at};
use crate::error::DamageKind;
use crate::format::segment::check_crc;
use crate::position::{Address, Position};

pub(crate) const PREFIX_BYTES: usize = 24;
pub(crate) const FRAME_CRC_AT: usize = 4;
/// Smallest frame: prefix and header.
pub(crate) const FRAME_BYTES_MIN: usize = aligned(PREFIX_BYTES + EVENT_HEADER_BYTES);
/// Where the hashed header states the payload's length.
const PAYLOAD_LENGTH_AT: usize = PREFIX_BYTES + 12;
/// Where the hashed header states the attachment's length.
const ATTACHMENT_LENGTH_AT: usize = PREFIX_BYTES + 16;

/// A frame in a buffer, its CRC checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameBytes<'a> {
    pub(crate) length: usize,
    pub(crate) previous: Option<Address>,
    pub(crate) position: Position,
    pub(crate) header: &'a [u8; EVENT_HEADER_BYTES],
    pub(crate) payload: &'a [u8],
}

/// Returns the length of the frame that a payload needs, in bytes.
pub(crate) const fn frame_bytes(payload: usize) -> usize {
    aligned(PREFIX_BYTES + EVENT_HEADER_BYTES + payload)
}

/// Appends a frame to a buffer.
pub(crate) fn append_frame(
    buffer: &mut Vec<u8>,
    previous: Option<Address>,
    position: Position,
    header: &[u8; EVENT_HEADER_BYTES],
    payload: &[u8],
) {
    let start = buffer.len();
    let length = frame_bytes(payload.len());
    let mut prefix = [0_u8; PREFIX_BYTES];
    let stated = u32::try_from(length).unwrap_or(u32::MAX);
    put(&mut prefix, 0, &stated.to_le_bytes());
    put(
        &mut prefix,
        8,
        &Address::raw_or_zero(previous).to_le_bytes(),
    );
    put(&mut prefix, 16, &position.get().to_le_bytes());
    buffer.reserve(length);
    buffer.extend_from_slice(&prefix);
    buffer.extend_from_slice(header);
    buffer.extend_from_slice(payload);
    buffer.resize(start + length, 0);
    if let Some(frame) = buffer.get_mut(start..) {
        let crc = crc_without_field(frame, FRAME_CRC_AT);
        put(frame, FRAME_CRC_AT, &crc.to_le_bytes());
    }
}

/// Returns the length a frame states, when it is one that a frame can have.
pub(crate) fn stated_length(bytes: &[u8]) -> Option<usize> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
    let possible = (FRAME_BYTES_MIN..=crate::FRAME_BYTES_MAX).contains(&length);
    (possible && length.is_multiple_of(8)).then_some(length)
}

/// Reads the frame at the start of the bytes.
pub(crate) fn decode_frame(bytes: &[u8]) -> Result<FrameBytes<'_>, Flaw> {
    let length =
        stated_length(bytes).ok_or_else(|| Flaw::new(DamageKind::Checksum, "frame length", 0))?;
    let frame = bytes
        .get(..length)
        .ok_or_else(|| Flaw::new(DamageKind::Missing, "frame", 0))?;
    check_crc(frame, FRAME_CRC_AT, "frame")?;
    checked_frame(frame).ok_or_else(|| Flaw::new(DamageKind::Misplaced, "frame", 0))
}

/// Looks at exactly one frame whose CRC was checked before.
pub(crate) fn checked_frame(frame: &[u8]) -> Option<FrameBytes<'_>> {
    let length = frame.len();
    let payload_bytes = usize::try_from(u32_at(frame, PAYLOAD_LENGTH_AT)?).ok()?;
    let attachment_bytes = usize::try_from(u32_at(frame, ATTACHMENT_LENGTH_AT)?).ok()?;
    let content = payload_bytes.checked_add(attachment_bytes)?;
    let rest = frame.get(PREFIX_BYTES + EVENT_HEADER_BYTES..)?;
    let padding = rest.get(content..)?;
    if frame_bytes(content) != length || padding.iter().any(|byte| *byte != 0) {
        return None;
    }
    Some(FrameBytes {
        length,
        previous: Address::from_raw(u64_at(frame, 8)?),
        position: Position::new(u64_at(frame, 16)?),
        header: frame.get(PREFIX_BYTES..)?.first_chunk()?,
        payload: rest.get(..content)?,
    })
}
