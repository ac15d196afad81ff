//! Checking the digests of key files without using any key.

use sokhoe_chain::LogId;

use crate::error::VaultError;
use crate::file::KeyFolder;
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
pub fn check_key_files(
    folder: impl Into<KeyFolder>,
    log: LogId,
) -> Result<KeyFilesChecked, VaultError> {
    let folder = &folder.into();
    vault::check_folder(folder)?;
    let mut files = 3;
    if folder.has(ROOT_FILE)? {
        RootKey::load(folder, log)?;
        files += 1;
    }
    LogSecrets::check(folder, log)?;
    let generation = vault::current_generation(folder)?;
    let manifest = manifest::check(folder, log, generation)?;
    files += manifest
        .files
        .iter()
        .filter(|file| file.generation != 0)
        .count() as u64;
    let shards = vault::read_shards(folder, log, &manifest)?;
    let replayed = journal::read(folder, log, generation)?;
    let mut keyring = Keyring::new(log, manifest, Keks::none(), shards);
    if !keyring.add_all(&replayed.keys) {
        let path = journal::path(folder.dir(), generation);
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

/// Returns the log of a key folder under whose keys nothing was ever sealed; `None` when it holds a stream's key or is not
/// a finished folder.
///
/// A first start makes the keys before the log: one that ended in between left such a folder, which the next one takes up.
///
/// # Errors
/// Names the first damaged file and the offset.
pub fn unused_by(folder: impl Into<KeyFolder>) -> Result<Option<LogId>, VaultError> {
    let folder = folder.into();
    if manifest::generations(&folder)? != [1] {
        return Ok(None);
    }
    let log = LogSecrets::log_of(&folder)?;
    let checked = check_key_files(folder, log)?;
    Ok((checked.keys == 0 && checked.torn_bytes == 0).then_some(log))
}
