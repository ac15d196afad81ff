//! A disk in memory for tests: faults on demand, and crashes that lose what was not synced.
//!
//! Single operations fail by their count; a crash keeps what was synced and, of the rest, what the test asks for: in
//! order, or any part of it, torn between sectors, with names lost one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Access, Disk, DiskFile, DiskLock};

mod content;
mod names;
mod random;

pub use self::random::Random;

use self::content::Content;
use self::names::Names;

/// What a fault does to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails with an input/output error.
    Io,
    /// The operation fails because there is no space.
    NoSpace,
    /// A write puts down only its first half and then fails.
    HalfWritten,
    /// A read returns less than was asked for, which is no failure.
    Short,
    /// A sync fails and forgets what it should have written: programs go on reading it, later syncs skip it.
    Forgotten,
}

/// Which operations are counted for a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Reads from files.
    Read,
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
    /// Removal of files.
    Remove,
    /// Cutting and extending files.
    SetLen,
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
    /// Any of them and of the sectors within them, by a seed; any of the names given and taken, too.
    Some(u64),
}

type Shared<T> = Arc<Mutex<T>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, Default)]
struct State {
    names: Names<Shared<Content>>,
    locks: Vec<PathBuf>,
    faults: Vec<(Operation, u64, Fault)>,
    counts: BTreeMap<Operation, u64>,
    /// Bytes by which files may still grow.
    room: Option<u64>,
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

impl State {
    fn end_process(&mut self) {
        self.generation += 1;
        self.locks.clear();
        self.faults.clear();
    }

    fn fault(&mut self, operation: Operation) -> Option<Fault> {
        let count = self.counts.entry(operation).or_default();
        *count += 1;
        let count = *count;
        let hit =
            |(wanted, from, _): &&(Operation, u64, Fault)| *wanted == operation && *from == count;
        self.faults.iter().find(hit).map(|(_, _, fault)| *fault)
    }

    fn check(&mut self, operation: Operation) -> io::Result<()> {
        match self.fault(operation) {
            None | Some(Fault::Short) => Ok(()),
            Some(Fault::NoSpace) => Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::Io | Fault::HalfWritten | Fault::Forgotten) => {
                Err(io::Error::from_raw_os_error(5))
            }
        }
    }

    /// Takes room for bytes by which a file grows.
    fn take_room(&mut self, bytes: usize) -> bool {
        let Some(room) = &mut self.room else {
            return true;
        };
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let left = room.checked_sub(bytes);
        *room = left.unwrap_or(*room);
        left.is_some()
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
        let so_far = state.counts.get(&operation).copied().unwrap_or(0);
        state.faults.push((operation, so_far + nth, fault));
    }

    /// Lets files grow by so many bytes more; then there is no space, until more room is made.
    pub fn limit(&self, room: Option<u64>) {
        lock(&self.0).room = room;
    }

    /// Returns how many operations of a kind there were.
    #[must_use]
    pub fn count(&self, operation: Operation) -> u64 {
        lock(&self.0).counts.get(&operation).copied().unwrap_or(0)
    }

    /// Ends the process: open handles and locks die, nothing is lost, and nothing becomes more durable by it.
    pub fn kill(&self) {
        lock(&self.0).end_process();
    }

    /// Takes the power away: as [`MemDisk::kill`], and unsynced names and writes are lost but for the survivors.
    pub fn crash(&self, survivors: Survivors) {
        let mut state = lock(&self.0);
        state.end_process();
        let seed = match survivors {
            Survivors::Some(seed) => Some(seed),
            _ => None,
        };
        let mut random = Random::new(seed.unwrap_or(0));
        state.names.settle(seed.map(|_| &mut random));
        for content in state.names.current().values() {
            lock(content).settle(survivors, &mut random);
        }
    }

    /// Returns a copy of everything as programs see it, on a disk of its own, fully synced.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let copy = Self::new();
        for (path, content) in lock(&self.0).names.current() {
            copy.put(path, lock(content).bytes());
        }
        copy
    }

    /// Returns a file's bytes.
    #[must_use]
    pub fn get(&self, path: &Path) -> Option<Vec<u8>> {
        let content = lock(&self.0).names.current().get(path).cloned()?;
        let bytes = lock(&content).bytes().to_vec();
        Some(bytes)
    }

    /// Puts a file there, synced.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let content = Arc::new(Mutex::new(Content::synced(bytes)));
        lock(&self.0).names.put(path, content);
    }

    /// Returns all file names.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        lock(&self.0).names.current().keys().cloned().collect()
    }

    fn file(&self, content: Shared<Content>, generation: u64) -> Arc<dyn DiskFile> {
        Arc::new(MemFile {
            disk: self.clone(),
            content,
            generation,
        })
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
        let mut wanted = buffer.len();
        match lock(&self.disk.0).fault(Operation::Read) {
            None => {}
            Some(Fault::Short) => wanted = wanted.div_ceil(2),
            Some(_) => return Err(io::Error::from_raw_os_error(5)),
        }
        let content = lock(&self.content);
        let from = content.bytes().get(offset_of(offset)?..);
        let from = from.unwrap_or_default();
        let count = from.len().min(wanted);
        for (to, from) in buffer.iter_mut().zip(from.iter().take(count)) {
            *to = *from;
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.alive()?;
        let offset = offset_of(offset)?;
        let mut state = lock(&self.disk.0);
        let mut content = lock(&self.content);
        let grows = (offset + bytes.len()).saturating_sub(content.bytes().len());
        let fault = match state.fault(Operation::Write) {
            None if !state.take_room(grows) => Some(Fault::NoSpace),
            fault => fault,
        };
        let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
        match fault {
            None | Some(Fault::Short) => content.write(offset, bytes),
            // What did fit is there, as on a disk that fills up.
            Some(Fault::HalfWritten | Fault::NoSpace) => content.write(offset, half),
            Some(_) => {}
        }
        match fault {
            None | Some(Fault::Short) => Ok(()),
            Some(Fault::NoSpace) => Err(io::ErrorKind::StorageFull.into()),
            Some(_) => Err(io::Error::from_raw_os_error(5)),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.alive()?;
        let fault = lock(&self.disk.0).fault(Operation::Sync);
        let mut content = lock(&self.content);
        match fault {
            None | Some(Fault::Short) => {
                content.sync();
                return Ok(());
            }
            Some(Fault::NoSpace) => return Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::Forgotten) => content.forget(),
            Some(Fault::Io | Fault::HalfWritten) => {}
        }
        Err(io::Error::from_raw_os_error(5))
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.alive()?;
        lock(&self.disk.0).check(Operation::SetLen)?;
        lock(&self.content).set_len(offset_of(bytes)?);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.alive()?;
        u64::try_from(lock(&self.content).bytes().len())
            .map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

impl Disk for MemDisk {
    fn open(&self, path: &Path, _access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let state = lock(&self.0);
        let content = state.names.current().get(path).cloned();
        let content = content.ok_or(io::ErrorKind::NotFound)?;
        Ok(self.file(content, state.generation))
    }

    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = lock(&self.0);
        state.check(Operation::Create)?;
        if state.names.current().contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = Shared::<Content>::default();
        state.names.give(path, Arc::clone(&content));
        Ok(self.file(content, state.generation))
    }

    fn create_dir_all(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.check(Operation::Rename)?;
        let renamed = state.names.rename(from, to);
        renamed.then_some(()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.check(Operation::Remove)?;
        let removed = state.names.take(path);
        removed.then_some(()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.check(Operation::SyncDir)?;
        state.names.sync(path);
        Ok(())
    }

    fn sync_filesystem(&self, _: &Path) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.check(Operation::Sync)?;
        let current = state.names.current();
        current.values().for_each(|content| lock(content).sync());
        let folders: BTreeSet<PathBuf> = current
            .keys()
            .filter_map(|path| Some(path.parent()?.to_path_buf()))
            .collect();
        folders.iter().for_each(|folder| state.names.sync(folder));
        Ok(())
    }

    /// All files and folders are their owner's alone.
    fn mode(&self, _: &Path) -> io::Result<u32> {
        Ok(0o700)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = lock(&self.0);
        let inside = state
            .names
            .current()
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
