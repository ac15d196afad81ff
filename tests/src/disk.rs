//! The real disk, but for what is ordered: at one call the program dies or the call fails, and files grow only so far.
//!
//! A file is called by the name it has now, also when it was opened under another.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sokhoe_storage::{Access, Disk, DiskFile, DiskLock, OsDisk};

use crate::orders::{Act, Call, Orders};

/// The name that an open file has now.
type Name = Arc<Mutex<PathBuf>>;

/// The disk; clones share the count of calls.
#[derive(Clone, Debug)]
pub(crate) struct OrderedDisk(Arc<State>);

#[derive(Debug)]
struct State {
    orders: Orders,
    armed: AtomicBool,
    /// Calls that the rule is about.
    met: AtomicU64,
    /// Bytes by which files may still grow.
    room: AtomicU64,
    names: Mutex<Vec<Weak<Mutex<PathBuf>>>>,
}

#[derive(Debug)]
struct OrderedFile {
    disk: OrderedDisk,
    name: Name,
    file: Arc<dyn DiskFile>,
}

fn no_space() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

/// The end of this process, as `kill -9` makes it.
fn die() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort()
}

impl OrderedDisk {
    pub(crate) fn new(orders: Orders) -> Self {
        Self(Arc::new(State {
            armed: AtomicBool::new(orders.armed.is_none()),
            met: AtomicU64::new(0),
            room: AtomicU64::new(orders.room.unwrap_or(u64::MAX)),
            names: Mutex::default(),
            orders,
        }))
    }

    fn is_armed(&self) -> bool {
        let state = &self.0;
        let there = || {
            state
                .orders
                .armed
                .as_ref()
                .is_some_and(|path| path.exists())
        };
        if !state.armed.load(Ordering::Acquire) && there() {
            state.armed.store(true, Ordering::Release);
        }
        state.armed.load(Ordering::Acquire)
    }

    /// What is ordered at this call, which is counted.
    fn ordered(&self, call: Call, path: &Path) -> Option<Act> {
        if !self.is_armed() {
            return None;
        }
        let orders = &self.0.orders;
        let due = orders.rule.as_ref().filter(|rule| {
            let meant = rule.call.is_none_or(|wanted| wanted == call) && rule.is_at(path);
            meant && self.0.met.fetch_add(1, Ordering::AcqRel) + 1 == rule.nth
        });
        if let Some(trace) = &orders.trace {
            let mark = if due.is_some() { " !" } else { "" };
            let line = format!("{} {}{mark}\n", call.word(), path.display());
            let opened = OpenOptions::new().append(true).create(true).open(trace);
            // A trace that cannot be written shows in the test that reads it.
            let _ = opened.and_then(|mut file| file.write_all(line.as_bytes()));
        }
        due.map(|rule| rule.act)
    }

    /// Does a call, or what is ordered instead; `half` does the first half of one that has halves.
    fn call<T>(
        &self,
        (call, path): (Call, &Path),
        whole: impl FnOnce() -> io::Result<T>,
        half: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<T> {
        match self.ordered(call, path) {
            None => whole(),
            Some(Act::KillBefore) => die(),
            Some(Act::KillHalf) => {
                let _ = half();
                die()
            }
            Some(Act::KillAfter) => {
                let _ = whole();
                die()
            }
            Some(Act::Fail) => Err(io::Error::other("ordered by a test")),
            Some(Act::FailHalf) => {
                half()?;
                Err(io::Error::other("ordered by a test"))
            }
            Some(Act::NoSpace) => Err(no_space()),
        }
    }

    /// Takes room for growing; returns how much of it there was.
    fn take_room(&self, bytes: u64) -> u64 {
        let mut taken = 0;
        let _ = self
            .0
            .room
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |room| {
                taken = bytes.min(room);
                Some(room - taken)
            });
        taken
    }

    fn give_room(&self, bytes: u64) {
        let add = |room: u64| Some(room.saturating_add(bytes));
        let _ = self
            .0
            .room
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
    }

    /// The bytes of a file that goes away.
    fn bytes_at(path: &Path) -> u64 {
        std::fs::metadata(path).map_or(0, |found| found.len())
    }

    fn named(&self, path: &Path, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        let name: Name = Arc::new(Mutex::new(path.to_owned()));
        let mut names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.retain(|name| name.strong_count() > 0);
        names.push(Arc::downgrade(&name));
        Arc::new(OrderedFile {
            disk: self.clone(),
            name,
            file,
        })
    }

    fn rename_open(&self, from: &Path, to: &Path) {
        let names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names.iter().filter_map(Weak::upgrade) {
            let mut name = name.lock().unwrap_or_else(PoisonError::into_inner);
            if *name == from {
                to.clone_into(&mut name);
            }
        }
    }
}

fn nothing() -> io::Result<()> {
    Ok(())
}

impl OrderedFile {
    fn name(&self) -> PathBuf {
        self.name
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn write_within_room(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let grows = offset
            .saturating_add(count)
            .saturating_sub(self.file.len()?);
        let grows = grows.min(count);
        let fits = count - grows + self.disk.take_room(grows);
        if fits == count {
            return self.file.write_at(bytes, offset);
        }
        let fits = usize::try_from(fits).unwrap_or(usize::MAX);
        self.file
            .write_at(bytes.get(..fits).unwrap_or_default(), offset)?;
        Err(no_space())
    }
}

impl DiskFile for OrderedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
        self.disk.call(
            (Call::Write, &self.name()),
            || self.write_within_room(bytes, offset),
            || self.write_within_room(half, offset),
        )
    }

    fn sync_data(&self) -> io::Result<()> {
        let sync = || self.file.sync_data();
        self.disk.call((Call::Sync, &self.name()), sync, nothing)
    }

    fn sync_all(&self) -> io::Result<()> {
        let sync = || self.file.sync_all();
        self.disk.call((Call::Sync, &self.name()), sync, nothing)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let set = || {
            let len = self.file.len()?;
            let grows = bytes.saturating_sub(len);
            let taken = self.disk.take_room(grows);
            if taken < grows {
                self.disk.give_room(taken);
                return Err(no_space());
            }
            self.disk.give_room(len.saturating_sub(bytes));
            self.file.set_len(bytes)
        };
        self.disk.call((Call::SetLen, &self.name()), set, nothing)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}

impl Disk for OrderedDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.named(path, OsDisk.open(path, access)?))
    }

    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let create = || {
            if self.0.room.load(Ordering::Acquire) == 0 {
                return Err(no_space());
            }
            OsDisk.create_new(path)
        };
        let file = self.call((Call::Create, path), create, nothing)?;
        Ok(self.named(path, file))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        OsDisk.create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let rename = || {
            let replaced = Self::bytes_at(to);
            OsDisk.rename(from, to)?;
            self.give_room(replaced);
            self.rename_open(from, to);
            Ok(())
        };
        self.call((Call::Rename, to), rename, nothing)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let remove = || {
            let bytes = Self::bytes_at(path);
            OsDisk.remove(path)?;
            self.give_room(bytes);
            Ok(())
        };
        self.call((Call::Remove, path), remove, nothing)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let sync = || OsDisk.sync_dir(path);
        self.call((Call::SyncDir, path), sync, nothing)
    }

    fn sync_filesystem(&self, path: &Path) -> io::Result<()> {
        let sync = || OsDisk.sync_filesystem(path);
        self.call((Call::Sync, path), sync, nothing)
    }

    fn mode(&self, path: &Path) -> io::Result<u32> {
        OsDisk.mode(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(path)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        OsDisk.try_lock(path)
    }
}
