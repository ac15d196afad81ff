//! Commit group: header and trailer.

use sokhoe_chain::{GroupDigest, LogId};

use super::segment::{check_crc, check_start};
use super::{
    END_MARK, FORMAT_VERSION, Flaw, SUITE, crc_without_field, field, i64_at, put, short_hex,
    u32_at, u64_at,
};
use crate::error::DamageKind;

pub(crate) const GROUP_HEADER_BYTES: usize = 136;
pub(crate) const TRAILER_BYTES: usize = 48;
pub(crate) const GROUP_MAGIC: [u8; 8] = *b"SKHGROUP";
pub(crate) const TRAILER_MAGIC: [u8; 8] = *b"SKHTRAIL";
pub(crate) const GROUP_CRC_AT: usize = 132;
pub(crate) const TRAILER_CRC_AT: usize = 40;
/// Flag: the writer stopped in order; nothing follows in this segment but its footer.
pub(crate) const FLAG_CLEAN_STOP: u32 = 1;
/// No group is longer: the largest request beside a group that was nearly full.
pub(crate) const GROUP_BYTES_MAX: u64 = 64 << 20;

/// Opens a commit group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupHeader {
    pub(crate) log_id: LogId,
    pub(crate) tenant: [u8; 16],
    pub(crate) epoch: u64,
    /// Position of the first event, or of the next one to come where the group has none.
    pub(crate) first_position: u64,
    pub(crate) count: u32,
    pub(crate) flags: u32,
    /// Bytes of the whole group, header and trailer included.
    pub(crate) bytes: u64,
    pub(crate) time_us: i64,
    /// Where the group before ended; 0 in the first.
    pub(crate) previous_end: u64,
    pub(crate) previous: GroupDigest,
}

impl GroupHeader {
    pub(crate) fn encode(&self) -> [u8; GROUP_HEADER_BYTES] {
        let mut bytes = [0; GROUP_HEADER_BYTES];
        put(&mut bytes, 0, &GROUP_MAGIC);
        put(&mut bytes, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, 12, &SUITE.to_le_bytes());
        put(&mut bytes, 16, &self.log_id.0);
        put(&mut bytes, 32, &self.tenant);
        put(&mut bytes, 48, &self.epoch.to_le_bytes());
        put(&mut bytes, 56, &self.first_position.to_le_bytes());
        put(&mut bytes, 64, &self.count.to_le_bytes());
        put(&mut bytes, 68, &self.flags.to_le_bytes());
        put(&mut bytes, 72, &self.bytes.to_le_bytes());
        put(&mut bytes, 80, &self.time_us.to_le_bytes());
        put(&mut bytes, 88, &self.previous_end.to_le_bytes());
        put(&mut bytes, 96, &self.previous.0);
        let crc = crc_without_field(&bytes, GROUP_CRC_AT);
        put(&mut bytes, GROUP_CRC_AT, &crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; GROUP_HEADER_BYTES]) -> Result<Self, Flaw> {
        let short = || Flaw::new(DamageKind::Missing, "group header", 0);
        check_crc(bytes, GROUP_CRC_AT, "group header")?;
        check_start(bytes, GROUP_MAGIC, "group header")?;
        Ok(Self {
            log_id: LogId(field(bytes, 16).ok_or_else(short)?),
            tenant: field(bytes, 32).ok_or_else(short)?,
            epoch: u64_at(bytes, 48).ok_or_else(short)?,
            first_position: u64_at(bytes, 56).ok_or_else(short)?,
            count: u32_at(bytes, 64).ok_or_else(short)?,
            flags: u32_at(bytes, 68).ok_or_else(short)?,
            bytes: u64_at(bytes, 72).ok_or_else(short)?,
            time_us: i64_at(bytes, 80).ok_or_else(short)?,
            previous_end: u64_at(bytes, 88).ok_or_else(short)?,
            previous: GroupDigest(field(bytes, 96).ok_or_else(short)?),
        })
    }

    pub(crate) fn clean_stop(&self) -> bool {
        self.flags & FLAG_CLEAN_STOP != 0
    }
}

/// Encodes a group's trailer.
pub(crate) fn encode_trailer(digest: &GroupDigest) -> [u8; TRAILER_BYTES] {
    let mut bytes = [0; TRAILER_BYTES];
    put(&mut bytes, 0, &TRAILER_MAGIC);
    put(&mut bytes, 8, &digest.0);
    put(&mut bytes, 44, &END_MARK.to_le_bytes());
    let crc = crc_without_field(&bytes, TRAILER_CRC_AT);
    put(&mut bytes, TRAILER_CRC_AT, &crc.to_le_bytes());
    bytes
}

/// Checks a trailer against the digest of the group's bytes.
pub(crate) fn check_trailer(bytes: &[u8], digest: &GroupDigest) -> Result<(), Flaw> {
    let stored = decode_trailer(bytes)?;
    if stored == *digest {
        return Ok(());
    }
    Err(Flaw::new(DamageKind::Hash, "group digest", 8)
        .compared(short_hex(&digest.0), short_hex(&stored.0)))
}

/// Reads a trailer and returns the digest it states.
pub(crate) fn decode_trailer(bytes: &[u8]) -> Result<GroupDigest, Flaw> {
    check_crc(bytes, TRAILER_CRC_AT, "group trailer")?;
    if field(bytes, 0) != Some(TRAILER_MAGIC) || u32_at(bytes, 44) != Some(END_MARK) {
        return Err(Flaw::new(DamageKind::Misplaced, "group trailer", 0));
    }
    field(bytes, 8)
        .map(GroupDigest)
        .ok_or_else(|| Flaw::new(DamageKind::Missing, "group trailer", 0))
}
