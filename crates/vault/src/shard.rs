//! Wrapped stream keys and the immutable files they lie in, one per shard and generation.
//!
//! A shard is the first 12 bits of the stream id. File `shards/NNNN.G`, little-endian: magic
//! `SKHSHRD1` 8, log id 16, generation u64, shard u32, count u32; entries in ascending order of
//! stream ids; BLAKE3 of everything before (32). An entry has 88 bytes: stream id 16, epoch u32,
//! state u32 (1 present, 2 destroyed: nonce and key zero), nonce 12, wrapped key 48, CRC32C of the
//! entry's bytes before (u32).

use std::path::{Path, PathBuf};

use sokhoe_chain::{LogId, StreamId};
use zeroize::Zeroizing;

use crate::aead::{self, WRAPPED_BYTES};
use crate::error::VaultError;
use crate::file::{self, KeyFolder};
use crate::random;

/// How many shards there are: each has its own key-encryption key.
pub(crate) const SHARDS: usize = 4096;

const MAGIC: &[u8; 8] = b"SKHSHRD1";
const HEAD_BYTES: usize = 40;
const ENTRY_BYTES: usize = 88;
const DIGEST_BYTES: usize = 32;
const PRESENT: u32 = 1;
const DESTROYED: u32 = 2;

/// A stream key as it is kept: wrapped under its shard's key, or a note that it was destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrappedKey {
    pub(crate) stream: StreamId,
    pub(crate) epoch: u32,
    pub(crate) destroyed: bool,
    pub(crate) nonce: [u8; 12],
    pub(crate) wrapped: [u8; WRAPPED_BYTES],
}

/// Which shard file is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ShardFile {
    /// 0 when the shard has no file.
    pub(crate) generation: u64,
    pub(crate) count: u32,
    pub(crate) digest: [u8; DIGEST_BYTES],
}

/// Returns the shard of a stream, below [`SHARDS`].
pub(crate) fn shard_of(stream: StreamId) -> usize {
    let [first, second, ..] = stream.0;
    usize::from(first) << 4 | usize::from(second >> 4)
}

impl WrappedKey {
    /// Wraps a stream's key under its shard's.
    pub(crate) fn wrap(
        kek: &[u8; 32],
        log: LogId,
        stream: StreamId,
        epoch: u32,
        secret: &[u8; 32],
    ) -> Result<Self, getrandom::Error> {
        let nonce = random::nonce()?;
        let wrapped = aead::wrap(kek, nonce, &associated(log, stream, epoch), secret)
            .map_err(|_| getrandom::Error::UNEXPECTED)?;
        Ok(Self {
            stream,
            epoch,
            destroyed: false,
            nonce,
            wrapped,
        })
    }

    /// Unwraps the key; `None` when it does not open.
    pub(crate) fn unwrap(&self, kek: &[u8; 32], log: LogId) -> Option<Zeroizing<[u8; 32]>> {
        let associated = associated(log, self.stream, self.epoch);
        aead::unwrap(kek, self.nonce, &associated, &self.wrapped).ok()
    }

    /// Notes that the key was destroyed.
    pub(crate) const fn destroyed(stream: StreamId, epoch: u32) -> Self {
        Self {
            stream,
            epoch,
            destroyed: true,
            nonce: [0; 12],
            wrapped: [0; WRAPPED_BYTES],
        }
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        let state = if self.destroyed { DESTROYED } else { PRESENT };
        bytes.extend_from_slice(&self.stream.0);
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&state.to_le_bytes());
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(&self.wrapped);
        let crc = crc32c::crc32c(bytes.get(start..).unwrap_or_default());
        bytes.extend_from_slice(&crc.to_le_bytes());
    }

    fn decode(bytes: &[u8; ENTRY_BYTES]) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        let mut fields = file::Fields::after(body, 0);
        let (stream, epoch) = (StreamId(fields.take()?), fields.u32()?);
        let destroyed = match fields.u32()? {
            PRESENT => false,
            DESTROYED => true,
            _ => return None,
        };
        Some(Self {
            stream,
            epoch,
            destroyed,
            nonce: fields.take()?,
            wrapped: fields.take()?,
        })
    }
}

/// Names a shard's file.
pub(crate) fn path(dir: &Path, shard: usize, generation: u64) -> PathBuf {
    dir.join("shards").join(format!("{shard:04}.{generation}"))
}

/// Writes a shard's file without syncing it.
pub(crate) fn write(
    folder: &KeyFolder,
    log: LogId,
    generation: u64,
    shard: usize,
    keys: &[WrappedKey],
) -> Result<ShardFile, VaultError> {
    let count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEAD_BYTES + keys.len() * ENTRY_BYTES + DIGEST_BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&log.0);
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(shard).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    keys.iter().for_each(|key| key.encode(&mut bytes));
    let digest = *blake3::hash(&bytes).as_bytes();
    bytes.extend_from_slice(&digest);
    folder.write_unsynced(&path(folder.dir(), shard, generation), &bytes)?;
    Ok(ShardFile {
        generation,
        count,
        digest,
    })
}

/// Reads a shard's file and checks it against what the manifest says of it.
pub(crate) fn read(
    folder: &KeyFolder,
    log: LogId,
    shard: usize,
    expected: &ShardFile,
) -> Result<Vec<WrappedKey>, VaultError> {
    if expected.generation == 0 {
        return Ok(Vec::new());
    }
    let path = path(folder.dir(), shard, expected.generation);
    let bytes = folder.read(&path)?;
    let damaged = |offset, what| VaultError::damaged(&path, offset, what);
    let (body, digest) = bytes
        .split_last_chunk::<DIGEST_BYTES>()
        .ok_or_else(|| damaged(0, "it is cut off"))?;
    let whole = blake3::hash(body).as_bytes() == digest;
    let entries = body
        .get(HEAD_BYTES..)
        .ok_or_else(|| damaged(0, "it is cut off"))?;
    let (entries, rest) = entries.as_chunks::<ENTRY_BYTES>();
    let mut keys: Vec<WrappedKey> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let key = WrappedKey::decode(entry)
            .filter(|key| keys.last().is_none_or(|last| last.stream < key.stream));
        let offset = HEAD_BYTES + index * ENTRY_BYTES;
        keys.push(key.ok_or_else(|| damaged(offset, "the checksum of a wrapped key is wrong"))?);
    }
    if !whole {
        return Err(damaged(0, "its bytes do not have the digest at its end"));
    }
    if *digest != expected.digest || keys.len() != expected.count as usize || !rest.is_empty() {
        return Err(damaged(
            body.len(),
            "it is not the file that the manifest names",
        ));
    }
    let mut fields = file::Fields::after(body, MAGIC.len());
    file::same_log(&path, log, LogId(fields.take().unwrap_or_default()))?;
    Ok(keys)
}

/// `"sokhoe:wrap:v1\n\0"`, log id, stream id, epoch.
fn associated(log: LogId, stream: StreamId, epoch: u32) -> [u8; 52] {
    let mut bytes = [0; 52];
    let epoch = epoch.to_le_bytes();
    let parts: [&[u8]; 4] = [b"sokhoe:wrap:v1\n\0", &log.0, &stream.0, &epoch];
    let mut rest = bytes.as_mut_slice();
    for part in parts {
        let (slot, after) = rest.split_at_mut(part.len());
        slot.copy_from_slice(part);
        rest = after;
    }
    bytes
}
