//! A disk in memory for tests: faults on demand, and crashes that lose what was not synced.
//!
//! Single operations fail by their count; a crash keeps what was synced and, of the rest, what the test asks for.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::disk::{Access, Disk, DiskFile, DiskLock};
use crate::sync::lock;

/// What a fault does to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails with an input/output error.
    Io,
    /// The operation fails because there is no space.
    NoSpace,
    /// A write puts down only its first half and then fails.
    HalfWritten,
    /// A sync fails and forgets what it should have written: programs go on reading it, later syncs skip it.
    Forgotten,
}

/// Which operations are counted for a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Writes into files.
    Write,
    /// Syncs of files.
    Sync,
    /// Syncs of folders.
    SyncDir,
    /// Renames.
    Rename,
    /// Creation of files.
    Create,
}

/// What a crash leaves of the writes since the last sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// None of them.
    None,
    /// All of them.
    All,
    /// So many of them, in order.
    First(usize),
    /// The first one's first so many bytes.
    Torn(usize),
}

#[derive(Clone, Debug, Default)]
struct Content {
    synced: Vec<u8>,
    current: Vec<u8>,
    /// Writes since the last sync.
    writes: Vec<(usize, Vec<u8>)>,
}

type Shared<T> = Arc<Mutex<T>>;

#[derive(Debug, Default)]
struct State {
    /// Names as programs see them.
    names: BTreeMap<PathBuf, Shared<Content>>,
    /// Names that a crash leaves.
    synced_names: BTreeMap<PathBuf, Shared<Content>>,
    locks: Vec<PathBuf>,
    faults: Vec<(Operation, u64, Fault)>,
    counts: BTreeMap<u8, u64>,
    /// Grows with each crash; older handles are dead.
    generation: u64,
}

/// A disk in memory; clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemDisk(Shared<State>);

#[derive(Debug)]
struct MemFile {
    disk: MemDisk,
    content: Shared<Content>,
    generation: u64,
}

#[derive(Debug)]
struct MemLock {
    disk: MemDisk,
    path: PathBuf,
    generation: u64,
}

impl DiskLock for MemLock {}

impl Drop for MemLock {
    fn drop(&mut self) {
        let mut state = lock(&self.disk.0);
        if state.generation == self.generation {
            state.locks.retain(|path| *path != self.path);
        }
    }
}

impl Operation {
    fn key(self) -> u8 {
        match self {
            Self::Write => 0,
            Self::Sync => 1,
            Self::SyncDir => 2,
            Self::Rename => 3,
            Self::Create => 4,
        }
    }
}

impl State {
    fn fault(&mut self, operation: Operation) -> Option<Fault> {
        let count = self.counts.entry(operation.key()).or_default();
        *count += 1;
        let count = *count;
        let hit =
            |(wanted, from, _): &&(Operation, u64, Fault)| *wanted == operation && *from == count;
        self.faults.iter().find(hit).map(|(_, _, fault)| *fault)
    }

    fn check(&mut self, operation: Operation) -> io::Result<()> {
        match self.fault(operation) {
            None => Ok(()),
            Some(Fault::NoSpace) => Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::Io | Fault::HalfWritten | Fault::Forgotten) => {
                Err(io::Error::from_raw_os_error(5))
            }
        }
    }
}

impl MemDisk {
    /// Makes an empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the n-th operation of a kind from now on fail, counted from 1.
    pub fn fail(&self, operation: Operation, nth: u64, fault: Fault) {
        let mut state = lock(&self.0);
        let so_far = state.counts.get(&operation.key()).copied().unwrap_or(0);
        state.faults.push((operation, so_far + nth, fault));
    }

    /// Returns how many operations of a kind there were.
    #[must_use]
    pub fn count(&self, operation: Operation) -> u64 {
        lock(&self.0)
            .counts
            .get(&operation.key())
            .copied()
            .unwrap_or(0)
    }

    /// Takes the power away: open handles and locks die, unsynced names and writes are lost but for the survivors.
    pub fn crash(&self, survivors: Survivors) {
        let mut state = lock(&self.0);
        state.generation += 1;
        state.locks.clear();
        state.faults.clear();
        state.names = state.synced_names.clone();
        for content in state.names.values() {
            lock(content).settle(survivors);
        }
    }

    /// Returns a copy of everything as programs see it, on a disk of its own, fully synced.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let copy = Self::new();
        for (path, content) in &lock(&self.0).names {
            copy.put(path, &lock(content).current);
        }
        copy
    }

    /// Returns a file's bytes.
    #[must_use]
    pub fn get(&self, path: &Path) -> Option<Vec<u8>> {
        let content = lock(&self.0).names.get(path).cloned()?;
        let bytes = lock(&content).current.clone();
        Some(bytes)
    }

    /// Puts a file there, synced.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let content = Content {
            synced: bytes.to_vec(),
            current: bytes.to_vec(),
            writes: Vec::new(),
        };
        let content = Arc::new(Mutex::new(content));
        let mut state = lock(&self.0);
        state.names.insert(path.to_path_buf(), Arc::clone(&content));
        state.synced_names.insert(path.to_path_buf(), content);
    }

    /// Returns all file names.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        lock(&self.0).names.keys().cloned().collect()
    }

    fn file(&self, content: Shared<Content>, generation: u64) -> Arc<dyn DiskFile> {
        Arc::new(MemFile {
            disk: self.clone(),
            content,
            generation,
        })
    }
}

impl Content {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        write_into(&mut self.current, offset, bytes);
        self.writes.push((offset, bytes.to_vec()));
    }

    fn sync(&mut self) {
        self.synced.resize(self.current.len(), 0);
        for (offset, written) in self.writes.drain(..) {
            write_into(&mut self.synced, offset, &written);
        }
    }

    fn settle(&mut self, survivors: Survivors) {
        let (count, bytes_max) = match survivors {
            Survivors::None => (0, 0),
            Survivors::All => (usize::MAX, usize::MAX),
            Survivors::First(count) => (count, usize::MAX),
            Survivors::Torn(bytes) => (1, bytes),
        };
        let mut bytes = std::mem::take(&mut self.synced);
        for (offset, written) in self.writes.drain(..).take(count) {
            let kept = written.get(..bytes_max).unwrap_or(&written);
            write_into(&mut bytes, offset, kept);
        }
        self.current.clone_from(&bytes);
        self.synced = bytes;
    }
}

fn write_into(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(slot) = bytes.get_mut(offset..end) {
        slot.copy_from_slice(written);
    }
}

fn offset_of(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl MemFile {
    fn alive(&self) -> io::Result<()> {
        if lock(&self.disk.0).generation == self.generation {
            Ok(())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
}

impl DiskFile for MemFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.alive()?;
        let content = lock(&self.content);
        let from = content
            .current
            .get(offset_of(offset)?..)
            .unwrap_or_default();
        let count = from.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(from) {
            *to = *from;
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.alive()?;
        let fault = lock(&self.disk.0).fault(Operation::Write);
        let kept = match fault {
            None => bytes,
            Some(Fault::HalfWritten) => bytes.get(..bytes.len() / 2).unwrap_or_default(),
            Some(_) => &[],
        };
        lock(&self.content).write(offset_of(offset)?, kept);
        match fault {
            None => Ok(()),
            Some(Fault::NoSpace) => Err(io::ErrorKind::StorageFull.into()),
            Some(_) => Err(io::Error::from_raw_os_error(5)),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.alive()?;
        let fault = lock(&self.disk.0).fault(Operation::Sync);
        let mut content = lock(&self.content);
        match fault {
            None => {
                content.sync();
                return Ok(());
            }
            Some(Fault::NoSpace) => return Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::Forgotten) => content.writes.clear(),
            Some(Fault::Io | Fault::HalfWritten) => {}
        }
        Err(io::Error::from_raw_os_error(5))
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.alive()?;
        let mut content = lock(&self.content);
        // A changed length survives a crash here; what matters to the log is that bytes beyond it are gone.
        content.current.resize(offset_of(bytes)?, 0);
        let current = content.current.clone();
        let synced_len = content.synced.len().min(current.len());
        content.synced.truncate(synced_len);
        for (offset, written) in &mut content.writes {
            written.truncate(current.len().saturating_sub(*offset));
        }
        content.writes.retain(|(_, written)| !written.is_empty());
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.alive()?;
        u64::try_from(lock(&self.content).current.len())
            .map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

impl Disk for MemDisk {
    fn open(&self, path: &Path, _access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let state = lock(&self.0);
        let content = state
            .names
            .get(path)
            .cloned()
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(self.file(content, state.generation))
    }

    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = lock(&self.0);
        state.check(Operation::Create)?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = Shared::<Content>::default();
        state.names.insert(path.to_path_buf(), Arc::clone(&content));
        Ok(self.file(content, state.generation))
    }

    fn create_dir_all(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.check(Operation::Rename)?;
        let content = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_path_buf(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = lock(&self.0).names.remove(path);
        removed
            .map(|_| ())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.check(Operation::SyncDir)?;
        let inside = |name: &Path| name.parent() == Some(path);
        state.synced_names.retain(|name, _| !inside(name));
        let named: Vec<_> = state
            .names
            .iter()
            .filter(|(name, _)| inside(name))
            .map(|(name, content)| (name.clone(), Arc::clone(content)))
            .collect();
        state.synced_names.extend(named);
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = lock(&self.0);
        let inside = state
            .names
            .keys()
            .filter(|name| name.parent() == Some(path));
        Ok(inside
            .filter_map(|name| Some(name.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        let mut state = lock(&self.0);
        if state.locks.iter().any(|held| held == path) {
            return Ok(None);
        }
        state.locks.push(path.to_path_buf());
        let generation = state.generation;
        Ok(Some(Box::new(MemLock {
            disk: self.clone(),
            path: path.to_path_buf(),
            generation,
        })))
    }
}
