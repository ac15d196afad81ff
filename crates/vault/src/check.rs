//! Checking the digests of key files without using any key.

use std::path::Path;

use sokhoe_chain::LogId;

use crate::error::VaultError;
use crate::key_service::{ROOT_FILE, RootKey};
use crate::keyring::Keyring;
use crate::manifest::Keks;
use crate::secrets::LogSecrets;
use crate::{journal, manifest, vault};

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFilesChecked {
    /// Files whose digests hold.
    pub files: u64,
    /// Stream keys in them, destroyed ones left out.
    pub keys: u64,
    /// Bytes of a batch that a crash cut short.
    pub torn_bytes: u64,
}

/// Checks that every key file is as it was written; takes no lock and opens no key.
///
/// Does not show that the keys fit the log's payloads: only opening them does.
///
/// # Errors
/// Names the first damaged file and the offset.
pub fn check_key_files(dir: &Path, log: LogId) -> Result<KeyFilesChecked, VaultError> {
    vault::check_folder(dir)?;
    let mut files = 3;
    if dir.join(ROOT_FILE).exists() {
        RootKey::load(dir, log)?;
        files += 1;
    }
    LogSecrets::check(dir, log)?;
    let generation = vault::current_generation(dir)?;
    let manifest = manifest::check(dir, log, generation)?;
    files += manifest
        .files
        .iter()
        .filter(|file| file.generation != 0)
        .count() as u64;
    let shards = vault::read_shards(dir, log, &manifest)?;
    let replayed = journal::read(dir, log, generation)?;
    let mut keyring = Keyring::new(log, manifest, Keks::none(), shards);
    if !keyring.add_all(&replayed.keys) {
        let path = journal::path(dir, generation);
        return Err(VaultError::damaged(
            &path,
            0,
            "it makes a key for a stream that has one",
        ));
    }
    Ok(KeyFilesChecked {
        files,
        keys: keyring.len(),
        torn_bytes: replayed.torn_bytes,
    })
}
