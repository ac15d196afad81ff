//! Moving the keys to a new generation: folding the journal into shard files, and shredding.
//!
//! Order: new shard files, one sync of the filesystem, a new empty journal, then the new manifest
//! renamed into place (from here on the new generation holds), then the old manifest overwritten
//! and removed, then the old journal and shard files. A crash before the rename leaves the old
//! generation whole; a crash after it is finished at the next open.

use sokhoe_chain::{LogId, StreamId};

use crate::error::VaultError;
use crate::file::KeyFolder;
use crate::journal::{self, Journal};
use crate::key_service::KeyService;
use crate::keyring::Keyring;
use crate::manifest::{self, Keks, Manifest};
use crate::shard::{self, SHARDS, ShardFile, WrappedKey, shard_of};

/// Writes all keys as a new generation, without those of `shredded` and with new key-encryption
/// keys for their shards. The keyring must have nothing pending.
pub(crate) fn advance(
    folder: &KeyFolder,
    keyring: &mut Keyring,
    shredded: &[StreamId],
    service: &dyn KeyService,
) -> Result<Journal, VaultError> {
    let generation = keyring.manifest.generation + 1;
    let mut rekeyed: Vec<usize> = shredded.iter().map(|stream| shard_of(*stream)).collect();
    rekeyed.sort_unstable();
    rekeyed.dedup();
    let keks = keyring.keks.rekeyed(&rekeyed)?;
    let mut shards = Vec::with_capacity(rekeyed.len());
    for number in &rekeyed {
        shards.push((*number, rewrap(folder, keyring, *number, shredded, &keks)?));
    }
    let mut files = keyring.manifest.files.clone();
    let mut write = |number: usize, keys: &[WrappedKey]| -> Result<(), VaultError> {
        let written = shard::write(folder, keyring.log, generation, number, keys)?;
        files
            .get_mut(number)
            .into_iter()
            .for_each(|file| *file = written);
        Ok(())
    };
    for (number, keys) in &shards {
        write(*number, keys)?;
    }
    let changed = keyring.changed.iter().zip(&keyring.shards).enumerate();
    for (number, (_, keys)) in
        changed.filter(|(number, (changed, _))| **changed && rekeyed.binary_search(number).is_err())
    {
        write(number, keys)?;
    }
    folder.sync_folder(&folder.dir().join("shards"))?;
    folder.sync_filesystem()?;
    for (number, keys) in &shards {
        verify(folder, keyring.log, *number, files.get(*number), keys)?;
    }
    let journal = Journal::create(folder, keyring.log, generation)?;
    let manifest = Manifest {
        generation,
        epoch: keyring.manifest.epoch,
        files,
    };
    manifest::write(folder, keyring.log, &manifest, &keks, service)?;
    verify_manifest(folder, keyring, &manifest, &keks, &rekeyed, service)?;
    (keyring.manifest, keyring.keks) = (manifest, keks);
    for (number, keys) in shards {
        keyring
            .shards
            .get_mut(number)
            .into_iter()
            .for_each(|shard| shard.clone_from(&keys));
    }
    keyring.changed.fill(false);
    remove_old(folder, &keyring.manifest)?;
    Ok(journal)
}

/// Wraps a shard's keys anew, leaving a note in place of each shredded one.
fn rewrap(
    folder: &KeyFolder,
    keyring: &Keyring,
    number: usize,
    shredded: &[StreamId],
    keks: &Keks,
) -> Result<Vec<WrappedKey>, VaultError> {
    let path = shard::path(folder.dir(), number, keyring.manifest.generation);
    let damaged = || VaultError::damaged(&path, 0, "a wrapped key does not open");
    let old_kek = keyring.keks.of(number).ok_or_else(damaged)?;
    let kek = keks.of(number).ok_or_else(damaged)?;
    let mut keys = Vec::new();
    for key in keyring.shards.get(number).into_iter().flatten() {
        if key.destroyed || shredded.contains(&key.stream) {
            keys.push(WrappedKey::destroyed(key.stream, key.epoch));
            continue;
        }
        let secret = key.unwrap(old_kek, keyring.log).ok_or_else(damaged)?;
        let wrapped = WrappedKey::wrap(kek, keyring.log, key.stream, key.epoch, &secret)?;
        let same = wrapped
            .unwrap(kek, keyring.log)
            .is_some_and(|again| *again == *secret);
        if !same {
            return Err(VaultError::NotVerified {
                path,
                what: "a rewrapped key differs",
            });
        }
        keys.push(wrapped);
    }
    Ok(keys)
}

/// Reads a rewritten shard back from disk and compares it.
fn verify(
    folder: &KeyFolder,
    log: LogId,
    number: usize,
    written: Option<&ShardFile>,
    keys: &[WrappedKey],
) -> Result<(), VaultError> {
    let written = written.copied().unwrap_or_default();
    if shard::read(folder, log, number, &written)? == keys {
        return Ok(());
    }
    let path = shard::path(folder.dir(), number, written.generation);
    Err(VaultError::NotVerified {
        path,
        what: "its keys differ from those written",
    })
}

/// Reads the new manifest back, before the old one is destroyed.
fn verify_manifest(
    folder: &KeyFolder,
    keyring: &Keyring,
    manifest: &Manifest,
    keks: &Keks,
    rekeyed: &[usize],
    service: &dyn KeyService,
) -> Result<(), VaultError> {
    let (read, read_keks) = manifest::read(folder, keyring.log, manifest.generation, service)?;
    let same = (0..SHARDS).all(|number| read_keks.of(number) == keks.of(number));
    let renewed = rekeyed
        .iter()
        .all(|number| keks.of(*number) != keyring.keks.of(*number));
    if read == *manifest && same && renewed {
        return Ok(());
    }
    let path = manifest::path(folder.dir(), manifest.generation);
    Err(VaultError::NotVerified {
        path,
        what: "its keys differ from those written",
    })
}

/// Destroys older manifests and removes every file that the current one does not name.
pub(crate) fn remove_old(folder: &KeyFolder, current: &Manifest) -> Result<(), VaultError> {
    for generation in manifest::generations(folder)? {
        if generation < current.generation {
            folder.destroy(&manifest::path(folder.dir(), generation))?;
        }
    }
    for name in folder.names(folder.dir())? {
        let journal = name.strip_prefix("journal.");
        if name.ends_with(".new") {
            folder.destroy(&folder.dir().join(name))?;
        } else if journal.is_some_and(|number| number.parse() != Ok(current.generation)) {
            folder.remove(&folder.dir().join(name))?;
        }
    }
    let shards = folder.dir().join("shards");
    for name in folder.names(&shards)? {
        let Some((number, generation)) = name.split_once('.') else {
            continue;
        };
        let (Ok(number), Ok(generation)) = (number.parse::<usize>(), generation.parse::<u64>())
        else {
            continue;
        };
        if current
            .files
            .get(number)
            .is_none_or(|file| file.generation != generation)
        {
            folder.remove(&shards.join(name))?;
        }
    }
    let current = journal::path(folder.dir(), current.generation);
    folder.check_private(&current)?;
    folder.sync_folder(folder.dir())
}
