//! The journal of new wrapped keys: appended and synced once per commit group.
//!
//! File `journal.G`, little-endian. Head, 64 bytes: magic `SKHJRNL1` 8, log id 16, generation u64,
//! BLAKE3 of these (32). Records of 128 bytes: stream id 16, epoch u32, kind u8 (1), last u8 (1 on
//! the last record of a batch), zero u16, batch u64 (from 1), nonce 12, wrapped key 48, chain 32
//! (BLAKE3 of the previous chain, at first the head's digest, and the record's bytes before), CRC32C
//! of the record's bytes before (u32).
//!
//! A crash can leave the batch that was being written short, or with holes of zeros: that batch
//! was never acknowledged and is cut off. Anything else is damage: a wrong record that one
//! flipped bit explains, wrong bytes that are no hole, a hole with a later batch behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sokhoe_chain::{LogId, StreamId};
use sokhoe_disk::{DiskFile, DiskLock};

use crate::aead::WRAPPED_BYTES;
use crate::error::VaultError;
use crate::file::{self, KeyFolder};
use crate::shard::WrappedKey;

const MAGIC: &[u8; 8] = b"SKHJRNL1";
const HEAD_BYTES: usize = 64;
const RECORD_BYTES: usize = 128;
const CHAIN_AT: usize = 92;
const KEY_RECORD: u8 = 1;
const SECTOR_BYTES: usize = 512;

/// The journal, open for appending and locked against other processes.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    _lock: Box<dyn DiskLock>,
    end: u64,
    chain: [u8; 32],
    batch: u64,
}

/// What a journal holds.
pub(crate) struct Replayed {
    pub(crate) keys: Vec<WrappedKey>,
    /// Bytes of a batch that a crash cut short.
    pub(crate) torn_bytes: u64,
    end: usize,
    chain: [u8; 32],
    batch: u64,
}

/// Names a generation's journal.
pub(crate) fn path(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("journal.{generation}"))
}

/// Reads a journal without changing it.
pub(crate) fn read(
    folder: &KeyFolder,
    log: LogId,
    generation: u64,
) -> Result<Replayed, VaultError> {
    let path = path(folder.dir(), generation);
    let bytes = folder.read_private(&path)?;
    replay_whole(&path, &bytes, log, generation)
}

fn replay_whole(
    path: &Path,
    bytes: &[u8],
    log: LogId,
    generation: u64,
) -> Result<Replayed, VaultError> {
    let head = bytes
        .first_chunk::<HEAD_BYTES>()
        .ok_or_else(|| VaultError::damaged(path, bytes.len(), "its head is cut off"))?;
    file::checked_body(path, head, MAGIC)?;
    let mut fields = file::Fields::after(head, MAGIC.len());
    file::same_log(path, log, LogId(fields.take().unwrap_or_default()))?;
    if fields.u64() != Some(generation) {
        return Err(VaultError::damaged(
            path,
            24,
            "it is of another generation than its name",
        ));
    }
    replay(path, bytes, fields.take().unwrap_or_default())
}

fn replay(path: &Path, bytes: &[u8], chain: [u8; 32]) -> Result<Replayed, VaultError> {
    let mut replayed = Replayed {
        keys: Vec::new(),
        torn_bytes: 0,
        end: HEAD_BYTES,
        chain,
        batch: 0,
    };
    let mut batch_closed = true;
    replayed.keys.reserve(bytes.len() / RECORD_BYTES);
    while let Some(rest) = bytes.get(replayed.end..).filter(|rest| !rest.is_empty()) {
        let record = rest.first_chunk::<RECORD_BYTES>().and_then(Record::decode);
        let Some(record) = record else {
            let open_batch = if batch_closed {
                replayed.batch + 1
            } else {
                replayed.batch
            };
            if let Some(what) = damage(bytes, replayed.end, open_batch) {
                return Err(VaultError::damaged(path, replayed.end, what));
            }
            replayed.torn_bytes = rest.len() as u64;
            break;
        };
        let expected_batch = replayed.batch + u64::from(batch_closed);
        // A batch that a crash cut short leaves its whole records; the next one goes on behind.
        let batch_fits = record.batch == expected_batch || record.batch == replayed.batch + 1;
        if record.chain != link(&replayed.chain, rest) || !batch_fits {
            let what = "its chain is broken: records were removed, added or exchanged";
            return Err(VaultError::damaged(path, replayed.end, what));
        }
        batch_closed = record.last;
        (replayed.chain, replayed.batch) = (record.chain, record.batch);
        replayed.end += RECORD_BYTES;
        replayed.keys.push(record.key);
    }
    Ok(replayed)
}

/// Says why a record that does not check is damage; `None` when a crash explains it.
fn damage(bytes: &[u8], at: usize, open_batch: u64) -> Option<&'static str> {
    let rest = bytes.get(at..).unwrap_or_default();
    let record = rest.first_chunk::<RECORD_BYTES>()?;
    if one_flipped_bit_explains(record) {
        return Some("one flipped bit in a record");
    }
    if !has_hole(bytes, at) {
        return Some("a record's checksum is wrong, and it is no torn write");
    }
    let behind = rest
        .as_chunks::<RECORD_BYTES>()
        .0
        .iter()
        .filter_map(Record::decode);
    behind
        .into_iter()
        .any(|record| record.batch > open_batch)
        .then_some("a record is missing before later batches")
}

/// Says whether the record at `at` reaches into a sector that was never written.
fn has_hole(bytes: &[u8], at: usize) -> bool {
    let first_sector = at / SECTOR_BYTES;
    let last_sector = (at + RECORD_BYTES - 1) / SECTOR_BYTES;
    (first_sector..=last_sector).any(|sector| {
        let start = (sector * SECTOR_BYTES).max(at);
        let end = ((sector + 1) * SECTOR_BYTES).min(bytes.len());
        bytes
            .get(start..end)
            .is_some_and(|part| part.iter().all(|byte| *byte == 0))
    })
}

fn one_flipped_bit_explains(record: &[u8; RECORD_BYTES]) -> bool {
    let mut tried = *record;
    for at in 0..RECORD_BYTES {
        for bit in 0..8 {
            tried
                .get_mut(at)
                .into_iter()
                .for_each(|byte| *byte ^= 1 << bit);
            if checksum_holds(&tried) {
                return true;
            }
            tried
                .get_mut(at)
                .into_iter()
                .for_each(|byte| *byte ^= 1 << bit);
        }
    }
    false
}

fn checksum_holds(record: &[u8; RECORD_BYTES]) -> bool {
    record
        .split_last_chunk::<4>()
        .is_some_and(|(body, crc)| crc32c::crc32c(body) == u32::from_le_bytes(*crc))
}

fn link(previous: &[u8; 32], record: &[u8]) -> [u8; 32] {
    let mut input = [0; 32 + CHAIN_AT];
    let (before, body) = input.split_at_mut(32);
    before.copy_from_slice(previous);
    body.iter_mut()
        .zip(record)
        .for_each(|(to, from)| *to = *from);
    *blake3::hash(&input).as_bytes()
}

struct Record {
    key: WrappedKey,
    last: bool,
    batch: u64,
    chain: [u8; 32],
}

impl Record {
    fn decode(bytes: &[u8; RECORD_BYTES]) -> Option<Self> {
        if !checksum_holds(bytes) {
            return None;
        }
        let mut fields = file::Fields::after(bytes, 0);
        let (stream, epoch) = (StreamId(fields.take()?), fields.u32()?);
        let [kind, last, 0, 0] = fields.take()? else {
            return None;
        };
        if kind != KEY_RECORD || last > 1 {
            return None;
        }
        let batch = fields.u64()?;
        let (nonce, wrapped) = (fields.take()?, fields.take::<WRAPPED_BYTES>()?);
        let key = WrappedKey {
            stream,
            epoch,
            destroyed: false,
            nonce,
            wrapped,
        };
        Some(Self {
            key,
            last: last == 1,
            batch,
            chain: fields.take()?,
        })
    }
}

impl Journal {
    /// Makes and syncs an empty journal; a left-over of an unfinished generation is replaced.
    pub(crate) fn create(
        folder: &KeyFolder,
        log: LogId,
        generation: u64,
    ) -> Result<Self, VaultError> {
        let path = path(folder.dir(), generation);
        folder.remove(&path)?;
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.extend_from_slice(MAGIC);
        head.extend_from_slice(&log.0);
        head.extend_from_slice(&generation.to_le_bytes());
        let chain = *blake3::hash(&head).as_bytes();
        head.extend_from_slice(&chain);
        let file = folder.create(&path)?;
        let lock = folder.lock(&path)?;
        file.write_at(&head, 0)
            .map_err(VaultError::io("write", &path))?;
        file.sync_all().map_err(VaultError::io("sync", &path))?;
        folder.sync_folder(folder.dir())?;
        Ok(Self {
            path,
            file,
            _lock: lock,
            end: HEAD_BYTES as u64,
            chain,
            batch: 0,
        })
    }

    /// Opens a journal for appending; a torn batch is cut off, and what is accepted is written again and synced.
    pub(crate) fn open(
        folder: &KeyFolder,
        log: LogId,
        generation: u64,
    ) -> Result<(Self, Replayed), VaultError> {
        let path = path(folder.dir(), generation);
        let file = folder.open_to_write(&path)?;
        let lock = folder.lock(&path)?;
        let bytes = folder.read_private(&path)?;
        let replayed = replay_whole(&path, &bytes, log, generation)?;
        let accepted = bytes.get(..replayed.end).unwrap_or_default();
        if replayed.torn_bytes > 0 {
            file.set_len(accepted.len() as u64)
                .map_err(VaultError::io("cut", &path))?;
        }
        // Reading it does not show that it is on the disk: a system whose sync failed may keep the bytes in memory and
        // take them for written, so that a later sync alone would pass them over.
        file.write_at(accepted, 0)
            .and_then(|()| file.sync_all())
            .map_err(VaultError::io("sync", &path))?;
        let journal = Self {
            path,
            file,
            _lock: lock,
            end: replayed.end as u64,
            chain: replayed.chain,
            batch: replayed.batch,
        };
        Ok((journal, replayed))
    }

    /// Makes every later write fail, as a full or broken disk would.
    #[cfg(test)]
    pub(crate) fn break_disk(&mut self) {
        let disk: &dyn sokhoe_disk::Disk = &sokhoe_disk::OsDisk;
        self.file = disk.open(&self.path, sokhoe_disk::Access::Read).unwrap();
    }

    /// Returns the file's length.
    pub(crate) const fn bytes(&self) -> u64 {
        self.end
    }

    /// Appends a batch and syncs it. After an error the journal must not be used any more.
    pub(crate) fn append(&mut self, keys: &[WrappedKey]) -> Result<(), VaultError> {
        let Some((last, _)) = keys.split_last() else {
            return Ok(());
        };
        self.batch += 1;
        let mut bytes = Vec::with_capacity(keys.len() * RECORD_BYTES);
        for key in keys {
            let start = bytes.len();
            bytes.extend_from_slice(&key.stream.0);
            bytes.extend_from_slice(&key.epoch.to_le_bytes());
            bytes.extend_from_slice(&[KEY_RECORD, u8::from(key.stream == last.stream), 0, 0]);
            bytes.extend_from_slice(&self.batch.to_le_bytes());
            bytes.extend_from_slice(&key.nonce);
            bytes.extend_from_slice(&key.wrapped);
            self.chain = link(&self.chain, bytes.get(start..).unwrap_or_default());
            bytes.extend_from_slice(&self.chain);
            let crc = crc32c::crc32c(bytes.get(start..).unwrap_or_default());
            bytes.extend_from_slice(&crc.to_le_bytes());
        }
        self.file
            .write_at(&bytes, self.end)
            .map_err(VaultError::io("append to", &self.path))?;
        self.file
            .sync_data()
            .map_err(VaultError::io("sync", &self.path))?;
        self.end += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
