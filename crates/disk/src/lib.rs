//! The way to files of log, keys and caches: the `Disk` trait and what it promises.
//!
//! Whoever keeps them calls these traits and never `std::fs`, so that a simulated disk with faults fits
//! beneath. Refuses to know what is stored. A write is durable only after `sync_data` or `sync_all` of its file; a created, renamed or removed name
//! only after `sync_dir` of its folder. An error of a sync means that the bytes may be lost for good.
#![deny(clippy::indexing_slicing)]

mod os;
#[cfg(feature = "testing")]
pub mod testing;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use self::os::OsDisk;

/// An open file, read and written at explicit offsets by any number of threads.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Reads up to `buffer.len()` bytes at the offset; 0 means the file's end.
    ///
    /// # Errors
    /// The system's read error.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all bytes at the offset, growing the file when needed.
    ///
    /// # Errors
    /// The system's write error; some of the bytes may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the written bytes durable, and the length where it grew.
    ///
    /// # Errors
    /// The system's error; the bytes written since the last sync are then in doubt for ever.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes bytes, length and attributes durable.
    ///
    /// # Errors
    /// As for `sync_data`.
    fn sync_all(&self) -> io::Result<()>;

    /// Cuts the file or extends it with zeros.
    ///
    /// # Errors
    /// The system's error.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// Returns the file's length in bytes.
    ///
    /// # Errors
    /// The system's error.
    fn len(&self) -> io::Result<u64>;

    /// Says whether the file holds no byte.
    ///
    /// # Errors
    /// The system's error.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// An exclusive lock, held until it is dropped.
pub trait DiskLock: Send + Sync + fmt::Debug {}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    ReadWrite,
}

/// A file system, as far as the log needs one.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens an existing file.
    ///
    /// # Errors
    /// `NotFound` when it does not exist, or the system's error.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>>;

    /// Creates a file that must not exist yet, for reading and writing.
    ///
    /// # Errors
    /// `AlreadyExists`, or the system's error.
    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Creates a folder and its parents where missing.
    ///
    /// # Errors
    /// The system's error.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Renames a file, replacing the target.
    ///
    /// # Errors
    /// The system's error.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound` when it does not exist, or the system's error.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// The system's error.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes everything durable that is written on the folder's file system: one call for thousands of files.
    ///
    /// # Errors
    /// As for `DiskFile::sync_data`.
    fn sync_filesystem(&self, path: &Path) -> io::Result<()>;

    /// Returns the permission bits of a file or folder.
    ///
    /// # Errors
    /// `NotFound` when it does not exist, or the system's error.
    fn mode(&self, path: &Path) -> io::Result<u32>;

    /// Lists the names in a folder, in no order.
    ///
    /// # Errors
    /// `NotFound` when it does not exist, or the system's error.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// Takes the exclusive lock of a lock file, creating the file where missing; `None` when another holds it.
    ///
    /// # Errors
    /// The system's error.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>>;
}

/// Reads exactly `buffer.len()` bytes; fewer is `UnexpectedEof`.
///
/// # Errors
/// The disk's error.
pub fn read_exact_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let read = read_full_at(file, buffer, offset)?;
    if read == buffer.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Reads until the buffer is full or the file ends; returns the number of bytes read.
///
/// # Errors
/// The disk's error.
pub fn read_full_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0_usize;
    while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Reads a whole file; one longer than `bytes_max` is `FileTooLarge`.
///
/// # Errors
/// The disk's error, `NotFound` among them.
pub fn read_file(disk: &dyn Disk, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Access::Read)?;
    let len = file.len()?;
    if len > bytes_max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?];
    read_exact_at(file.as_ref(), &mut bytes, 0)?;
    Ok(bytes)
}

/// Replaces a file by these bytes such that a crash leaves the old or the new content, never a mixture.
///
/// # Errors
/// The disk's error; the old content then still stands.
pub fn write_file_atomic(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut temporary_name = name.to_os_string();
    temporary_name.push(".new");
    let temporary = folder.join(temporary_name);
    match disk.remove(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.create_new(&temporary)?;
    file.write_at(bytes, 0)?;
    file.sync_all()?;
    disk.rename(&temporary, path)?;
    disk.sync_dir(folder)
}
