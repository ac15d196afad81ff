//! Sealing and opening of one payload, committing to its key; needs no chain state and no lock.
//!
//! ```text
//! event secret        = BLAKE3-keyed(stream key, "sokhoe:event:v1\n" ‖ salt)            32 bytes
//! AES key, commitment = BLAKE3-keyed(event secret, "sokhoe:seal:v1\n\0") extended     32 + 32
//! sealed              = AES-256-GCM(AES key, nonce 0, log ‖ stream ‖ salt ‖ suite, padded)
//! ```
//!
//! The salt is random, so every event has its own key and the nonce may be fixed. The commitment
//! stands in the hashed header: a payload cannot be crafted that opens two ways (GCM alone allows
//! that). Revealing an event secret opens that event and no other.

use sokhoe_chain::{
    Aead, Compression, EventHeader, KeyCommitment, LogId, PayloadDigest, Salt, StreamId, Suite,
    payload_digest,
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::aead::{self, TAG_BYTES};
use crate::{padding, random};

/// Longest plaintext that is sealed; storage's own limit on frames is lower.
pub const PLAINTEXT_BYTES_MAX: usize = 64 * 1024 * 1024;

const EVENT_CONTEXT: &[u8; 16] = b"sokhoe:event:v1\n";
const SEAL_CONTEXT: &[u8; 16] = b"sokhoe:seal:v1\n\0";
const NONCE: [u8; 12] = [0; 12];
const ASSOCIATED_BYTES: usize = 51;

/// The secret of one stream; forgotten from memory when dropped.
#[derive(Clone)]
pub struct StreamKey {
    stream: StreamId,
    epoch: u32,
    secret: Zeroizing<[u8; 32]>,
}

/// The secret of one event, which evidence may reveal without revealing the stream's.
#[derive(Clone, PartialEq, Eq)]
pub struct EventSecret(Zeroizing<[u8; 32]>);

/// A sealed payload and what its header must say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Random, for the event's secret.
    pub salt: Salt,
    /// Commits to the event's key.
    pub commitment: KeyCommitment,
    /// Digest of `bytes`.
    pub digest: PayloadDigest,
    /// How the plaintext was compressed; the seal covers it.
    pub compression: Compression,
    /// Padded ciphertext and tag.
    pub bytes: Vec<u8>,
}

/// Why a payload was not sealed.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum SealError {
    /// Longer than [`PLAINTEXT_BYTES_MAX`].
    #[error("seal a payload of {bytes} bytes: at most {PLAINTEXT_BYTES_MAX} are sealed")]
    TooLong {
        /// Bytes given.
        bytes: usize,
    },
    /// The system gave no randomness.
    #[error("seal a payload: no random bytes from the system")]
    Random,
    /// The cipher refused: a bug.
    #[error("seal a payload: the cipher refused")]
    Cipher,
}

/// Why a payload was not opened.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum OpenError {
    /// The header says it is clear.
    #[error("open payload: its header says that it is not sealed")]
    NotSealed,
    /// The key is another stream's.
    #[error("open payload of stream {expected} with the key of stream {found}")]
    WrongStream {
        /// Stream in the header.
        expected: StreamId,
        /// Stream of the key.
        found: StreamId,
    },
    /// The bytes are not those that the header digests: damage.
    #[error("open payload: its bytes do not have the digest in the header")]
    WrongDigest,
    /// The key is not the one that the header commits to.
    #[error("open payload: the key is not the one that the header commits to")]
    WrongKey,
    /// Bytes and key fit the header, and still the seal is broken: wrong log, or forged.
    #[error("open payload: its seal is broken (another log's, or forged)")]
    BrokenSeal,
    /// Opened, but not padded as sealing pads.
    #[error("open payload: its padding is not as sealing makes it")]
    BadPadding,
}

impl StreamKey {
    pub(crate) const fn new(stream: StreamId, epoch: u32, secret: Zeroizing<[u8; 32]>) -> Self {
        Self {
            stream,
            epoch,
            secret,
        }
    }

    /// Returns whose key it is.
    #[must_use]
    pub const fn stream(&self) -> StreamId {
        self.stream
    }

    /// Returns the epoch it was made in, for the event header.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Derives the secret of the event with this salt.
    #[must_use]
    pub fn event_secret(&self, salt: &Salt) -> EventSecret {
        let mut input = [0; 32];
        let (context, rest) = input.split_at_mut(16);
        context.copy_from_slice(EVENT_CONTEXT);
        rest.copy_from_slice(&salt.0);
        EventSecret(Zeroizing::new(
            *blake3::keyed_hash(&self.secret, &input).as_bytes(),
        ))
    }
}

impl EventSecret {
    /// Takes a secret from evidence.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Borrows the secret, to put it into evidence.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn key_and_commitment(&self) -> (Zeroizing<[u8; 32]>, KeyCommitment) {
        let mut output = Zeroizing::new([0; 64]);
        blake3::Hasher::new_keyed(&self.0)
            .update(SEAL_CONTEXT)
            .finalize_xof()
            .fill(output.as_mut_slice());
        let (halves, _) = output.as_chunks::<32>();
        match halves {
            [key, commitment] => (Zeroizing::new(*key), KeyCommitment(*commitment)),
            _ => (Zeroizing::new([0; 32]), KeyCommitment::ZERO),
        }
    }
}

impl Sealed {
    /// Writes into a header what it must say about this payload.
    pub fn describe(&self, header: &mut EventHeader) {
        header.aead = Aead::Aes256Gcm;
        header.compression = self.compression;
        header.salt = self.salt;
        header.commitment = self.commitment;
        header.payload_digest = self.digest;
        header.payload_bytes = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
    }
}

impl std::fmt::Debug for StreamKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("StreamKey")
            .field("stream", &self.stream)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for EventSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("EventSecret(..)")
    }
}

/// Seals a payload under its stream's key.
///
/// # Errors
/// When it is too long or the system gives no randomness.
pub fn seal_event(key: &StreamKey, log: LogId, plaintext: &[u8]) -> Result<Sealed, SealError> {
    seal_packed(key, log, Compression::None, plaintext)
}

/// Seals a payload that was compressed in a way that its header names.
pub(crate) fn seal_packed(
    key: &StreamKey,
    log: LogId,
    compression: Compression,
    plaintext: &[u8],
) -> Result<Sealed, SealError> {
    if plaintext.len() > PLAINTEXT_BYTES_MAX {
        return Err(SealError::TooLong {
            bytes: plaintext.len(),
        });
    }
    let salt = Salt(random::public().map_err(|_| SealError::Random)?);
    let (event_key, commitment) = key.event_secret(&salt).key_and_commitment();
    let mut bytes = Vec::with_capacity(padding::padded_len(plaintext.len()) + TAG_BYTES);
    bytes.extend_from_slice(plaintext);
    padding::pad(&mut bytes, 0);
    let associated = associated(log, key.stream, &salt, Suite::Blake3, compression);
    aead::seal(&event_key, NONCE, &associated, &mut bytes).map_err(|_| SealError::Cipher)?;
    let digest = payload_digest(&bytes);
    Ok(Sealed {
        salt,
        commitment,
        digest,
        compression,
        bytes,
    })
}

/// Opens a payload with its stream's key, after checking digest and commitment.
///
/// # Errors
/// Says which check failed; see [`OpenError`].
pub fn open_event(
    key: &StreamKey,
    log: LogId,
    header: &EventHeader,
    sealed: &[u8],
) -> Result<Vec<u8>, OpenError> {
    if key.stream != header.stream {
        return Err(OpenError::WrongStream {
            expected: header.stream,
            found: key.stream,
        });
    }
    open_with_secret(&key.event_secret(&header.salt), log, header, sealed)
}

/// Opens a payload with the one event's secret, as a verifier of evidence does.
///
/// # Errors
/// Says which check failed; see [`OpenError`].
pub fn open_with_secret(
    secret: &EventSecret,
    log: LogId,
    header: &EventHeader,
    sealed: &[u8],
) -> Result<Vec<u8>, OpenError> {
    if header.aead != Aead::Aes256Gcm {
        return Err(OpenError::NotSealed);
    }
    if payload_digest(sealed) != header.payload_digest {
        return Err(OpenError::WrongDigest);
    }
    let (event_key, commitment) = secret.key_and_commitment();
    if commitment != header.commitment {
        return Err(OpenError::WrongKey);
    }
    let associated = associated(
        log,
        header.stream,
        &header.salt,
        header.suite,
        header.compression,
    );
    let mut bytes = sealed.to_vec();
    aead::open(&event_key, NONCE, &associated, &mut bytes).map_err(|_| OpenError::BrokenSeal)?;
    if padding::unpad(&mut bytes) {
        Ok(bytes)
    } else {
        Err(OpenError::BadPadding)
    }
}

/// Log id (16), stream id (16), salt (16), suite, sealing, compression.
fn associated(
    log: LogId,
    stream: StreamId,
    salt: &Salt,
    suite: Suite,
    compression: Compression,
) -> [u8; ASSOCIATED_BYTES] {
    let mut bytes = [0; ASSOCIATED_BYTES];
    let parts: [&[u8]; 4] = [
        &log.0,
        &stream.0,
        &salt.0,
        &[suite as u8, Aead::Aes256Gcm as u8, compression as u8],
    ];
    let mut rest = bytes.as_mut_slice();
    for part in parts {
        let (slot, after) = rest.split_at_mut(part.len());
        slot.copy_from_slice(part);
        rest = after;
    }
    bytes
}

#[cfg(test)]
mod tests;
