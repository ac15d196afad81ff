//! The one way to the files of the key folder: private, atomic, synced.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sokhoe_chain::LogId;
use sokhoe_disk::{Access, Disk, DiskFile, DiskLock, OsDisk, read_file, write_file_atomic};

use crate::error::VaultError;

const DIGEST_BYTES: usize = 32;
/// Bytes overwritten at once.
const STEP_BYTES: usize = 64 << 10;
/// No key file is longer: a journal of 30 million keys would be.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// A key folder on its disk.
#[derive(Clone, Debug)]
pub struct KeyFolder {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl KeyFolder {
    /// Names a folder on a disk.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self {
            disk,
            dir: dir.to_owned(),
        }
    }

    /// Returns where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the folder, or one within it, that only its owner can enter.
    pub(crate) fn create_folder(&self, dir: &Path) -> Result<(), VaultError> {
        self.disk
            .create_dir_all(dir)
            .map_err(VaultError::io("make folder", dir))?;
        match dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => self.sync_folder(parent),
            _ => Ok(()),
        }
    }

    /// Refuses what others can reach.
    pub(crate) fn check_private(&self, path: &Path) -> Result<(), VaultError> {
        let mode = self.disk.mode(path).map_err(missing_or("look at", path))?;
        if mode & 0o077 == 0 {
            Ok(())
        } else {
            Err(VaultError::NotPrivate {
                path: path.to_owned(),
                mode,
            })
        }
    }

    /// Reads a file that only its owner can reach.
    pub(crate) fn read_private(&self, path: &Path) -> Result<Vec<u8>, VaultError> {
        self.check_private(path)?;
        self.read(path)
    }

    /// Reads a file.
    pub(crate) fn read(&self, path: &Path) -> Result<Vec<u8>, VaultError> {
        read_file(self.disk.as_ref(), path, FILE_BYTES_MAX).map_err(missing_or("read", path))
    }

    /// Says whether a file is there.
    pub(crate) fn has(&self, name: &str) -> Result<bool, VaultError> {
        Ok(self.names(&self.dir)?.iter().any(|found| found == name))
    }

    /// Makes a new file, mode 0600; it must not exist.
    pub(crate) fn create(&self, path: &Path) -> Result<Arc<dyn DiskFile>, VaultError> {
        self.disk
            .create_new(path)
            .map_err(VaultError::io("make", path))
    }

    /// Opens a file to go on writing it.
    pub(crate) fn open_to_write(&self, path: &Path) -> Result<Arc<dyn DiskFile>, VaultError> {
        self.check_private(path)?;
        self.disk
            .open(path, Access::ReadWrite)
            .map_err(missing_or("open", path))
    }

    /// Takes a file's lock against other processes.
    pub(crate) fn lock(&self, path: &Path) -> Result<Box<dyn DiskLock>, VaultError> {
        let taken = self.disk.try_lock(path);
        let taken = taken.map_err(VaultError::io("lock", path))?;
        taken.ok_or_else(|| VaultError::InUse {
            path: path.to_owned(),
        })
    }

    /// Writes a whole file under a temporary name, syncs it, renames it, syncs the folder.
    pub(crate) fn write_atomically(&self, path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
        write_file_atomic(self.disk.as_ref(), path, bytes).map_err(VaultError::io("write", path))
    }

    /// Writes a new file without syncing; [`KeyFolder::sync_filesystem`] must follow before it is referred to.
    pub(crate) fn write_unsynced(&self, path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
        self.remove(path)?;
        self.create(path)?
            .write_at(bytes, 0)
            .map_err(VaultError::io("write", path))
    }

    /// Syncs everything on the folder's filesystem, with one call for thousands of files.
    pub(crate) fn sync_filesystem(&self) -> Result<(), VaultError> {
        self.disk
            .sync_filesystem(&self.dir)
            .map_err(VaultError::io("sync", &self.dir))
    }

    /// Syncs a folder's entries.
    pub(crate) fn sync_folder(&self, dir: &Path) -> Result<(), VaultError> {
        self.disk
            .sync_dir(dir)
            .map_err(VaultError::io("sync folder", dir))
    }

    /// Removes a file if it is there.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), VaultError> {
        match self.disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(VaultError::io("remove", path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Overwrites a file with zeros, syncs and removes it.
    pub(crate) fn destroy(&self, path: &Path) -> Result<(), VaultError> {
        let file = match self.disk.open(path, Access::ReadWrite) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(VaultError::io("open", path))?,
        };
        overwrite(file.as_ref()).map_err(VaultError::io("overwrite", path))?;
        self.remove(path)?;
        path.parent().map_or(Ok(()), |dir| self.sync_folder(dir))
    }

    /// Lists the names in a folder.
    pub(crate) fn names(&self, dir: &Path) -> Result<Vec<String>, VaultError> {
        self.disk.list(dir).map_err(missing_or("list", dir))
    }
}

impl From<&Path> for KeyFolder {
    /// A folder on the real disk.
    fn from(dir: &Path) -> Self {
        Self::new(Arc::new(OsDisk), dir)
    }
}

impl From<&PathBuf> for KeyFolder {
    /// A folder on the real disk.
    fn from(dir: &PathBuf) -> Self {
        Self::from(dir.as_path())
    }
}

fn overwrite(file: &dyn DiskFile) -> io::Result<()> {
    let (len, zeros) = (file.len()?, [0; STEP_BYTES]);
    let mut at = 0;
    while at < len {
        let step = usize::try_from(len - at).map_or(STEP_BYTES, |left| left.min(STEP_BYTES));
        file.write_at(zeros.get(..step).unwrap_or_default(), at)?;
        at += u64::try_from(step).unwrap_or(u64::MAX);
    }
    file.sync_all()
}

/// Checks magic and closing digest, and returns the bytes before the digest.
pub(crate) fn checked_body<'a>(
    path: &Path,
    bytes: &'a [u8],
    magic: &[u8; 8],
) -> Result<&'a [u8], VaultError> {
    if !bytes.starts_with(magic) {
        return Err(VaultError::damaged(
            path,
            0,
            "it does not begin as such a file does",
        ));
    }
    let (body, digest) = bytes
        .split_last_chunk::<DIGEST_BYTES>()
        .ok_or_else(|| VaultError::damaged(path, bytes.len(), "it is cut off"))?;
    if blake3::hash(body).as_bytes() != digest {
        return Err(VaultError::damaged(
            path,
            0,
            "its bytes do not have the digest at its end",
        ));
    }
    Ok(body)
}

/// Refuses the keys of another log.
pub(crate) fn same_log(path: &Path, expected: LogId, found: LogId) -> Result<(), VaultError> {
    if expected == found {
        return Ok(());
    }
    Err(VaultError::WrongLog {
        path: path.to_owned(),
        expected,
        found,
    })
}

fn missing_or(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> VaultError + use<> {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::NotFound => VaultError::FileMissing { path },
        _ => VaultError::Io {
            action,
            path,
            source,
        },
    }
}

/// Takes fixed-size fields from bytes, one after the other.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Starts behind the first `skip` bytes.
    pub(crate) fn after(bytes: &'a [u8], skip: usize) -> Self {
        Self(bytes.get(skip..).unwrap_or_default())
    }

    /// Takes the next `N` bytes.
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    /// Takes the next `len` bytes.
    pub(crate) fn slice(&mut self, len: usize) -> Option<&'a [u8]> {
        let (field, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(field)
    }

    /// Takes a little-endian u32.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    /// Takes a little-endian u64.
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    /// Says whether nothing is left.
    pub(crate) const fn end(&self) -> bool {
        self.0.is_empty()
    }
}
