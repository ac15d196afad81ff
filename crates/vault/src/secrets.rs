//! The log's own secrets: for event ids, identifiers, derived keys, checkpoints and tokens.
//!
//! File `secrets`, a sealed file (magic `SKHSECR1`, generation 1): five secrets of 32 bytes in the
//! order event mac, identifiers, derivation, log signing seed, token signing seed.

use sokhoe_chain::{EventKey, LogId, Signer, VerifierKeyError};
use zeroize::Zeroizing;

use crate::error::VaultError;
use crate::file::KeyFolder;
use crate::key_service::{KeyService, RootKey};
use crate::random;
use crate::sealed_file::{self, Content};

pub(crate) const SECRETS_FILE: &str = "secrets";
const MAGIC: &[u8; 8] = b"SKHSECR1";
const COUNT: usize = 5;

/// The secrets of a log that are not any stream's.
///
/// Loaded alone (without streams' keys and without the folder's lock) to sign tokens beside a
/// running server.
pub struct LogSecrets {
    secrets: Zeroizing<[[u8; 32]; COUNT]>,
}

impl LogSecrets {
    /// Loads the secrets with the root key of the folder; takes no lock.
    ///
    /// # Errors
    /// As [`crate::Vault::open`].
    pub fn load(folder: impl Into<KeyFolder>, log: LogId) -> Result<Self, VaultError> {
        let folder = &folder.into();
        crate::vault::check_folder(folder)?;
        Self::open(folder, log, &RootKey::load(folder, log)?)
    }

    pub(crate) fn create(
        folder: &KeyFolder,
        log: LogId,
        service: &dyn KeyService,
    ) -> Result<Self, VaultError> {
        let mut secrets = Zeroizing::new([[0; 32]; COUNT]);
        for secret in secrets.iter_mut() {
            *secret = *random::secret()?;
        }
        let secret = Zeroizing::new(secrets.concat());
        let content = Content {
            magic: MAGIC,
            log,
            generation: 1,
            clear: &[],
            secret: &secret,
        };
        let bytes = sealed_file::encode(&content, service)?;
        folder.write_atomically(&folder.dir().join(SECRETS_FILE), &bytes)?;
        Ok(Self { secrets })
    }

    pub(crate) fn open(
        folder: &KeyFolder,
        log: LogId,
        service: &dyn KeyService,
    ) -> Result<Self, VaultError> {
        let path = folder.dir().join(SECRETS_FILE);
        let opened = sealed_file::check(folder, &path, MAGIC, log)?.open(&path, service)?;
        let (chunks, rest) = opened.as_chunks::<32>();
        let whole = <&[[u8; 32]; COUNT]>::try_from(chunks)
            .ok()
            .filter(|_| rest.is_empty());
        let secrets =
            whole.ok_or_else(|| VaultError::damaged(&path, 0, "it holds other secrets"))?;
        Ok(Self {
            secrets: Zeroizing::new(*secrets),
        })
    }

    /// Reads which log a folder's secrets are of.
    pub(crate) fn log_of(folder: &KeyFolder) -> Result<LogId, VaultError> {
        sealed_file::log_of(folder, &folder.dir().join(SECRETS_FILE), MAGIC)
    }

    pub(crate) fn check(folder: &KeyFolder, log: LogId) -> Result<(), VaultError> {
        sealed_file::check(folder, &folder.dir().join(SECRETS_FILE), MAGIC, log).map(drop)
    }

    /// Digests an event id, so that the log can tell a repetition without showing the id.
    #[must_use]
    pub fn event_mac(&self, event_id: &[u8; 16]) -> EventKey {
        let [mac_key, ..] = &*self.secrets;
        EventKey(first_half(blake3::keyed_hash(mac_key, event_id)))
    }

    /// Digests a person's identifier, for looking it up without storing it.
    #[must_use]
    pub fn identifier_digest(&self, system: &str, value: &str) -> [u8; 16] {
        let [_, identifiers, ..] = &*self.secrets;
        let parts = [system.as_bytes(), value.as_bytes()];
        first_half(keyed_parts(identifiers, "sokhoe:identifier:v1", &parts))
    }

    /// Derives 32 bytes from the log's secret, the same for the same context and parts.
    ///
    /// Parts are taken with their lengths, so that no two lists of parts meet.
    #[must_use]
    pub fn derive(&self, context: &str, parts: &[&[u8]]) -> [u8; 32] {
        let [_, _, derivation, ..] = &*self.secrets;
        *keyed_parts(derivation, context, parts).as_bytes()
    }

    /// Makes the signer of checkpoints; `origin` is the log's name.
    ///
    /// # Errors
    /// When the origin cannot stand in a note.
    pub fn signer(&self, origin: &str) -> Result<Signer, VerifierKeyError> {
        let [_, _, _, log_seed, _] = &*self.secrets;
        Signer::from_seed(origin, log_seed)
    }

    /// Returns the Ed25519 seed of the built-in issuer of tokens.
    #[must_use]
    pub fn issuer_seed(&self) -> Zeroizing<[u8; 32]> {
        let [_, _, _, _, issuer_seed] = &*self.secrets;
        Zeroizing::new(*issuer_seed)
    }

    /// Derives the key of a projection's file from the file's own random name.
    ///
    /// Destroying such a key means deleting the file; its name alone reveals nothing.
    #[must_use]
    pub fn projection_key(&self, file_id: &[u8; 16]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.derive("sokhoe:projection-file:v1", &[file_id]))
    }
}

impl std::fmt::Debug for LogSecrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("LogSecrets(..)")
    }
}

fn keyed_parts(key: &[u8; 32], context: &str, parts: &[&[u8]]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for part in std::iter::once(context.as_bytes()).chain(parts.iter().copied()) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize()
}

fn first_half(hash: blake3::Hash) -> [u8; 16] {
    hash.as_bytes()
        .first_chunk::<16>()
        .copied()
        .unwrap_or_default()
}
