//! The registry at start: from its checkpoint file and the log's tail.
//!
//! The checkpoint lies in `cache/registry`, sealed in chunks. It is a shortcut only: when it is
//! missing, damaged, of another log or ahead of it, the registry is rebuilt from the first event.

use std::path::Path;


use sokhoe_chain::{Aead, EventHeader, KeyCommitment, PayloadDigest, Salt, StreamId, StreamKind};
use sokhoe_registry::{Registry, changes_of};
use sokhoe_storage::{OsDisk, Position, Reader, read_file, write_file_atomic};
use sokhoe_vault::{StreamKey, Vault};

use crate::lookup::root_of;
use crate::opening::{Opener, UnsealError};

const MAGIC: &[u8; 8] = b"SKREGI01";
/// Bytes of plaintext sealed at once.
const CHUNK_BYTES: usize = 16 << 20;
/// The largest checkpoint that is read: 100 million events and people fit.
const CHECKPOINT_BYTES_MAX: u64 = 16 << 30;
/// Salt, commitment, digest and length before each sealed chunk.
const CHUNK_HEAD_BYTES: usize = 16 + 32 + 32 + 4;

/// Replays the log past a position into the registry; returns how many events that were.
pub(crate) fn replay(opener: &Opener, from: u64) -> Result<u64, UnsealError> {
    let mut scan = opener.reader.scan(Position::new(from + 1));
    let mut replayed = 0;
    while let Some(frame) = scan.next_frame()? {
        replayed += 1;
        let header = frame.header()?;
        if header.stream_kind == StreamKind::Keeper {
            continue;
        }
        let position = frame.position.get();
        // An id is taken even where the key of its event was destroyed.
        let _ = opener.registry.take(header.event_key, position);
        let opened = match opener.open_scanned(&frame) {
            Ok(Some(opened)) => opened,
            Ok(None) => continue,
            Err(error) if error.erased() => continue,
            Err(error) => return Err(error),
        };
        let Some(person) = opened.person().filter(|_| !opened.mirror()) else { continue };
        let root = root_of(opener, &opened)?;
        let corrected = root.as_ref().map(|root| &root.stored.event.data);
        let changes = changes_of(&opened.stored.event, person, corrected, opener);
        if let Err(refused) = opener.registry.apply(&changes, position) {
            // The writer decided by the same rules in the same order, so this is damage or a bug.
            tracing::error!(position, %refused, "the log holds a change that the registry refuses");
        }
    }
    Ok(replayed)
}

/// Reads the checkpoint; an empty registry at position 0 when there is none that can be used.
pub(crate) fn read_checkpoint(data: &Path, vault: &Vault, reader: &Reader) -> (Registry, u64) {
    let nothing = || (Registry::new(), 0);
    let Some(bytes) = unsealed(data, vault) else { return nothing() };
    match Registry::restore(&bytes) {
        Ok((registry, position)) if position <= reader.position().get() => (registry, position),
        Ok(_) => nothing(),
        Err(error) => {
            tracing::warn!(%error, "the registry's checkpoint is not used");
            nothing()
        }
    }
}

/// Writes the checkpoint; a failure costs the next start some time and nothing else.
pub(crate) fn write_checkpoint(data: &Path, opener: &Opener) {
    let position = opener.reader.position().get();
    let plaintext = opener.registry.snapshot(position);
    match sealed(&opener.vault, &plaintext) {
        Some(bytes) => {
            let path = path(data);
            let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            let written = folder.and_then(|()| write_file_atomic(&OsDisk, &path, &bytes));
            if let Err(error) = written {
                tracing::warn!(%error, "the registry's checkpoint is not written");
            }
        }
        None => tracing::warn!("the registry's checkpoint could not be sealed"),
    }
}

fn path(data: &Path) -> std::path::PathBuf {
    data.join("cache").join("registry")
}

fn stream(vault: &Vault) -> StreamId {
    let derived = vault.secrets().derive("sokhoe:registry-checkpoint:v1", &[]);
    StreamId(derived.first_chunk().copied().unwrap_or_default())
}

fn key(vault: &Vault) -> Option<StreamKey> {
    let key = vault.stream_key_or_new(stream(vault)).ok()?;
    vault.persist_pending().ok()?;
    Some(key)
}

fn sealed(vault: &Vault, plaintext: &[u8]) -> Option<Vec<u8>> {
    let key = key(vault)?;
    let mut out = MAGIC.to_vec();
    for chunk in plaintext.chunks(CHUNK_BYTES) {
        let sealed = vault.seal(&key, chunk).ok()?;
        out.extend_from_slice(&sealed.salt.0);
        out.extend_from_slice(&sealed.commitment.0);
        out.extend_from_slice(&sealed.digest.0);
        out.extend_from_slice(&u32::try_from(sealed.bytes.len()).ok()?.to_le_bytes());
        out.extend_from_slice(&sealed.bytes);
    }
    Some(out)
}

fn unsealed(data: &Path, vault: &Vault) -> Option<Vec<u8>> {
    let bytes = read_file(&OsDisk, &path(data), CHECKPOINT_BYTES_MAX).ok()?;
    let key = vault.stream_key(stream(vault)).ok()?;
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let mut plaintext = Vec::with_capacity(bytes.len());
    while !rest.is_empty() {
        let (head, after) = rest.split_at_checked(CHUNK_HEAD_BYTES)?;
        let (salt, head) = head.split_first_chunk::<16>()?;
        let (commitment, head) = head.split_first_chunk::<32>()?;
        let (digest, head) = head.split_first_chunk::<32>()?;
        let length = u32::from_le_bytes(*head.first_chunk::<4>()?);
        let (chunk, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
        let mut header = EventHeader::new(StreamKind::System, stream(vault), Aead::Aes256Gcm);
        header.salt = Salt(*salt);
        header.commitment = KeyCommitment(*commitment);
        header.payload_digest = PayloadDigest(*digest);
        header.payload_bytes = length;
        plaintext.extend_from_slice(&vault.unseal(&key, &header, chunk).ok()?);
        rest = after;
    }
    Some(plaintext)
}

#[cfg(test)]
pub(crate) fn checkpoint_path(data: &Path) -> std::path::PathBuf {
    path(data)
}

