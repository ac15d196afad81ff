//! Segment header and footer.

use sokhoe_chain::{GroupDigest, LogId};

use super::{
    END_MARK, FORMAT_VERSION, Flaw, SUITE, crc_without_field, field, i64_at, put, short_hex,
    u32_at, u64_at,
};
use crate::error::DamageKind;

pub(crate) const SEGMENT_HEADER_BYTES: usize = 128;
pub(crate) const FOOTER_BYTES: usize = 128;
pub(crate) const SEGMENT_MAGIC: [u8; 8] = *b"SKHSEGMT";
pub(crate) const FOOTER_MAGIC: [u8; 8] = *b"CLOSEDSG";
const SEGMENT_CRC_AT: usize = 124;
pub(crate) const FOOTER_CRC_AT: usize = 120;

/// Opens a segment; written and synced before the file gets its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) log_id: LogId,
    pub(crate) tenant: [u8; 16],
    pub(crate) number: u64,
    pub(crate) first_position: u64,
    pub(crate) epoch: u64,
    pub(crate) created_us: i64,
    /// Own digest of the segment before; zero in the first.
    pub(crate) previous_segment: [u8; 32],
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        put(&mut bytes, 0, &SEGMENT_MAGIC);
        put(&mut bytes, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, 12, &SUITE.to_le_bytes());
        put(&mut bytes, 16, &self.log_id.0);
        put(&mut bytes, 32, &self.tenant);
        put(&mut bytes, 48, &self.number.to_le_bytes());
        put(&mut bytes, 56, &self.first_position.to_le_bytes());
        put(&mut bytes, 64, &self.epoch.to_le_bytes());
        put(&mut bytes, 72, &self.created_us.to_le_bytes());
        put(&mut bytes, 80, &self.previous_segment);
        let crc = crc_without_field(&bytes, SEGMENT_CRC_AT);
        put(&mut bytes, SEGMENT_CRC_AT, &crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Result<Self, Flaw> {
        let short = || Flaw::new(DamageKind::Missing, "segment header", 0);
        check_crc(bytes, SEGMENT_CRC_AT, "segment header")?;
        check_start(bytes, SEGMENT_MAGIC, "segment header")?;
        Ok(Self {
            log_id: LogId(field(bytes, 16).ok_or_else(short)?),
            tenant: field(bytes, 32).ok_or_else(short)?,
            number: u64_at(bytes, 48).ok_or_else(short)?,
            first_position: u64_at(bytes, 56).ok_or_else(short)?,
            epoch: u64_at(bytes, 64).ok_or_else(short)?,
            created_us: i64_at(bytes, 72).ok_or_else(short)?,
            previous_segment: field(bytes, 80).ok_or_else(short)?,
        })
    }
}

/// Closes a segment; its own digest covers the segment's header and, through the groups' links, every byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentFooter {
    pub(crate) number: u64,
    pub(crate) event_count: u64,
    pub(crate) group_count: u64,
    /// Offset at which the footer stands.
    pub(crate) data_end: u64,
    pub(crate) last_position: u64,
    pub(crate) last_group: GroupDigest,
}

impl SegmentFooter {
    /// Returns the bytes and the segment's own digest.
    pub(crate) fn encode(
        &self,
        header: &[u8; SEGMENT_HEADER_BYTES],
    ) -> ([u8; FOOTER_BYTES], [u8; 32]) {
        let mut bytes = [0; FOOTER_BYTES];
        put(&mut bytes, 0, &FOOTER_MAGIC);
        put(&mut bytes, 8, &self.number.to_le_bytes());
        put(&mut bytes, 16, &self.event_count.to_le_bytes());
        put(&mut bytes, 24, &self.group_count.to_le_bytes());
        put(&mut bytes, 32, &self.data_end.to_le_bytes());
        put(&mut bytes, 40, &self.last_position.to_le_bytes());
        put(&mut bytes, 48, &self.last_group.0);
        let digest = own_digest(header, &bytes);
        put(&mut bytes, 80, &digest);
        put(&mut bytes, 124, &END_MARK.to_le_bytes());
        let crc = crc_without_field(&bytes, FOOTER_CRC_AT);
        put(&mut bytes, FOOTER_CRC_AT, &crc.to_le_bytes());
        (bytes, digest)
    }

    /// Reads a footer and returns it with the segment's own digest.
    pub(crate) fn decode(
        bytes: &[u8; FOOTER_BYTES],
        header: &[u8; SEGMENT_HEADER_BYTES],
    ) -> Result<(Self, [u8; 32]), Flaw> {
        let short = || Flaw::new(DamageKind::Missing, "segment footer", 0);
        check_crc(bytes, FOOTER_CRC_AT, "segment footer")?;
        if field(bytes, 0) != Some(FOOTER_MAGIC) || u32_at(bytes, 124) != Some(END_MARK) {
            return Err(Flaw::new(DamageKind::Misplaced, "segment footer", 0));
        }
        let stored: [u8; 32] = field(bytes, 80).ok_or_else(short)?;
        let digest = own_digest(header, bytes);
        if stored != digest {
            return Err(Flaw::new(DamageKind::Hash, "segment footer", 80)
                .compared(short_hex(&digest), short_hex(&stored)));
        }
        let footer = Self {
            number: u64_at(bytes, 8).ok_or_else(short)?,
            event_count: u64_at(bytes, 16).ok_or_else(short)?,
            group_count: u64_at(bytes, 24).ok_or_else(short)?,
            data_end: u64_at(bytes, 32).ok_or_else(short)?,
            last_position: u64_at(bytes, 40).ok_or_else(short)?,
            last_group: GroupDigest(field(bytes, 48).ok_or_else(short)?),
        };
        Ok((footer, digest))
    }
}

fn own_digest(header: &[u8; SEGMENT_HEADER_BYTES], footer: &[u8; FOOTER_BYTES]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(header);
    hasher.update(footer.get(..80).unwrap_or_default());
    *hasher.finalize().as_bytes()
}

/// Checks a structure's CRC.
pub(crate) fn check_crc(bytes: &[u8], crc_at: usize, part: &'static str) -> Result<(), Flaw> {
    let stored = u32_at(bytes, crc_at);
    let computed = crc_without_field(bytes, crc_at);
    if stored == Some(computed) {
        return Ok(());
    }
    Err(Flaw::new(DamageKind::Checksum, part, 0).compared(
        format_args!("CRC32C {computed:08x}"),
        format_args!("{:08x}", stored.unwrap_or_default()),
    ))
}

/// Checks magic, version and suite, once the CRC holds.
pub(crate) fn check_start(bytes: &[u8], magic: [u8; 8], part: &'static str) -> Result<(), Flaw> {
    if field(bytes, 0) != Some(magic) {
        return Err(Flaw::new(DamageKind::Misplaced, part, 0));
    }
    let (version, suite) = (u32_at(bytes, 8), u32_at(bytes, 12));
    if version != Some(FORMAT_VERSION) || suite != Some(SUITE) {
        return Err(Flaw::new(DamageKind::Misplaced, part, 8).compared(
            format_args!("format version {FORMAT_VERSION}, suite {SUITE}"),
            format_args!(
                "{}, {}",
                version.unwrap_or_default(),
                suite.unwrap_or_default()
            ),
        ));
    }
    Ok(())
}
