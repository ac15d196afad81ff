//! The manifest of one generation of keys: which shard files are current, and their keys.
//!
//! File `keks.G`, a sealed file (magic `SKHKEKS1`). Sealed part: 4096 key-encryption keys of 32
//! bytes, in shard order. Clear part: epoch u32, zero u32, then per shard generation u64 (0 = no
//! file), count u32, zero u32, digest 32. The highest `G` is current: renaming it into place is
//! the moment at which a new generation holds.

use std::path::{Path, PathBuf};

use sokhoe_chain::LogId;
use zeroize::Zeroizing;

use crate::error::VaultError;
use crate::file::{self, KeyFolder};
use crate::key_service::KeyService;
use crate::random;
use crate::sealed_file::{self, Content};
use crate::shard::{SHARDS, ShardFile};

const MAGIC: &[u8; 8] = b"SKHKEKS1";
const PREFIX: &str = "keks.";

/// The key-encryption keys of all shards.
pub(crate) struct Keks(Zeroizing<Vec<[u8; 32]>>);

/// What the manifest says in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) generation: u64,
    pub(crate) epoch: u32,
    pub(crate) files: Vec<ShardFile>,
}

impl Keks {
    /// No keys at all, for checks that open nothing.
    pub(crate) fn none() -> Self {
        Self(Zeroizing::new(Vec::new()))
    }

    /// Makes new keys for all shards.
    pub(crate) fn random() -> Result<Self, VaultError> {
        let mut keks = Zeroizing::new(Vec::with_capacity(SHARDS));
        for _ in 0..SHARDS {
            keks.push(*random::secret()?);
        }
        Ok(Self(keks))
    }

    /// Copies the keys, with a new one for each of the given shards.
    pub(crate) fn rekeyed(&self, shards: &[usize]) -> Result<Self, VaultError> {
        let mut keks = self.0.clone();
        for shard in shards {
            if let Some(kek) = keks.get_mut(*shard) {
                *kek = *random::secret()?;
            }
        }
        Ok(Self(keks))
    }

    /// Borrows a shard's key.
    pub(crate) fn of(&self, shard: usize) -> Option<&[u8; 32]> {
        self.0.get(shard)
    }
}

/// Names a generation's manifest.
pub(crate) fn path(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("{PREFIX}{generation}"))
}

/// Lists the generations that have a manifest, oldest first.
pub(crate) fn generations(folder: &KeyFolder) -> Result<Vec<u64>, VaultError> {
    let names = folder.names(folder.dir())?;
    let numbers = names
        .iter()
        .filter_map(|name| name.strip_prefix(PREFIX)?.parse().ok());
    let mut generations: Vec<u64> = numbers.collect();
    generations.sort_unstable();
    Ok(generations)
}

/// Writes a manifest into place.
pub(crate) fn write(
    folder: &KeyFolder,
    log: LogId,
    manifest: &Manifest,
    keks: &Keks,
    service: &dyn KeyService,
) -> Result<(), VaultError> {
    let mut clear = Vec::with_capacity(8 + 48 * SHARDS);
    clear.extend_from_slice(&manifest.epoch.to_le_bytes());
    clear.extend_from_slice(&[0; 4]);
    for shard in &manifest.files {
        clear.extend_from_slice(&shard.generation.to_le_bytes());
        clear.extend_from_slice(&shard.count.to_le_bytes());
        clear.extend_from_slice(&[0; 4]);
        clear.extend_from_slice(&shard.digest);
    }
    let secret = Zeroizing::new(keks.0.concat());
    let generation = manifest.generation;
    let content = Content {
        magic: MAGIC,
        log,
        generation,
        clear: &clear,
        secret: &secret,
    };
    folder.write_atomically(
        &path(folder.dir(), generation),
        &sealed_file::encode(&content, service)?,
    )
}

/// Reads a manifest without opening its keys.
pub(crate) fn check(
    folder: &KeyFolder,
    log: LogId,
    generation: u64,
) -> Result<Manifest, VaultError> {
    let path = path(folder.dir(), generation);
    let checked = sealed_file::check(folder, &path, MAGIC, log)?;
    clear_part(&path, generation, &checked)
}

/// Reads a manifest and its keys.
pub(crate) fn read(
    folder: &KeyFolder,
    log: LogId,
    generation: u64,
    service: &dyn KeyService,
) -> Result<(Manifest, Keks), VaultError> {
    let path = path(folder.dir(), generation);
    let checked = sealed_file::check(folder, &path, MAGIC, log)?;
    let manifest = clear_part(&path, generation, &checked)?;
    let opened = checked.open(&path, service)?;
    let (keks, rest) = opened.as_chunks::<32>();
    if keks.len() != SHARDS || !rest.is_empty() {
        return Err(VaultError::damaged(
            &path,
            0,
            "it holds another number of keys",
        ));
    }
    Ok((manifest, Keks(Zeroizing::new(keks.to_vec()))))
}

fn clear_part(
    path: &Path,
    generation: u64,
    checked: &sealed_file::Checked,
) -> Result<Manifest, VaultError> {
    let wrong = || VaultError::damaged(path, 0, "its list of shards is malformed");
    if checked.generation != generation {
        return Err(VaultError::damaged(
            path,
            24,
            "it is of another generation than its name",
        ));
    }
    let mut fields = file::Fields::after(&checked.clear, 0);
    let (epoch, _zero) = (
        fields.u32().ok_or_else(wrong)?,
        fields.u32().ok_or_else(wrong)?,
    );
    let mut files = Vec::with_capacity(SHARDS);
    while !fields.end() {
        let generation = fields.u64().ok_or_else(wrong)?;
        let (count, _zero) = (
            fields.u32().ok_or_else(wrong)?,
            fields.u32().ok_or_else(wrong)?,
        );
        let digest = fields.take().ok_or_else(wrong)?;
        files.push(ShardFile {
            generation,
            count,
            digest,
        });
    }
    if files.len() != SHARDS {
        return Err(wrong());
    }
    Ok(Manifest {
        generation,
        epoch,
        files,
    })
}
