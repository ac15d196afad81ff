//! What goes wrong with a key folder or a key, separated by what the caller can do about it.

use std::path::{Path, PathBuf};

use sokhoe_chain::{LogId, StreamId};
use thiserror::Error;

use crate::key_service::KeyServiceError;

/// Why the key folder cannot be made, opened or written.
#[derive(Debug, Error)]
pub enum VaultError {
    /// The folder is not there.
    #[error(
        "open key folder {}: it is missing. The data folder needs its keys: look for <data>.keys, \
         name it with --keys, or restore the keys from their backup or escrow. Without them \
         nothing that was recorded can be read",
        dir.display()
    )]
    FolderMissing {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// A new folder was to be made where one is.
    #[error("make key folder {}: it exists and is not empty", dir.display())]
    FolderNotEmpty {
        /// Where.
        dir: PathBuf,
    },
    /// Others than the owner can get at it.
    #[error(
        "open {}: others can reach it (mode {mode:o}); make it private with chmod go-rwx",
        path.display()
    )]
    NotPrivate {
        /// What.
        path: PathBuf,
        /// Its mode bits.
        mode: u32,
    },
    /// The keys belong to another log.
    #[error("open {}: it holds keys of log {found}, the data folder is log {expected}", path.display())]
    WrongLog {
        /// Which file says so.
        path: PathBuf,
        /// Log of the data folder.
        expected: LogId,
        /// Log of the keys.
        found: LogId,
    },
    /// A file that must be there is not.
    #[error("open key folder: {} is missing; restore the key folder from its backup", path.display())]
    FileMissing {
        /// Which.
        path: PathBuf,
    },
    /// A file's bytes are not those that were written.
    #[error("key file {} is damaged at offset {offset}: {what}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where the damaged part begins.
        offset: u64,
        /// What was found wrong.
        what: &'static str,
    },
    /// A whole file does not open under the root key.
    #[error("open key file {}: its bytes are whole, but the root key does not open it", path.display())]
    WrongRootKey {
        /// Which file.
        path: PathBuf,
    },
    /// Another process has the folder open.
    #[error("open key folder: {} is in use by another process", path.display())]
    InUse {
        /// The locked file.
        path: PathBuf,
    },
    /// An earlier write failed; nothing more is written.
    #[error("write keys: an earlier write failed, so the vault has stopped; restart the server")]
    Stopped,
    /// What was read back is not what was to be written.
    #[error("verify rewritten keys in {}: {what}", path.display())]
    NotVerified {
        /// Which file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// The system gave no randomness.
    #[error("get random bytes from the system")]
    Random(#[from] getrandom::Error),
    /// The root key's holder failed.
    #[error("use the root key")]
    KeyService(#[from] KeyServiceError),
    /// The system failed to read or write.
    #[error("{action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl VaultError {
    pub(crate) fn io(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    pub(crate) fn damaged(path: &Path, offset: usize, what: &'static str) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            offset: offset as u64,
            what,
        }
    }
}

/// Why there is no key for a stream.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// There never was one here: wrong or old key folder, or an unknown stream.
    #[error("find key of stream {stream}: there is none")]
    Missing {
        /// The stream.
        stream: StreamId,
    },
    /// It was destroyed: what the stream says is gone for good.
    #[error("find key of stream {stream}: it was destroyed")]
    Destroyed {
        /// The stream.
        stream: StreamId,
    },
    /// A new one was asked for, and there is one.
    #[error("make key of stream {stream}: it has one")]
    Exists {
        /// The stream.
        stream: StreamId,
    },
    /// It does not unwrap.
    #[error("unwrap key of stream {stream}: it is damaged, or wrapped under another key")]
    Damaged {
        /// The stream.
        stream: StreamId,
    },
    /// The system gave no randomness.
    #[error("make key of stream {stream}: no random bytes from the system")]
    Random {
        /// The stream.
        stream: StreamId,
    },
    /// An earlier write of keys failed; no new keys are made.
    #[error("make key of stream {stream}: the vault has stopped after a failed write")]
    Stopped {
        /// The stream.
        stream: StreamId,
    },
}
