//! The `meta` file: which log this is.

use sokhoe_chain::LogId;

use super::{FORMAT_VERSION, Flaw, SUITE, aligned, field, i64_at, put, short_hex, u32_at};
use crate::error::DamageKind;

const MAGIC: [u8; 8] = *b"SKHLMETA";
const FIXED_BYTES: usize = 64;
/// The longest origin name, in bytes.
pub const ORIGIN_BYTES_MAX: usize = 200;
/// No meta file is longer.
pub(crate) const META_BYTES_MAX: u64 = 1024;

/// Says which log a data folder holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The log's random id, part of every sealed payload's associated data.
    pub log_id: LogId,
    /// Whose log it is; zero where there is one tenant.
    pub tenant: [u8; 16],
    /// The origin line of its checkpoints, at most [`ORIGIN_BYTES_MAX`] bytes.
    pub origin: String,
    /// When it was created, in microseconds since the Unix epoch.
    pub created_us: i64,
}

impl Meta {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let origin = self.origin.as_bytes();
        let digest_at = FIXED_BYTES + aligned(origin.len());
        let mut bytes = vec![0; digest_at + 32];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, 12, &SUITE.to_le_bytes());
        put(&mut bytes, 16, &self.log_id.0);
        put(&mut bytes, 32, &self.tenant);
        put(&mut bytes, 48, &self.created_us.to_le_bytes());
        put(
            &mut bytes,
            56,
            &u32::try_from(origin.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        put(&mut bytes, FIXED_BYTES, origin);
        let digest = blake3::hash(bytes.get(..digest_at).unwrap_or_default());
        put(&mut bytes, digest_at, digest.as_bytes());
        bytes
    }

    /// Reads the file; the digest is checked before the version, so that damage never looks like a new version.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, MetaError> {
        let flaw = |part, at| MetaError::Flawed(Flaw::new(DamageKind::Checksum, part, at));
        let digest_at = bytes
            .len()
            .checked_sub(32)
            .ok_or_else(|| flaw("meta file is too short", 0))?;
        let computed = blake3::hash(bytes.get(..digest_at).unwrap_or_default());
        let stored: [u8; 32] = field(bytes, digest_at).ok_or_else(|| flaw("meta", digest_at))?;
        if stored != *computed.as_bytes() {
            return Err(MetaError::Flawed(
                Flaw::new(DamageKind::Checksum, "meta digest", digest_at)
                    .compared(short_hex(computed.as_bytes()), short_hex(&stored)),
            ));
        }
        if field(bytes, 0) != Some(MAGIC) {
            return Err(flaw("meta magic", 0));
        }
        let version = u32_at(bytes, 8).unwrap_or_default();
        if version != FORMAT_VERSION || u32_at(bytes, 12) != Some(SUITE) {
            return Err(MetaError::UnknownVersion(version));
        }
        Self::fields(bytes, digest_at).ok_or_else(|| flaw("meta fields", 16))
    }

    fn fields(bytes: &[u8], digest_at: usize) -> Option<Self> {
        let origin_bytes = usize::try_from(u32_at(bytes, 56)?).ok()?;
        if FIXED_BYTES.checked_add(aligned(origin_bytes))? != digest_at {
            return None;
        }
        let origin = bytes.get(FIXED_BYTES..FIXED_BYTES + origin_bytes)?;
        Some(Self {
            log_id: LogId(field(bytes, 16)?),
            tenant: field(bytes, 32)?,
            origin: String::from_utf8(origin.to_vec()).ok()?,
            created_us: i64_at(bytes, 48)?,
        })
    }
}

/// Why a meta file cannot be used.
#[derive(Debug)]
pub(crate) enum MetaError {
    Flawed(Flaw),
    UnknownVersion(u32),
}
