//! The bytes of the log, as FORMAT.md describes them: constants, and reading and writing of fields.
//!
//! Nothing here touches a file. Every structure is little-endian, 8-byte aligned, and covered by a CRC32C
//! that one flipped bit anywhere in it breaks.

pub(crate) mod flip;
pub(crate) mod frame;
pub(crate) mod group;
pub(crate) mod meta;
pub(crate) mod segment;

/// Version of every structure described in FORMAT.md.
pub const FORMAT_VERSION: u32 = 1;
/// Suite 1: BLAKE3 for events, groups and segments, SHA-256 for the tree, CRC32C for damage.
pub const SUITE: u32 = 1;
/// Ends trailers and footers: no byte of it has fewer than two set bits, so that a write cut short by some
/// bytes never looks like a single flipped bit.
pub(crate) const END_MARK: u32 = 0xC33C_5AA5;

/// Returns the fixed-size field at an offset, if the bytes reach that far.
pub(crate) fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    field(bytes, at).map(u32::from_le_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    field(bytes, at).map(u64::from_le_bytes)
}

pub(crate) fn i64_at(bytes: &[u8], at: usize) -> Option<i64> {
    field(bytes, at).map(i64::from_le_bytes)
}

/// Writes a field; the caller's buffer is of a fixed size that holds it.
pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    let slot = bytes.get_mut(at..at + value.len());
    debug_assert!(slot.is_some(), "field at {at} is outside its structure");
    if let Some(slot) = slot {
        slot.copy_from_slice(value);
    }
}

/// CRC32C of a structure without the CRC field that lies at `crc_at`.
pub(crate) fn crc_without_field(bytes: &[u8], crc_at: usize) -> u32 {
    let before = crc32c::crc32c(bytes.get(..crc_at).unwrap_or_default());
    crc32c::crc32c_append(before, bytes.get(crc_at + 4..).unwrap_or_default())
}

/// Rounds up to the alignment of the log.
pub(crate) const fn aligned(bytes: usize) -> usize {
    (bytes + 7) & !7
}

/// Says what is wrong with a structure; the caller knows where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) kind: crate::error::DamageKind,
    pub(crate) part: &'static str,
    /// Offset of the wrong part from the start of what was checked.
    pub(crate) at: usize,
    pub(crate) expected: String,
    pub(crate) found: String,
}

impl Flaw {
    pub(crate) fn new(kind: crate::error::DamageKind, part: &'static str, at: usize) -> Self {
        Self {
            kind,
            part,
            at,
            expected: String::new(),
            found: String::new(),
        }
    }

    pub(crate) fn compared(
        mut self,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> Self {
        self.expected = expected.to_string();
        self.found = found.to_string();
        self
    }
}

/// Shows the first bytes of a digest, enough to compare by eye.
pub(crate) fn short_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .take(8)
        .fold(String::with_capacity(16), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
