//! Sealed files under `cache/`: snapshots that spare reading the whole log, and nothing more.
//!
//! Whatever lies here may be missing, old or damaged; it is then made anew from the log. Contents
//! are sealed in chunks under a key of the log's own, as they hold what the log seals.

use std::path::PathBuf;

use sokhoe_chain::{Aead, EventHeader, KeyCommitment, PayloadDigest, Salt, StreamId, StreamKind};
use sokhoe_storage::{Reader, read_file, write_file_atomic};
use sokhoe_vault::{StreamKey, Vault};

use crate::opening::Opener;

const MAGIC: &[u8; 8] = b"SKCACH01";
/// Bytes of plaintext sealed at once.
const CHUNK_BYTES: usize = 16 << 20;
/// The largest file that is read: snapshots over 100 million events and people fit.
const FILE_BYTES_MAX: u64 = 16 << 30;
/// Salt, commitment, digest and length before each sealed chunk.
const CHUNK_HEAD_BYTES: usize = 16 + 32 + 32 + 4;

impl Opener {
    /// Writes a snapshot; a failure costs the next start some time and nothing else.
    pub fn write_cache(&self, name: &'static str, plaintext: &[u8]) {
        let Some(bytes) = sealed(&self.vault, name, plaintext) else {
            tracing::warn!(name, "a snapshot could not be sealed");
            return;
        };
        let disk = self.reader.disk();
        let path = path(&self.reader, name);
        let folder = path
            .parent()
            .map_or(Ok(()), |folder| disk.create_dir_all(folder));
        if let Err(error) = folder.and_then(|()| write_file_atomic(disk.as_ref(), &path, &bytes)) {
            tracing::warn!(name, %error, "a snapshot is not written");
        }
    }

    /// Reads a snapshot; `None` when there is none that can be used.
    #[must_use]
    pub fn read_cache(&self, name: &'static str) -> Option<Vec<u8>> {
        read(&self.reader, &self.vault, name)
    }
}

/// Reads a snapshot before there is an opener.
pub(crate) fn read(reader: &Reader, vault: &Vault, name: &'static str) -> Option<Vec<u8>> {
    let bytes = read_file(reader.disk().as_ref(), &path(reader, name), FILE_BYTES_MAX).ok()?;
    let plaintext = unsealed(vault, name, &bytes);
    if plaintext.is_none() {
        tracing::warn!(name, "a damaged or foreign snapshot is not used");
    }
    plaintext
}

fn path(reader: &Reader, name: &str) -> PathBuf {
    reader.folder().join("cache").join(name)
}

fn stream(vault: &Vault, name: &str) -> StreamId {
    let derived = vault
        .secrets()
        .derive("sokhoe:cache:v1", &[name.as_bytes()]);
    StreamId(derived.first_chunk().copied().unwrap_or_default())
}

fn key(vault: &Vault, name: &str) -> Option<StreamKey> {
    let key = vault.stream_key_or_new(stream(vault, name)).ok()?;
    vault.persist_pending().ok()?;
    Some(key)
}

fn sealed(vault: &Vault, name: &str, plaintext: &[u8]) -> Option<Vec<u8>> {
    let key = key(vault, name)?;
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

fn unsealed(vault: &Vault, name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let stream = stream(vault, name);
    let key = vault.stream_key(stream).ok()?;
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let mut plaintext = Vec::with_capacity(bytes.len());
    while !rest.is_empty() {
        let (head, after) = rest.split_at_checked(CHUNK_HEAD_BYTES)?;
        let (salt, head) = head.split_first_chunk::<16>()?;
        let (commitment, head) = head.split_first_chunk::<32>()?;
        let (digest, head) = head.split_first_chunk::<32>()?;
        let length = u32::from_le_bytes(*head.first_chunk::<4>()?);
        let (chunk, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
        let mut header = EventHeader::new(StreamKind::System, stream, Aead::Aes256Gcm);
        header.salt = Salt(*salt);
        header.commitment = KeyCommitment(*commitment);
        header.payload_digest = PayloadDigest(*digest);
        header.payload_bytes = length;
        plaintext.extend_from_slice(&vault.unseal(&key, &header, chunk).ok()?);
        rest = after;
    }
    Some(plaintext)
}
