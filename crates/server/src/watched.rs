//! Files of the configuration that may change while the server runs: read when they have, off the request path.
//!
//! Owns reading them, within a limit. Whoever holds what a file said keeps it when the file can no longer be read.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;

/// Why a file could not be read.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system refused it.
    #[error("read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Larger than such a file can be.
    #[error("read {path}: larger than {bytes_max} bytes", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        bytes_max: usize,
    },
}

/// What tells one content of a file from the next: times of change, inode, length. A file that is replaced by renaming
/// another one into its place, as it should be, has another inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    changed_at: (i64, i64),
    modified_at: (i64, i64),
    inode: u64,
    bytes: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            changed_at: (metadata.ctime(), metadata.ctime_nsec()),
            modified_at: (metadata.mtime(), metadata.mtime_nsec()),
            inode: metadata.ino(),
            bytes: metadata.len(),
        }
    }
}

/// One file and what was last seen of it.
#[derive(Debug)]
pub(crate) struct Watched {
    path: PathBuf,
    bytes_max: usize,
    /// `None` before it was looked at, then its stamp, or the reason for which it has none.
    seen: Option<Result<Stamp, io::ErrorKind>>,
}

impl Watched {
    pub(crate) fn new(path: &Path, bytes_max: usize) -> Self {
        Self {
            path: path.to_owned(),
            bytes_max,
            seen: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Says whether the file is not as it was when this was last asked; true the first time.
    pub(crate) fn changed(&mut self) -> bool {
        let now = std::fs::metadata(&self.path);
        let now = Some(now.map(|m| Stamp::of(&m)).map_err(|error| error.kind()));
        let changed = now != self.seen;
        self.seen = now;
        changed
    }

    /// Reads the whole file.
    pub(crate) fn read(&self) -> Result<Vec<u8>, FileError> {
        let unreadable = |source| FileError::Read {
            path: self.path.clone(),
            source,
        };
        let limit = u64::try_from(self.bytes_max).unwrap_or(u64::MAX);
        let file = File::open(&self.path).map_err(unreadable)?;
        let mut content = Vec::new();
        let read = file.take(limit.saturating_add(1)).read_to_end(&mut content);
        read.map_err(unreadable)?;
        if content.len() > self.bytes_max {
            return Err(FileError::TooLarge {
                path: self.path.clone(),
                bytes_max: self.bytes_max,
            });
        }
        Ok(content)
    }
}

/// Waits for the next look at the files; false when the server stops.
pub(crate) async fn rest(every: Duration, closing: &mut watch::Receiver<bool>) -> bool {
    let stopping = closing.wait_for(|closed| *closed);
    // A sender that is gone is a server that is gone.
    tokio::time::timeout(every, stopping).await.is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        let mut watched = Watched::new(&path, 4);
        assert!(watched.changed() && !watched.changed());
        assert!(matches!(watched.read(), Err(FileError::Read { .. })));
        std::fs::write(&path, "a").unwrap();
        assert!(watched.changed() && !watched.changed());
        let other = folder.path().join("other");
        std::fs::write(&other, "b").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(watched.changed() && !watched.changed());
        assert_eq!(watched.read().unwrap(), b"b");
        std::fs::write(&path, "12345").unwrap();
        assert!(matches!(watched.read(), Err(FileError::TooLarge { .. })));
    }
}
