//! The log's tree on disk: tiles and proofs of any size without holding the tree in memory.
//!
//! A thread follows the synced log and appends complete nodes to `cache/tree-0` to `cache/tree-7`. What they hold is
//! shown only up to a size at which their root was the log's; whatever is handed out is checked again on the way. Nodes that
//! do not fit are never shown: the files are thrown away and made anew from the log.

use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use sokhoe_chain::proof::{self, Consistency, Inclusion, verify_consistency, verify_inclusion};
use sokhoe_chain::tile::{TILE_HEIGHT, TILE_WIDTH, Tile, fold_tile};
use sokhoe_chain::tree::event_leaf;
use sokhoe_chain::{EventHash, Frontier, NodeHash, ProofError};

use crate::error::{Damage, DamageKind, ReadError};
use crate::position::Position;
use crate::reader::{Reader, Scan};
use crate::sync::lock;

mod files;

pub use self::files::TreeFiles;

/// How often the thread looks for new events: many commits are taken in together.
const FOLLOW_EVERY: Duration = Duration::from_millis(100);
/// Leaves that are written together.
const BATCH_LEAVES: u64 = 1 << 15;

/// The tree's nodes on disk and the thread that adds to them; dropping it ends the thread.
pub struct TreeStore {
    inner: Arc<Inner>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for TreeStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TreeStore")
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

struct Inner {
    reader: Reader,
    files: TreeFiles,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The tree that the files are known to hold; its root was the log's.
    known: Frontier,
    /// Somebody met nodes that do not fit.
    distrusted: bool,
    stop: bool,
    /// How often the files were made anew from the first event.
    rebuilt: u64,
}

/// What the following thread is at: may be ahead of what is known to be right.
struct Following {
    frontier: Frontier,
    scan: Scan,
    /// Whether the files were begun anew since they last proved right.
    anew: bool,
}

/// Why following ended.
enum Halt {
    Stop,
    Failed(ReadError),
    /// The log itself does not give its own root.
    Contradiction,
}

impl From<ReadError> for Halt {
    fn from(error: ReadError) -> Self {
        Self::Failed(error)
    }
}

fn cache_failed(source: io::Error) -> ReadError {
    let file = "cache/tree".to_owned();
    ReadError::Io { file, source }
}

impl TreeStore {
    /// Opens the files of a log's tree, or makes them, and follows the log.
    ///
    /// # Errors
    /// When the files cannot be opened or the system gives no thread.
    pub fn start(reader: Reader) -> io::Result<Self> {
        let files = TreeFiles::open(reader.shared().disk.as_ref(), reader.folder())?;
        let inner = Arc::new(Inner {
            reader,
            files,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let following = Arc::clone(&inner);
        let thread = std::thread::Builder::new()
            .name("tree".into())
            .spawn(move || following.follow())?;
        Ok(Self {
            inner,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Returns how many leaves can be shown and proved.
    #[must_use]
    pub fn size(&self) -> u64 {
        lock(&self.inner.state).known.size()
    }

    /// Returns how often the nodes were made anew because what was stored was not right.
    #[must_use]
    pub fn rebuilt(&self) -> u64 {
        lock(&self.inner.state).rebuilt
    }

    /// Waits until a size is reached; false when it is not in time.
    #[must_use]
    pub fn wait_for(&self, size: u64, timeout: Duration) -> bool {
        let state = lock(&self.inner.state);
        let waited = self
            .inner
            .changed
            .wait_timeout_while(state, timeout, |state| {
                state.known.size() < size && !state.stop
            });
        match waited {
            Ok((state, _)) => state.known.size() >= size,
            Err(poisoned) => poisoned.into_inner().0.known.size() >= size,
        }
    }

    /// Proves that a leaf is in a tree whose root the caller knows, such as a checkpoint's.
    ///
    /// # Errors
    /// `NotThere` when the tree is not followed up to that size or is being made anew; a disk error.
    pub fn prove_inclusion(&self, claim: &Inclusion) -> Result<Vec<NodeHash>, ReadError> {
        self.reached(claim.size)?;
        let read = |level, index| self.inner.node(level, index);
        let made = proof::prove_inclusion(claim.index, claim.size, read);
        let hashes = made.map_err(|error| self.unprovable(error))?;
        match verify_inclusion(claim, &hashes) {
            Ok(()) => Ok(hashes),
            Err(_) => Err(self.inner.distrust()),
        }
    }

    /// Proves that a tree whose size and root the caller knows only appended to that of an earlier size, not 0.
    ///
    /// Returns the earlier root and the proof.
    ///
    /// # Errors
    /// `NotThere` when the tree is not followed up to that size or is being made anew; a disk error.
    pub fn prove_consistency(
        &self,
        old_size: u64,
        (new_size, new_root): (u64, NodeHash),
    ) -> Result<(NodeHash, Vec<NodeHash>), ReadError> {
        self.reached(new_size.max(old_size))?;
        let frontier = self.inner.files.frontier(old_size);
        let old_root = frontier.map_err(|error| self.inner.unread(error))?.root();
        let read = |level, index| self.inner.node(level, index);
        let made = proof::prove_consistency(old_size, new_size, read);
        let hashes = made.map_err(|error| self.unprovable(error))?;
        let claim = Consistency {
            old_size,
            new_size,
            old_root,
            new_root,
        };
        match verify_consistency(&claim, &hashes) {
            Ok(()) => Ok((old_root, hashes)),
            Err(_) => Err(self.inner.distrust()),
        }
    }

    /// Returns the hashes of a tile; `None` when the tree has no such tile (yet).
    ///
    /// # Errors
    /// `NotThere` when the tree is being made anew; a disk error.
    pub fn tile(&self, tile: &Tile) -> Result<Option<Vec<NodeHash>>, ReadError> {
        let known = lock(&self.inner.state).known.clone();
        let width = usize::from(tile.width);
        let Some(mut hashes) = self.inner.tile(&known, tile.level, tile.index)? else {
            return Ok(None);
        };
        if width == 0 || width > hashes.len() {
            return Ok(None);
        }
        hashes.truncate(width);
        Ok(Some(hashes))
    }

    /// Returns the event hashes that are the entries beside a tile of level 0; `None` when there is no such tile (yet).
    ///
    /// # Errors
    /// As for [`TreeStore::tile`], and damage of the log.
    pub fn entries(&self, index: u64, width: u16) -> Result<Option<Vec<EventHash>>, ReadError> {
        let tile = Tile {
            level: 0,
            index,
            width,
        };
        let Some(leaves) = self.tile(&tile)? else {
            return Ok(None);
        };
        let first = index.saturating_mul(TILE_WIDTH).saturating_add(1);
        let mut scan = self.inner.reader.scan(Position::new(first));
        let mut entries = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            let frame = scan.next_frame()?;
            let hash = frame.map(|frame| frame.hash());
            match hash.filter(|hash| event_leaf(hash) == leaf) {
                Some(hash) => entries.push(hash),
                None => return Err(self.inner.distrust()),
            }
        }
        Ok(Some(entries))
    }

    /// Ends the thread; nothing is written afterwards, nothing is shown any more.
    pub fn stop(&self) {
        {
            let mut state = lock(&self.inner.state);
            state.stop = true;
            state.known = Frontier::default();
        }
        self.inner.changed.notify_all();
        if let Some(thread) = lock(&self.thread).take() {
            // A panic there is told by the thread itself.
            let _ = thread.join();
        }
    }

    fn reached(&self, size: u64) -> Result<(), ReadError> {
        if size <= self.size() {
            return Ok(());
        }
        Err(self.inner.not_there())
    }

    fn unprovable(&self, error: Unprovable) -> ReadError {
        match error {
            Unprovable::Read(error) => error,
            Unprovable::Proof => self.inner.not_there(),
        }
    }
}

impl Drop for TreeStore {
    fn drop(&mut self) {
        self.stop();
    }
}

enum Unprovable {
    Read(ReadError),
    Proof,
}

impl From<ProofError> for Unprovable {
    fn from(_: ProofError) -> Self {
        Self::Proof
    }
}

impl Inner {
    fn not_there(&self) -> ReadError {
        ReadError::NotThere {
            what: "the tree's nodes".to_owned(),
            durable: self.reader.position(),
        }
    }

    /// Has the files made anew; nothing of them is shown until then.
    fn distrust(&self) -> ReadError {
        {
            let mut state = lock(&self.state);
            // Who reads while they are made anew has met nothing new.
            state.distrusted |= state.known.size() > 0;
            state.known = Frontier::default();
        }
        self.changed.notify_all();
        self.not_there()
    }

    /// Says why nodes could not be read; known ones that are not there are as wrong as changed ones.
    fn unread(&self, error: io::Error) -> ReadError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => self.distrust(),
            _ => cache_failed(error),
        }
    }

    fn node(&self, level: u32, index: u64) -> Result<NodeHash, Unprovable> {
        let node = self.files.node(level, index);
        node.map_err(|error| Unprovable::Read(self.unread(error)))
    }

    /// Reads a tile, full or the last of its level, and checks it: a full one by the node above it, whose tile is
    /// checked in turn, the last one by the peaks of the tree.
    fn tile(
        &self,
        known: &Frontier,
        level: u8,
        index: u64,
    ) -> Result<Option<Vec<NodeHash>>, ReadError> {
        let nodes = known
            .size()
            .checked_shr(u32::from(level) * TILE_HEIGHT)
            .unwrap_or(0);
        let first = index.saturating_mul(TILE_WIDTH);
        if first >= nodes {
            return Ok(None);
        }
        let width = usize::try_from((nodes - first).min(TILE_WIDTH)).unwrap_or(0);
        let hashes = self.files.row(level, first, width);
        let hashes = hashes.map_err(|error| self.unread(error))?;
        let right = if width < 256 {
            fits_peaks(known, level, &hashes)
        } else {
            let above = self.tile(known, level + 1, index / TILE_WIDTH)?;
            let at = usize::try_from(index % TILE_WIDTH).unwrap_or(usize::MAX);
            let node = above.as_ref().and_then(|above| above.get(at));
            node.is_some() && fold_tile(&hashes).as_ref() == node
        };
        if right {
            Ok(Some(hashes))
        } else {
            Err(self.distrust())
        }
    }

    fn follow(&self) {
        let mut following = None;
        let mut failing = false;
        loop {
            match self.catch_up(&mut following) {
                Ok(()) => failing = false,
                Err(Halt::Stop) => return,
                Err(Halt::Contradiction) => {
                    let damage = Damage {
                        kind: DamageKind::Hash,
                        file: "log".into(),
                        offset: 0,
                        position: None,
                        part: "tree over all events",
                        expected: "the root that the log had".into(),
                        found: "another".into(),
                    };
                    self.reader.shared().damaged(&damage);
                    tracing::error!(%damage, "no proofs are made");
                    return;
                }
                Err(Halt::Failed(error)) => {
                    if !failing {
                        tracing::error!(%error, "the tree cannot be followed");
                    }
                    failing = true;
                    following = None;
                }
            }
            let state = lock(&self.state);
            if state.stop {
                return;
            }
            // Waiting for less than the next look does no harm.
            drop(
                self.changed
                    .wait_timeout_while(state, FOLLOW_EVERY, |state| {
                        !state.stop && !state.distrusted
                    }),
            );
        }
    }

    /// Takes in what is durable now, and shows it once its root is the log's.
    fn catch_up(&self, following: &mut Option<Following>) -> Result<(), Halt> {
        let (size, root) = self.reader.tree_head();
        if std::mem::take(&mut lock(&self.state).distrusted) {
            *following = Some(self.begin_anew()?);
        }
        if following.is_none() {
            *following = Some(self.take_up(size)?);
        }
        while let Some(at) = following.as_mut() {
            self.append_up_to(at, size)?;
            if at.frontier.root() == root {
                at.anew = false;
                self.show(&at.frontier);
                return Ok(());
            }
            if at.anew {
                return Err(Halt::Contradiction);
            }
            *following = Some(self.begin_anew()?);
        }
        Ok(())
    }

    /// Begins with what the files hold already.
    fn take_up(&self, size: u64) -> Result<Following, Halt> {
        let stored = self.files.leaves().map_err(cache_failed)?.min(size);
        let Ok(frontier) = self.files.frontier(stored) else {
            return self.begin_anew();
        };
        self.files.cut(stored).map_err(cache_failed)?;
        Ok(Following {
            scan: self.reader.scan(Position::new(stored + 1)),
            frontier,
            anew: stored == 0,
        })
    }

    fn begin_anew(&self) -> Result<Following, Halt> {
        tracing::warn!("the tree's nodes are made anew from the log");
        lock(&self.state).rebuilt += 1;
        self.files.cut(0).map_err(cache_failed)?;
        Ok(Following {
            scan: self.reader.scan(Position::new(1)),
            frontier: Frontier::default(),
            anew: true,
        })
    }

    fn append_up_to(&self, at: &mut Following, size: u64) -> Result<(), Halt> {
        while at.frontier.size() < size {
            if lock(&self.state).stop {
                return Err(Halt::Stop);
            }
            let count = (size - at.frontier.size()).min(BATCH_LEAVES);
            let mut leaves = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
            for _ in 0..count {
                let frame = at.scan.next_frame()?.ok_or_else(|| self.not_there())?;
                leaves.push(event_leaf(&frame.hash()));
            }
            let written = self.files.append(&mut at.frontier, &leaves);
            written.map_err(cache_failed)?;
        }
        Ok(())
    }

    fn show(&self, frontier: &Frontier) {
        {
            let mut state = lock(&self.state);
            if state.distrusted || state.stop || state.known.size() == frontier.size() {
                return;
            }
            state.known.clone_from(frontier);
        }
        self.changed.notify_all();
    }
}

/// Says whether the last tile of a level folds to the tree's peaks of that level.
fn fits_peaks(known: &Frontier, level: u8, hashes: &[NodeHash]) -> bool {
    let mut rest = hashes;
    for above in (0..TILE_HEIGHT).rev() {
        let count = 1 << above;
        if hashes.len() & count == 0 {
            continue;
        }
        let (part, others) = rest.split_at_checked(count).unwrap_or((&[], &[]));
        rest = others;
        let bit = u32::from(level) * TILE_HEIGHT + above;
        let higher = known.size().checked_shr(bit + 1).unwrap_or(0).count_ones();
        let peak = usize::try_from(higher)
            .ok()
            .and_then(|at| known.peaks().get(at));
        if peak.is_none() || fold_tile(part).as_ref() != peak {
            return false;
        }
    }
    rest.is_empty()
}
