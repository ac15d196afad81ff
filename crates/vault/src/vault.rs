//! The vault: a log's keys, in one folder, shared by all threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use sokhoe_chain::{Compression, EventHeader, LogId, StreamId};

use crate::error::{KeyError, VaultError};
use crate::file::KeyFolder;
use crate::generation;
use crate::journal::Journal;
use crate::key_service::{KeyService, ROOT_FILE, RootKey};
use crate::keyring::Keyring;
use crate::manifest::{self, Keks, Manifest};
use crate::seal::{self, OpenError, SealError, Sealed, StreamKey};
use crate::secrets::LogSecrets;
use crate::shard::{self, SHARDS, ShardFile};

/// A journal longer than this is folded into shard files at a clean stop. Opening does not fold:
/// reading a record takes half a microsecond, writing thousands of files takes seconds.
const JOURNAL_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A log's keys: makes, finds, persists and destroys stream keys, seals and opens payloads.
///
/// All methods take `&self`. A key is usable as soon as it is made; [`Vault::persist_pending`]
/// puts it on disk and must return before the log syncs the first frame under it.
///
/// ```
/// use sokhoe_chain::{Aead, EventHeader, LogId, StreamId, StreamKind};
/// use sokhoe_vault::Vault;
///
/// let folder = tempfile::tempdir()?;
/// let vault = Vault::create(&folder.path().join("keys"), LogId([1; 16]))?;
/// let key = vault.new_stream(StreamId([2; 16]))?;
/// let sealed = vault.seal(&key, b"payload")?;
/// let mut header = EventHeader::new(StreamKind::Record, key.stream(), Aead::Aes256Gcm);
/// sealed.describe(&mut header);
/// vault.persist_pending()?;
/// assert_eq!(vault.unseal(&key, &header, &sealed.bytes)?, b"payload");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Vault {
    folder: KeyFolder,
    log: LogId,
    service: Box<dyn KeyService>,
    secrets: LogSecrets,
    keyring: RwLock<Keyring>,
    journal: Mutex<Journal>,
    stopped: AtomicBool,
    opened: Opened,
}

/// What was found when the vault was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Opened {
    /// Stream keys, destroyed ones left out.
    pub keys: u64,
    /// Keys that came from the journal.
    pub journal_keys: u64,
    /// Bytes of a batch that a crash cut short; its frames were never acknowledged.
    pub torn_bytes: u64,
}

impl Vault {
    /// Makes a new key folder with a root key in a file.
    ///
    /// # Errors
    /// When the folder exists and is not empty, or cannot be written.
    pub fn create(folder: impl Into<KeyFolder>, log: LogId) -> Result<Self, VaultError> {
        let folder = folder.into();
        prepare_folder(&folder)?;
        let root = RootKey::create(&folder, log)?;
        Self::fill_folder(folder, log, Box::new(root))
    }

    /// Makes a new key folder whose root key is held elsewhere.
    ///
    /// # Errors
    /// As [`Vault::create`], and when the service fails.
    pub fn create_with(
        folder: impl Into<KeyFolder>,
        log: LogId,
        service: Box<dyn KeyService>,
    ) -> Result<Self, VaultError> {
        let folder = folder.into();
        prepare_folder(&folder)?;
        Self::fill_folder(folder, log, service)
    }

    fn fill_folder(
        folder: KeyFolder,
        log: LogId,
        service: Box<dyn KeyService>,
    ) -> Result<Self, VaultError> {
        let secrets = LogSecrets::create(&folder, log, service.as_ref())?;
        let journal = Journal::create(&folder, log, 1)?;
        let keks = Keks::random()?;
        let files = vec![ShardFile::default(); SHARDS];
        let manifest = Manifest {
            generation: 1,
            epoch: 1,
            files,
        };
        // Last: a folder without a manifest was never finished.
        manifest::write(&folder, log, &manifest, &keks, service.as_ref())?;
        let keyring = Keyring::new(log, manifest, keks, vec![Vec::new(); SHARDS]);
        Ok(Self::assemble(
            folder,
            service,
            secrets,
            keyring,
            journal,
            Opened::default(),
        ))
    }

    /// Opens a key folder with its root key in a file.
    ///
    /// # Errors
    /// Says whether the folder is missing, another log's, damaged (file and offset), open to
    /// others, in use, or unreadable.
    pub fn open(folder: impl Into<KeyFolder>, log: LogId) -> Result<Self, VaultError> {
        let folder = folder.into();
        check_folder(&folder)?;
        let root = RootKey::load(&folder, log)?;
        Self::open_with(folder, log, Box::new(root))
    }

    /// Opens a key folder whose root key is held elsewhere.
    ///
    /// # Errors
    /// As [`Vault::open`], and when the service fails.
    pub fn open_with(
        folder: impl Into<KeyFolder>,
        log: LogId,
        service: Box<dyn KeyService>,
    ) -> Result<Self, VaultError> {
        let folder = folder.into();
        check_folder(&folder)?;
        let secrets = LogSecrets::open(&folder, log, service.as_ref())?;
        let generation = current_generation(&folder)?;
        let (journal, replayed) = Journal::open(&folder, log, generation)?;
        let (manifest, keks) = manifest::read(&folder, log, generation, service.as_ref())?;
        let shards = read_shards(&folder, log, &manifest)?;
        generation::remove_old(&folder, &manifest)?;
        let mut keyring = Keyring::new(log, manifest, keks, shards);
        if !keyring.add_all(&replayed.keys) {
            let path = crate::journal::path(folder.dir(), generation);
            return Err(VaultError::damaged(
                &path,
                0,
                "it makes a key for a stream that has one",
            ));
        }
        let opened = Opened {
            keys: keyring.len(),
            journal_keys: replayed.keys.len() as u64,
            torn_bytes: replayed.torn_bytes,
        };
        Ok(Self::assemble(
            folder, service, secrets, keyring, journal, opened,
        ))
    }

    fn assemble(
        folder: KeyFolder,
        service: Box<dyn KeyService>,
        secrets: LogSecrets,
        keyring: Keyring,
        journal: Journal,
        opened: Opened,
    ) -> Self {
        Self {
            folder,
            log: keyring.log,
            service,
            secrets,
            keyring: RwLock::new(keyring),
            journal: Mutex::new(journal),
            stopped: AtomicBool::new(false),
            opened,
        }
    }

    /// Returns the log whose keys these are.
    #[must_use]
    pub const fn log_id(&self) -> LogId {
        self.log
    }

    /// Returns what was found when the vault was opened.
    #[must_use]
    pub const fn opened(&self) -> Opened {
        self.opened
    }

    /// Says whether a failed write has stopped the vault.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Borrows the log's own secrets.
    #[must_use]
    pub const fn secrets(&self) -> &LogSecrets {
        &self.secrets
    }

    /// Makes the key of a new stream: usable at once, on disk after [`Vault::persist_pending`].
    ///
    /// # Errors
    /// When the stream has a key or had one, the vault has stopped, or randomness fails.
    pub fn new_stream(&self, stream: StreamId) -> Result<StreamKey, KeyError> {
        self.check_running(stream)?;
        self.write_keyring().new_stream(stream)
    }

    /// Finds the key of a stream, or makes it.
    ///
    /// # Errors
    /// As [`Vault::new_stream`], but for a stream that has a key.
    pub fn stream_key_or_new(&self, stream: StreamId) -> Result<StreamKey, KeyError> {
        match self.stream_key(stream) {
            Err(KeyError::Missing { .. }) => match self.new_stream(stream) {
                // Another thread made it in between.
                Err(KeyError::Exists { .. }) => self.stream_key(stream),
                made => made,
            },
            found => found,
        }
    }

    /// Finds the key of a stream; unwraps it each time (about half a microsecond).
    ///
    /// # Errors
    /// Missing, destroyed and damaged keys are told apart.
    pub fn stream_key(&self, stream: StreamId) -> Result<StreamKey, KeyError> {
        self.keyring
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .stream_key(stream)
    }

    /// Puts all new keys on disk with one sync; does nothing when there are none.
    ///
    /// Returns only after keys that another call is writing are synced too.
    ///
    /// # Errors
    /// A failed write stops the vault for good: what the disk holds is unknown.
    pub fn persist_pending(&self) -> Result<(), VaultError> {
        let mut journal = self.lock_journal();
        self.append_pending(&mut journal)
    }

    fn append_pending(&self, journal: &mut Journal) -> Result<(), VaultError> {
        if self.stopped() {
            return Err(VaultError::Stopped);
        }
        // Most groups make no key: then readers of keys are not held up.
        if self.read_keyring().pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.write_keyring().pending);
        self.stop_on_error(journal.append(&pending))
    }

    /// Destroys the keys of streams: what was sealed under them can never be read again.
    ///
    /// Rewrites their shards under new key-encryption keys, reads them back, then destroys the
    /// old ones. Streams without a key are left out. Copies of the key folder must be replaced
    /// too; deleting from one copy destroys nothing.
    ///
    /// # Errors
    /// Before the new generation holds, nothing is destroyed. A failure stops the vault.
    pub fn destroy(&self, streams: &[StreamId]) -> Result<(), VaultError> {
        self.advance(streams)
    }

    /// Folds the journal into shard files; done by itself when it is long.
    ///
    /// # Errors
    /// A failure stops the vault.
    pub fn fold(&self) -> Result<(), VaultError> {
        self.advance(&[])
    }

    /// Persists what is pending and folds a long journal; for a clean stop.
    ///
    /// # Errors
    /// As [`Vault::persist_pending`].
    pub fn close(&self) -> Result<(), VaultError> {
        self.persist_pending()?;
        if self.lock_journal().bytes() > JOURNAL_BYTES_MAX {
            self.fold()
        } else {
            Ok(())
        }
    }

    fn advance(&self, shredded: &[StreamId]) -> Result<(), VaultError> {
        let mut journal = self.lock_journal();
        self.append_pending(&mut journal)?;
        let mut keyring = self.write_keyring();
        // A key made since the append belongs to the new generation's journal.
        let late = std::mem::take(&mut keyring.pending);
        self.stop_on_error(journal.append(&late))?;
        let advanced =
            generation::advance(&self.folder, &mut keyring, shredded, self.service.as_ref());
        *journal = self.stop_on_error(advanced)?;
        Ok(())
    }

    /// Seals a payload under its stream's key; about a microsecond for 256 bytes, no lock.
    ///
    /// # Errors
    /// When it is too long or randomness fails.
    pub fn seal(&self, key: &StreamKey, plaintext: &[u8]) -> Result<Sealed, SealError> {
        seal::seal_event(key, self.log, plaintext)
    }

    /// Seals a payload that was compressed; the header names how, and the seal covers that name.
    ///
    /// # Errors
    /// As [`Vault::seal`].
    pub fn seal_packed(
        &self,
        key: &StreamKey,
        compression: Compression,
        packed: &[u8],
    ) -> Result<Sealed, SealError> {
        seal::seal_packed(key, self.log, compression, packed)
    }

    /// Opens a payload, after checking digest and commitment.
    ///
    /// # Errors
    /// Says which check failed.
    pub fn unseal(
        &self,
        key: &StreamKey,
        header: &EventHeader,
        sealed: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        seal::open_event(key, self.log, header, sealed)
    }

    fn check_running(&self, stream: StreamId) -> Result<(), KeyError> {
        if self.stopped() {
            Err(KeyError::Stopped { stream })
        } else {
            Ok(())
        }
    }

    fn stop_on_error<T>(&self, result: Result<T, VaultError>) -> Result<T, VaultError> {
        if result.is_err() {
            self.stopped.store(true, Ordering::Release);
        }
        result
    }

    fn read_keyring(&self) -> RwLockReadGuard<'_, Keyring> {
        self.keyring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_keyring(&self) -> RwLockWriteGuard<'_, Keyring> {
        self.keyring.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Keyring")
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// Refuses a missing folder, and one that others can enter.
pub(crate) fn check_folder(folder: &KeyFolder) -> Result<(), VaultError> {
    folder
        .check_private(folder.dir())
        .map_err(|error| match error {
            VaultError::FileMissing { path } => VaultError::FolderMissing { dir: path },
            other => other,
        })
}

/// Finds the newest generation.
pub(crate) fn current_generation(folder: &KeyFolder) -> Result<u64, VaultError> {
    let missing = || VaultError::FileMissing {
        path: manifest::path(folder.dir(), 1),
    };
    manifest::generations(folder)?
        .last()
        .copied()
        .ok_or_else(missing)
}

/// Reads all shard files that a manifest names.
pub(crate) fn read_shards(
    folder: &KeyFolder,
    log: LogId,
    manifest: &Manifest,
) -> Result<Vec<Vec<shard::WrappedKey>>, VaultError> {
    manifest
        .files
        .iter()
        .enumerate()
        .map(|(number, file)| shard::read(folder, log, number, file))
        .collect()
}

fn prepare_folder(folder: &KeyFolder) -> Result<(), VaultError> {
    folder.create_folder(folder.dir())?;
    let finished = !manifest::generations(folder)?.is_empty();
    let known = [
        ROOT_FILE,
        crate::secrets::SECRETS_FILE,
        "journal.1",
        "shards",
    ];
    let foreign = |name: &String| !known.contains(&name.as_str()) && !name.ends_with(".new");
    if finished || folder.names(folder.dir())?.iter().any(foreign) {
        return Err(VaultError::FolderNotEmpty {
            dir: folder.dir().to_owned(),
        });
    }
    check_folder(folder)?;
    folder.create_folder(&folder.dir().join("shards"))
}

#[cfg(test)]
mod tests;
