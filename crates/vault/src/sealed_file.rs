//! Files with a secret part under a key of their own, which the key service wraps.
//!
//! Layout, little-endian: magic 8, log id 16, generation u64, clear bytes u32, sealed bytes u32,
//! wrapped bytes u32, zero u32; wrapped file key; nonce 12; sealed part; clear part; BLAKE3 of
//! everything before (32). The sealed part's associated data are the first 48 bytes and the clear
//! part.

use std::path::Path;

use sokhoe_chain::LogId;
use zeroize::Zeroizing;

use crate::aead;
use crate::error::VaultError;
use crate::file::{self, KeyFolder};
use crate::key_service::{KeyService, KeyServiceError};
use crate::random;

const HEAD_BYTES: usize = 48;

/// What to write.
pub(crate) struct Content<'a> {
    pub(crate) magic: &'static [u8; 8],
    pub(crate) log: LogId,
    pub(crate) generation: u64,
    pub(crate) clear: &'a [u8],
    pub(crate) secret: &'a [u8],
}

/// A file whose digest holds; its secret part is still sealed.
pub(crate) struct Checked {
    pub(crate) generation: u64,
    pub(crate) clear: Vec<u8>,
    head: Vec<u8>,
    wrapped: Vec<u8>,
    nonce: [u8; 12],
    sealed: Vec<u8>,
}

/// Encodes a file.
pub(crate) fn encode(
    content: &Content<'_>,
    service: &dyn KeyService,
) -> Result<Vec<u8>, VaultError> {
    let file_key = random::secret()?;
    let nonce = random::nonce()?;
    let wrapped = service.wrap(&file_key, &context(content.magic, content.log))?;
    let sealed_len = content.secret.len() + aead::TAG_BYTES;
    let mut head = Vec::with_capacity(HEAD_BYTES);
    head.extend_from_slice(content.magic);
    head.extend_from_slice(&content.log.0);
    head.extend_from_slice(&content.generation.to_le_bytes());
    for len in [content.clear.len(), sealed_len, wrapped.len(), 0] {
        head.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
    }
    let mut sealed = Vec::with_capacity(sealed_len);
    sealed.extend_from_slice(content.secret);
    let associated = [head.as_slice(), content.clear].concat();
    aead::seal(&file_key, nonce, &associated, &mut sealed).map_err(|_| {
        KeyServiceError::Unavailable {
            detail: "the cipher refused".to_owned(),
        }
    })?;
    let mut bytes = head;
    for part in [wrapped.as_slice(), &nonce, &sealed, content.clear] {
        bytes.extend_from_slice(part);
    }
    let digest = *blake3::hash(&bytes).as_bytes();
    bytes.extend_from_slice(&digest);
    Ok(bytes)
}

/// Reads which log a file is of; its digest holds.
pub(crate) fn log_of(
    folder: &KeyFolder,
    path: &Path,
    magic: &'static [u8; 8],
) -> Result<LogId, VaultError> {
    let bytes = folder.read_private(path)?;
    let body = file::checked_body(path, &bytes, magic)?;
    let log = file::Fields::after(body, magic.len()).take();
    log.map(LogId)
        .ok_or_else(|| VaultError::damaged(path, body.len(), "it is cut off"))
}

/// Reads a file and checks its digest and log.
pub(crate) fn check(
    folder: &KeyFolder,
    path: &Path,
    magic: &'static [u8; 8],
    log: LogId,
) -> Result<Checked, VaultError> {
    let bytes = folder.read_private(path)?;
    let body = file::checked_body(path, &bytes, magic)?;
    let cut = || VaultError::damaged(path, 0, "its lengths do not fit");
    let mut fields = file::Fields::after(body, magic.len());
    file::same_log(path, log, LogId(fields.take().ok_or_else(cut)?))?;
    let generation = fields.u64().ok_or_else(cut)?;
    let mut len = || fields.u32().map(|len| len as usize).ok_or_else(cut);
    let (clear_len, sealed_len, wrapped_len, zero) = (len()?, len()?, len()?, len()?);
    let wrapped = fields.slice(wrapped_len).ok_or_else(cut)?.to_vec();
    let nonce = fields.take().ok_or_else(cut)?;
    let sealed = fields.slice(sealed_len).ok_or_else(cut)?.to_vec();
    let clear = fields.slice(clear_len).ok_or_else(cut)?.to_vec();
    if zero != 0 || !fields.end() {
        return Err(cut());
    }
    let head = body.get(..HEAD_BYTES).ok_or_else(cut)?.to_vec();
    Ok(Checked {
        generation,
        clear,
        head,
        wrapped,
        nonce,
        sealed,
    })
}

impl Checked {
    /// Opens the secret part.
    pub(crate) fn open(
        self,
        path: &Path,
        service: &dyn KeyService,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let context = self.head.get(..24).unwrap_or_default();
        let file_key = service
            .unwrap(&self.wrapped, context)
            .map_err(|error| match error {
                KeyServiceError::NotMine => VaultError::WrongRootKey {
                    path: path.to_owned(),
                },
                other => other.into(),
            })?;
        let associated = [self.head.as_slice(), &self.clear].concat();
        let mut secret = Zeroizing::new(self.sealed);
        aead::open(&file_key, self.nonce, &associated, &mut secret).map_err(|_| {
            VaultError::WrongRootKey {
                path: path.to_owned(),
            }
        })?;
        Ok(secret)
    }
}

fn context(magic: &[u8; 8], log: LogId) -> Vec<u8> {
    [magic.as_slice(), &log.0].concat()
}
