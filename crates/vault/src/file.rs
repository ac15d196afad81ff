//! The one owner of file access to the key folder: private, atomic, synced.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sokhoe_chain::LogId;

use crate::error::VaultError;

const DIGEST_BYTES: usize = 32;
const TEMPORARY: &str = ".new";

/// Makes a folder that only its owner can enter.
pub(crate) fn create_folder(dir: &Path) -> Result<(), VaultError> {
    DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(dir)
        .map_err(VaultError::io("make folder", dir))?;
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        sync_folder(parent)?;
    }
    Ok(())
}

/// Refuses what others can reach.
pub(crate) fn check_private(path: &Path) -> Result<(), VaultError> {
    let metadata = fs::metadata(path).map_err(missing_or("look at", path))?;
    let mode = metadata.mode() & 0o7777;
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
pub(crate) fn read_private(path: &Path) -> Result<Vec<u8>, VaultError> {
    check_private(path)?;
    read(path)
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, VaultError> {
    fs::read(path).map_err(missing_or("read", path))
}

/// Makes a new file, mode 0600; it must not exist.
pub(crate) fn create(path: &Path) -> Result<File, VaultError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(VaultError::io("make", path))
}

/// Opens a file to go on writing it.
pub(crate) fn open_to_write(path: &Path) -> Result<File, VaultError> {
    check_private(path)?;
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(missing_or("open", path))
}

/// Writes a whole file under a temporary name, syncs it, renames it, syncs the folder.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(TEMPORARY);
    let temporary = PathBuf::from(temporary);
    remove(&temporary)?;
    let mut file = create(&temporary)?;
    file.write_all(bytes)
        .map_err(VaultError::io("write", &temporary))?;
    file.sync_all()
        .map_err(VaultError::io("sync", &temporary))?;
    fs::rename(&temporary, path).map_err(VaultError::io("rename to", path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Writes a new file without syncing; [`sync_filesystem`] must follow before it is referred to.
pub(crate) fn write_unsynced(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    remove(path)?;
    create(path)?
        .write_all(bytes)
        .map_err(VaultError::io("write", path))
}

/// Syncs everything on the folder's filesystem, with one call for thousands of files.
pub(crate) fn sync_filesystem(dir: &Path) -> Result<(), VaultError> {
    let folder = File::open(dir).map_err(VaultError::io("open", dir))?;
    rustix::fs::syncfs(&folder)
        .map_err(io::Error::from)
        .map_err(VaultError::io("sync", dir))
}

/// Syncs a folder's entries.
pub(crate) fn sync_folder(dir: &Path) -> Result<(), VaultError> {
    File::open(dir)
        .and_then(|folder| folder.sync_all())
        .map_err(VaultError::io("sync folder", dir))
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), VaultError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(VaultError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Overwrites a file with zeros, syncs and removes it.
pub(crate) fn destroy(path: &Path) -> Result<(), VaultError> {
    let file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(VaultError::io("open", path))?,
    };
    let len = file
        .metadata()
        .map_err(VaultError::io("look at", path))?
        .len();
    io::copy(&mut io::Read::take(io::repeat(0), len), &mut &file)
        .and_then(|_| file.sync_all())
        .map_err(VaultError::io("overwrite", path))?;
    remove(path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Lists the names in a folder.
pub(crate) fn names(dir: &Path) -> Result<Vec<String>, VaultError> {
    let entries = fs::read_dir(dir).map_err(missing_or("list", dir))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(VaultError::io("list", dir))?;
        names.extend(entry.file_name().into_string().ok());
    }
    Ok(names)
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
