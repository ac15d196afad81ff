//! The open house: log, keys, registry, catalogue and writer together.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sokhoe_catalogue::SharedCatalogue;
use sokhoe_chain::{Checkpoint, LogId, VerifierKey};
use sokhoe_storage::{
    Clock, Damage, DamageKind, Disk, Log, LogOptions, NewLog, OpenError, OsDisk, ReadError, Reader,
    Recovery, Submitter, TreeStore, WriteFailure, Writer,
};
use sokhoe_vault::{KeyFolder, LogSecrets, Vault, VaultError, unused_by};
use tokio::sync::{Semaphore, watch};

use crate::checkpoints::Checkpoints;
use crate::following::Follow;
use crate::keeper::{Keeper, Watch};
use crate::opening::{Opener, UnsealError};
use crate::replay::{Replay, keep_ids, read_snapshot, replay};
use crate::stage::{Decide, Landing, Request};
use crate::submission::Gathered;

/// Requests that may wait for the writer; past it a single event is turned away and a batch waits.
const QUEUE_REQUESTS_MAX: usize = 16_384;
/// How often the tree's head is signed when the log has grown: within a second of a commit.
const SIGN_EVERY: Duration = Duration::from_millis(250);

/// Where the house stands and what it is given.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data folder.
    pub data: PathBuf,
    /// The key folder, apart from the data.
    pub keys: PathBuf,
    /// Origin line of the log's checkpoints, used when the log is made; one that names the log's id when `None`.
    pub origin: Option<String>,
    /// How the log is kept.
    pub log: LogOptions,
    /// Tells the time.
    pub clock: Clock,
    /// Events between two snapshots of the registry; where there are more people, as many as these.
    pub snapshot_events: u64,
    /// The disk that both folders lie on.
    pub disk: Arc<dyn Disk>,
}

impl Settings {
    /// Settings with defaults: keys in `<data>.keys`, origin `sokhoe.local/<log id>`, on the real disk.
    #[must_use]
    pub fn new(data: &Path, clock: Clock) -> Self {
        let mut keys = data.as_os_str().to_owned();
        keys.push(".keys");
        Self {
            data: data.to_owned(),
            keys: PathBuf::from(keys),
            origin: None,
            log: LogOptions::default(),
            clock,
            snapshot_events: 1_000_000,
            disk: Arc::new(OsDisk),
        }
    }
}

/// Why the house did not open.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// The log.
    #[error("open the data folder {}", folder.display())]
    Log {
        /// The data folder.
        folder: PathBuf,
        /// What the log says.
        source: OpenError,
    },
    /// The keys.
    #[error("open the keys of {}", folder.display())]
    Keys {
        /// The data folder.
        folder: PathBuf,
        /// What the vault says.
        source: VaultError,
    },
    /// The registry could not be rebuilt.
    #[error("rebuild the registry from the log")]
    Replay(#[source] UnsealError),
    /// A catalogue that was loaded is damaged.
    #[error("open the catalogue")]
    Catalogue(#[source] sokhoe_catalogue::FileError),
    /// A folder, thread or random id could not be had.
    #[error("open the data folder: {doing}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// The stored checkpoint is not as this log's key signed it.
    #[error(
        "open the data folder: its checkpoint; put back one that somebody fetched from /checkpoint, or a backup's"
    )]
    Checkpoint(#[source] Box<Damage>),
    /// The stored checkpoint could not be read.
    #[error("open the data folder: read its checkpoint")]
    Unread(#[source] ReadError),
    /// The checkpoint of what opening found could not be signed or stored.
    #[error("sign the log's checkpoint")]
    Sign(#[source] SignError),
}

/// Why a checkpoint was not signed and stored.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The origin or the text cannot be signed.
    #[error("sign a checkpoint")]
    Chain(#[source] sokhoe_chain::CheckpointError),
    /// The origin is no key name.
    #[error("make the signer of checkpoints")]
    Name(#[source] sokhoe_chain::VerifierKeyError),
    /// The disk refused.
    #[error("store a checkpoint")]
    Store(#[source] WriteFailure),
}

/// Everything the write side holds while it is open.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) opener: Opener,
    pub(crate) submitter: Submitter<Vec<Request>>,
    pub(crate) gathered: Arc<Gathered>,
    pub(crate) catalogue: SharedCatalogue,
    pub(crate) clock: Clock,
    pub(crate) places: Arc<Semaphore>,
    /// The last durable position.
    pub(crate) durable: watch::Receiver<u64>,
    pub(crate) settings: Settings,
    pub(crate) recovery: Recovery,
    pub(crate) verifier: VerifierKey,
    /// Set while the signer cannot store what it signs.
    pub(crate) checkpoint_late: Arc<AtomicBool>,
    writer: Mutex<Option<Writer<Decide>>>,
    signer: Mutex<Option<Signing>>,
    checkpoints: Mutex<Option<Checkpoints>>,
    pub(crate) keeper: Arc<Keeper>,
    watch: Mutex<Option<Watch>>,
    tree: Mutex<Tree>,
}

/// The tree on disk, which only some who open a house need.
#[derive(Debug, Default)]
enum Tree {
    #[default]
    NotYet,
    Open(Arc<TreeStore>),
    Closed,
}

#[derive(Debug)]
struct Signing {
    stop: std::sync::mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl House {
    /// Opens the house, and brings a follower on with its registry.
    pub(crate) fn open<F: Follow>(
        settings: Settings,
        begin: impl FnOnce(&Opener) -> F,
    ) -> Result<(Self, F), HouseError> {
        let (log, vault, recovery) = open_log(&settings)?;
        let reader = log.reader();
        let vault = Arc::new(vault);
        let catalogue =
            sokhoe_catalogue::open_folder(&settings.data).map_err(HouseError::Catalogue)?;

        let io = |doing| move |source| HouseError::Io { doing, source };
        let (mut registry, from) = read_snapshot(&vault, &reader);
        let known =
            keep_ids(&mut registry, from, &reader).map_err(io("open the index of event ids"))?;
        let opener = Opener {
            vault: Arc::clone(&vault),
            reader: reader.clone(),
            registry: Arc::new(registry),
        };
        let behind = Replay::new(&opener, from, known);
        let follower = replay(behind, begin(&opener), &settings.log.progress);
        let follower = follower.map_err(HouseError::Replay)?;
        check_checkpoint(&opener.reader, opener.vault.secrets())?;
        let verifier = sign_head(&opener).map_err(HouseError::Sign)?;

        let registry = Arc::clone(&opener.registry);
        let stage = Decide {
            registry,
            vault,
            landing: Arc::new(Landing::default()),
        };
        let writer =
            Writer::spawn(log, stage, QUEUE_REQUESTS_MAX).map_err(io("start the writer"))?;
        let durable = watch_durable(&reader);
        let checkpoint_late = Arc::new(AtomicBool::new(false));
        let signer = spawn_signer(opener.clone(), Arc::clone(&checkpoint_late));
        let signer = signer.map_err(io("start the signer"))?;
        let checkpoints = Checkpoints::start(opener.clone(), from, settings.snapshot_events)
            .map_err(io("start the checkpoints"))?;
        let places = Arc::new(Semaphore::new(QUEUE_REQUESTS_MAX));
        let keeper = Keeper::new(opener.clone(), writer.submitter(), Arc::clone(&places));
        let keeper = Arc::new(keeper);
        let watch = keeper.watch(settings.clock.clone());
        let watch = watch.map_err(io("start the keeper"))?;
        let registry = Arc::clone(&opener.registry);
        let house = Self {
            submitter: writer.submitter(),
            gathered: Arc::new(Gathered::new(writer.submitter(), registry)),
            places,
            catalogue: SharedCatalogue::new(catalogue),
            clock: settings.clock.clone(),
            opener,
            durable,
            settings,
            recovery,
            verifier,
            checkpoint_late,
            writer: Mutex::new(Some(writer)),
            signer: Mutex::new(Some(signer)),
            checkpoints: Mutex::new(Some(checkpoints)),
            keeper,
            watch: Mutex::new(Some(watch)),
            tree: Mutex::default(),
        };
        Ok((house, follower))
    }

    /// Returns the tree on disk, following the log from the first call on.
    pub(crate) fn tree(&self) -> std::io::Result<Arc<TreeStore>> {
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        match &*tree {
            Tree::Closed => Err(std::io::ErrorKind::BrokenPipe.into()),
            Tree::Open(open) => Ok(Arc::clone(open)),
            Tree::NotYet => {
                let started = Arc::new(TreeStore::start(self.opener.reader.clone())?);
                *tree = Tree::Open(Arc::clone(&started));
                Ok(started)
            }
        }
    }

    /// Ends what writes to the cache: nothing is written there once another may open the folder.
    fn close_tree(&self) {
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        if let Tree::Open(open) = std::mem::replace(&mut *tree, Tree::Closed) {
            open.stop();
        }
    }

    /// Stops taking events, finishes those in the queue, leaves the clean-stop mark and checkpoints.
    pub(crate) fn close(&self) -> Result<u64, WriteFailure> {
        self.places.close();
        let watch = self
            .watch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(watch) = watch {
            watch.stop();
        }
        self.close_tree();
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(writer) = writer else {
            return Ok(self.opener.reader.position().get());
        };
        let stopped = writer.stop();
        let checkpoints = self
            .checkpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // Only what lies behind a whole log is worth its checkpoints.
        if let Some(checkpoints) = checkpoints {
            checkpoints.stop(stopped.is_ok());
        }
        // Stopped in order or not: nothing is written once another may open the folder.
        let signing = self
            .signer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(signing) = signing {
            drop(signing.stop);
            let _ = signing.thread.join();
        }
        let (_, durable) = stopped?;
        if let Err(error) = sign_head(&self.opener) {
            tracing::error!(error = %crate::chain_of(&error), "the last checkpoint is not signed");
        }
        if let Err(error) = self.opener.vault.close() {
            tracing::error!(error = %crate::chain_of(&error), "the key journal is not folded");
        }
        Ok(durable.position.get())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(error = %crate::chain_of(&error), "the log did not stop cleanly");
        }
    }
}

fn open_log(settings: &Settings) -> Result<(Log, Vault, Recovery), HouseError> {
    let disk = &settings.disk;
    let keys = KeyFolder::new(Arc::clone(disk), &settings.keys);
    let folder = settings.data.clone();
    let log_error = |source| HouseError::Log {
        folder: folder.clone(),
        source,
    };
    let keys_error = |source| HouseError::Keys {
        folder: folder.clone(),
        source,
    };
    let open = || {
        Log::open(
            Arc::clone(disk),
            &settings.data,
            settings.log.clone(),
            settings.clock.clone(),
        )
    };
    match open() {
        Ok(opened) => {
            let vault = Vault::open(keys, opened.log.meta().log_id).map_err(keys_error)?;
            Ok((opened.log, vault, opened.recovery))
        }
        Err(OpenError::NoLog { .. }) => {
            let made = disk.create_dir_all(&settings.data);
            made.map_err(|source| HouseError::Io {
                doing: "make the data folder",
                source,
            })?;
            let vault = new_vault(keys).map_err(keys_error)?;
            let log_id = vault.log_id();
            let origin = settings
                .origin
                .clone()
                .unwrap_or_else(|| format!("sokhoe.local/{log_id}"));
            let new = NewLog {
                log_id,
                tenant: [0; 16],
                origin,
            };
            let log = Log::create(
                Arc::clone(disk),
                &settings.data,
                new,
                settings.log.clone(),
                settings.clock.clone(),
            )
            .map_err(log_error)?;
            Ok((log, vault, Recovery::default()))
        }
        Err(error) => Err(whose_fault(settings, keys, error)),
    }
}

/// Makes the keys of a new log, or takes up those of a first start that ended before it made the log.
fn new_vault(keys: KeyFolder) -> Result<Vault, VaultError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    match Vault::create(keys.clone(), LogId(id)) {
        Err(in_use @ VaultError::FolderNotEmpty { .. }) => match unused_by(keys.clone())? {
            Some(log) => Vault::open(keys, log),
            None => Err(in_use),
        },
        made => made,
    }
}

/// Checks that the stored checkpoint is this log's own, before a newer one takes its place.
///
/// Opening the log compared what the checkpoint says with the log; who says it is known only here.
fn check_checkpoint(reader: &Reader, secrets: &LogSecrets) -> Result<(), HouseError> {
    let signer = secrets.signer(&reader.meta().origin);
    let signer = signer.map_err(|error| HouseError::Sign(SignError::Name(error)))?;
    let (kind, found) = match reader.checkpoint_note() {
        Ok(note) => match Checkpoint::open(note.as_bytes(), signer.verifier()) {
            Ok(_) => return Ok(()),
            Err(error) => (DamageKind::Hash, error.to_string()),
        },
        // The first is stored before the first event is taken.
        Err(ReadError::NotThere { .. }) if reader.position().get() == 0 => return Ok(()),
        Err(ReadError::NotThere { .. }) => (DamageKind::Missing, "no file".to_owned()),
        Err(error) => return Err(HouseError::Unread(error)),
    };
    Err(HouseError::Checkpoint(Box::new(Damage {
        kind,
        file: "checkpoint".to_owned(),
        offset: 0,
        position: None,
        part: "signed checkpoint",
        expected: "a checkpoint signed by this log's key".to_owned(),
        found,
    })))
}

/// Says which of the two is wrong when a log does not agree with the checkpoint beside it: a checkpoint that this log's key
/// did not sign says nothing about the log.
fn whose_fault(settings: &Settings, keys: KeyFolder, error: OpenError) -> HouseError {
    let rolled_back =
        matches!(&error, OpenError::Damaged(damage) if damage.kind == DamageKind::RolledBack);
    let (disk, clock) = (Arc::clone(&settings.disk), settings.clock.clone());
    if rolled_back
        && let Ok(opened) = Log::open_read_only(disk, &settings.data, clock)
        && let Ok(secrets) = LogSecrets::load(keys, opened.reader.meta().log_id)
        && let Err(wrong @ HouseError::Checkpoint(_)) = check_checkpoint(&opened.reader, &secrets)
    {
        return wrong;
    }
    HouseError::Log {
        folder: settings.data.clone(),
        source: error,
    }
}

/// Signs the tree's durable head and stores it beside the log; returns the key it is verified with.
fn sign_head(opener: &Opener) -> Result<VerifierKey, SignError> {
    let origin = &opener.reader.meta().origin;
    let signer = opener
        .vault
        .secrets()
        .signer(origin)
        .map_err(SignError::Name)?;
    let (size, root) = opener.reader.tree_head();
    let note = Checkpoint::new(origin, size, root)
        .sign(&signer)
        .map_err(SignError::Chain)?;
    opener
        .reader
        .write_checkpoint(&note.to_string())
        .map_err(SignError::Store)?;
    Ok(signer.verifier().clone())
}

fn spawn_signer(opener: Opener, late: Arc<AtomicBool>) -> std::io::Result<Signing> {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::Builder::new()
        .name("signer".into())
        .spawn(move || {
            let mut signed = opener.reader.position();
            while let Err(std::sync::mpsc::RecvTimeoutError::Timeout) =
                stopped.recv_timeout(SIGN_EVERY)
            {
                let position = opener.reader.position();
                if position == signed {
                    continue;
                }
                let result = sign_head(&opener);
                if let (Err(error), false) = (&result, late.load(Ordering::Acquire)) {
                    tracing::error!(error = %crate::chain_of(error), "a checkpoint is not signed");
                }
                late.store(result.is_err(), Ordering::Release);
                if result.is_ok() {
                    signed = position;
                }
            }
        })?;
    Ok(Signing { stop, thread })
}

fn watch_durable(reader: &Reader) -> watch::Receiver<u64> {
    let (sender, receiver) = watch::channel(reader.position().get());
    reader.on_advance(move |durable| {
        sender.send_replace(durable.position.get());
    });
    receiver
}
