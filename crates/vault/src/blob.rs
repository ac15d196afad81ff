//! Sealed blobs: large content outside the log, addressed by the digest of what is stored.
//!
//! A blob has a random id and under it a key of its own in the vault, so that it can be destroyed
//! with the streams of its person, and stored before the event that names it. Layout: magic
//! `SKHBLOB1` 8, blob id 16, salt 16, commitment 32, sealed content (padded, AES-256-GCM as for
//! events, the blob id standing for the stream). The digest is BLAKE3 of all these bytes.

use sokhoe_chain::{Aead, EventHeader, KeyCommitment, Salt, StreamId, StreamKind, payload_digest};
use thiserror::Error;

use crate::error::KeyError;
use crate::seal::{OpenError, PLAINTEXT_BYTES_MAX, SealError};
use crate::{Vault, file, random};

/// Longest content of a blob.
pub const BLOB_BYTES_MAX: usize = PLAINTEXT_BYTES_MAX;

const MAGIC: &[u8; 8] = b"SKHBLOB1";
const HEAD_BYTES: usize = 72;

/// The address of a blob: BLAKE3 of its stored bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobDigest(pub [u8; 32]);

impl std::fmt::Display for BlobDigest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// A blob ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBlob {
    /// Under which its key lies in the vault; destroy it with the person's streams.
    pub id: StreamId,
    /// Its address.
    pub digest: BlobDigest,
    /// What to store.
    pub bytes: Vec<u8>,
}

/// Why a blob was not sealed or opened.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum BlobError {
    /// Its key could not be made or found.
    #[error("use the key of a blob")]
    Key(#[from] KeyError),
    /// It could not be sealed.
    #[error("seal a blob")]
    Seal(#[from] SealError),
    /// It could not be opened.
    #[error("open a blob")]
    Open(#[from] OpenError),
    /// The bytes do not have the digest asked for: damage.
    #[error("open blob {digest}: its bytes do not have this digest")]
    WrongDigest {
        /// Digest asked for.
        digest: BlobDigest,
    },
    /// The bytes are no blob.
    #[error("open blob {digest}: it does not begin as a blob does")]
    NotABlob {
        /// Digest asked for.
        digest: BlobDigest,
    },
    /// The system gave no randomness.
    #[error("seal a blob: no random bytes from the system")]
    Random,
}

impl Vault {
    /// Seals content under a key of its own. Call [`Vault::persist_pending`] before the blob is
    /// acknowledged.
    ///
    /// # Errors
    /// When it is too long, or no key can be made.
    pub fn seal_blob(&self, content: &[u8]) -> Result<SealedBlob, BlobError> {
        if content.len() > BLOB_BYTES_MAX {
            return Err(SealError::TooLong {
                bytes: content.len(),
            }
            .into());
        }
        let id = StreamId(random::public().map_err(|_| BlobError::Random)?);
        let key = self.new_stream(id)?;
        let sealed = self.seal(&key, content)?;
        let mut bytes = Vec::with_capacity(HEAD_BYTES + sealed.bytes.len());
        let head: [&[u8]; 4] = [MAGIC, &id.0, &sealed.salt.0, &sealed.commitment.0];
        head.iter().for_each(|part| bytes.extend_from_slice(part));
        bytes.extend_from_slice(&sealed.bytes);
        let digest = BlobDigest(*blake3::hash(&bytes).as_bytes());
        Ok(SealedBlob { id, digest, bytes })
    }

    /// Opens a blob, after checking that its bytes are those addressed.
    ///
    /// # Errors
    /// Damage, a destroyed key and a broken seal are told apart.
    pub fn open_blob(&self, digest: BlobDigest, bytes: &[u8]) -> Result<Vec<u8>, BlobError> {
        if *blake3::hash(bytes).as_bytes() != digest.0 {
            return Err(BlobError::WrongDigest { digest });
        }
        let not_a_blob = || BlobError::NotABlob { digest };
        if !bytes.starts_with(MAGIC) {
            return Err(not_a_blob());
        }
        let mut fields = file::Fields::after(bytes, MAGIC.len());
        let id = StreamId(fields.take().ok_or_else(not_a_blob)?);
        let mut header = EventHeader::new(StreamKind::Record, id, Aead::Aes256Gcm);
        header.salt = Salt(fields.take().ok_or_else(not_a_blob)?);
        header.commitment = KeyCommitment(fields.take().ok_or_else(not_a_blob)?);
        let sealed = bytes.get(HEAD_BYTES..).ok_or_else(not_a_blob)?;
        header.payload_digest = payload_digest(sealed);
        Ok(self.unseal(&self.stream_key(id)?, &header, sealed)?)
    }

    /// Reads under which id a blob's key lies, so that it can be destroyed.
    #[must_use]
    pub fn blob_id(bytes: &[u8]) -> Option<StreamId> {
        let body = bytes.strip_prefix(MAGIC)?;
        body.first_chunk::<16>().map(|id| StreamId(*id))
    }
}
