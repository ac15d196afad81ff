//! The holder of the root key: by default a file in the key folder, a KMS beyond.
//!
//! `root.key`, 96 bytes: magic `SKHROOT1` (8), log id (16), zero (8), key (32), BLAKE3 of the
//! bytes before (32).

use sokhoe_chain::LogId;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::aead::{self, WRAPPED_BYTES};
use crate::error::VaultError;
use crate::file::{self, KeyFolder};
use crate::random;

pub(crate) const ROOT_FILE: &str = "root.key";
const MAGIC: &[u8; 8] = b"SKHROOT1";
const NONCE_BYTES: usize = 12;

/// Why a key service did not wrap or unwrap.
#[derive(Debug, Error)]
pub enum KeyServiceError {
    /// It cannot be reached or refuses.
    #[error("reach the key service: {detail}")]
    Unavailable {
        /// What it said, without secrets.
        detail: String,
    },
    /// The wrapped key is not one of its own, or was changed.
    #[error("unwrap a key: it was wrapped under another root key, or changed")]
    NotMine,
}

/// Wraps and unwraps file keys; called once per file written or opened, never per stream.
pub trait KeyService: Send + Sync + std::fmt::Debug {
    /// Wraps a file key for storage; `context` must be given again to unwrap.
    ///
    /// # Errors
    /// When the service cannot be reached.
    fn wrap(&self, key: &[u8; 32], context: &[u8]) -> Result<Vec<u8>, KeyServiceError>;

    /// Unwraps a file key.
    ///
    /// # Errors
    /// When the service cannot be reached or did not wrap these bytes with this context.
    fn unwrap(
        &self,
        wrapped: &[u8],
        context: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, KeyServiceError>;
}

/// The root key in a file of the key folder.
pub struct RootKey(Zeroizing<[u8; 32]>);

impl RootKey {
    pub(crate) fn create(folder: &KeyFolder, log: LogId) -> Result<Self, VaultError> {
        let key = random::secret()?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(96));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&log.0);
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(key.as_slice());
        let digest = *blake3::hash(&bytes).as_bytes();
        bytes.extend_from_slice(&digest);
        folder.write_atomically(&folder.dir().join(ROOT_FILE), &bytes)?;
        Ok(Self(key))
    }

    pub(crate) fn load(folder: &KeyFolder, log: LogId) -> Result<Self, VaultError> {
        let path = folder.dir().join(ROOT_FILE);
        let bytes = Zeroizing::new(folder.read_private(&path)?);
        let body = file::checked_body(&path, &bytes, MAGIC)?;
        let mut fields = file::Fields::after(body, MAGIC.len());
        let wrong = || VaultError::damaged(&path, bytes.len(), "it has the wrong length");
        let found = LogId(fields.take().ok_or_else(wrong)?);
        file::same_log(&path, log, found)?;
        let _zero: [u8; 8] = fields.take().ok_or_else(wrong)?;
        let key = Zeroizing::new(fields.take::<32>().ok_or_else(wrong)?);
        fields.end().then_some(Self(key)).ok_or_else(wrong)
    }
}

impl KeyService for RootKey {
    fn wrap(&self, key: &[u8; 32], context: &[u8]) -> Result<Vec<u8>, KeyServiceError> {
        let refused = |detail: &str| KeyServiceError::Unavailable {
            detail: detail.to_owned(),
        };
        let nonce = random::nonce().map_err(|_| refused("no random bytes from the system"))?;
        let wrapped =
            aead::wrap(&self.0, nonce, context, key).map_err(|_| refused("the cipher refused"))?;
        Ok([nonce.as_slice(), &wrapped].concat())
    }

    fn unwrap(
        &self,
        wrapped: &[u8],
        context: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, KeyServiceError> {
        let (nonce, rest) = wrapped
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(KeyServiceError::NotMine)?;
        let rest = <&[u8; WRAPPED_BYTES]>::try_from(rest).map_err(|_| KeyServiceError::NotMine)?;
        aead::unwrap(&self.0, *nonce, context, rest).map_err(|_| KeyServiceError::NotMine)
    }
}

impl std::fmt::Debug for RootKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("RootKey(..)")
    }
}
