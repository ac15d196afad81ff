//! What can go wrong, split by what the caller does about it.
//!
//! Damage is never repaired and never looks like the end of the log: it names file, offset and position.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::position::{Address, Position};

/// What kind of wrongness was found; `verify` calls the first group damaged and the second tampered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamageKind {
    /// A checksum or a fixed byte is wrong.
    Checksum,
    /// Bytes that must be there are not.
    Missing,
    /// Checksums hold, but the place holds something that does not belong there.
    Misplaced,
    /// Checksums hold, but a hash or digest over the bytes is wrong.
    Hash,
    /// Checksums hold, but a link to what came before is wrong.
    Link,
    /// The log does not agree with the signed checkpoint stored beside it.
    RolledBack,
}

impl DamageKind {
    /// Says whether the finding points at somebody rather than at a disk.
    #[must_use]
    pub fn tampering(self) -> bool {
        matches!(self, Self::Hash | Self::Link | Self::RolledBack)
    }
}

/// A place in the stored truth that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What kind of wrongness.
    pub kind: DamageKind,
    /// File name within the data folder.
    pub file: String,
    /// Offset in that file, in bytes.
    pub offset: u64,
    /// The first position concerned, where known.
    pub position: Option<Position>,
    /// What was being read.
    pub part: &'static str,
    /// What should have stood there.
    pub expected: String,
    /// What stood there.
    pub found: String,
}

impl Damage {
    pub(crate) fn in_segment(
        kind: DamageKind,
        address: Address,
        position: Option<Position>,
        part: &'static str,
    ) -> Self {
        Self {
            kind,
            file: segment_file(address.segment()),
            offset: u64::from(address.offset()),
            position,
            part,
            expected: String::new(),
            found: String::new(),
        }
    }

    pub(crate) fn expected_found(
        mut self,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        self.expected = expected.into();
        self.found = found.into();
        self
    }
}

/// Returns the name of a segment's file within the data folder.
pub(crate) fn segment_file(number: u32) -> String {
    format!("log/{number:016}.seg")
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "damage in {} at offset {}", self.file, self.offset)?;
        if let Some(position) = self.position {
            write!(f, " (position {position})")?;
        }
        write!(f, ": {}", self.part)?;
        if !self.expected.is_empty() || !self.found.is_empty() {
            write!(f, ": expected {}, found {}", self.expected, self.found)?;
        }
        Ok(())
    }
}

impl std::error::Error for Damage {}

/// A log could not be created or opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder holds no log.
    #[error("open log in {folder}: there is no log here")]
    NoLog {
        /// The data folder.
        folder: String,
    },
    /// The folder holds segments of a log, but not the file that says which log.
    #[error(
        "open log in {folder}: there is a log here but its meta file is missing; restore it from a backup"
    )]
    NoMeta {
        /// The data folder.
        folder: String,
    },
    /// The folder already holds a log.
    #[error("create log in {folder}: there is a log already")]
    Exists {
        /// The data folder.
        folder: String,
    },
    /// Another process has the log open for writing.
    #[error("open log in {folder}: another process holds its lock")]
    Locked {
        /// The data folder.
        folder: String,
    },
    /// A file was written by a version that this one does not know.
    #[error("open log: {file} has format version {found}, known is {known}")]
    UnknownVersion {
        /// The file within the data folder.
        file: String,
        /// Its version.
        found: u32,
        /// The newest known version.
        known: u32,
    },
    /// An argument cannot be used.
    #[error("create log: {reason}")]
    Argument {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Stored bytes are not as they were written; nothing was changed.
    #[error("open log")]
    Damaged(#[source] Box<Damage>),
    /// The disk refused.
    #[error("open log: {doing} {file}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On which file.
        file: String,
        /// The system's error.
        source: io::Error,
    },
}

impl From<Damage> for OpenError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(Box::new(damage))
    }
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged(damage) => Self::Damaged(damage),
            ReadError::Io { file, source } => Self::Io {
                doing: "read",
                file,
                source,
            },
            other @ (ReadError::NotThere { .. } | ReadError::NotAFrame { .. }) => Self::Io {
                doing: "read",
                file: other.to_string(),
                source: io::ErrorKind::Other.into(),
            },
        }
    }
}

/// Drafts were refused; nothing of them was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// One request holds too many events.
    #[error("append: {count} events in one request, at most {max} are possible")]
    TooManyEvents {
        /// Events asked for.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// One request holds too many bytes.
    #[error("append: {bytes} bytes in one request, at most {max} are possible")]
    RequestTooLarge {
        /// Bytes asked for, frames included.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// One frame is too large.
    #[error("append: a frame of {bytes} bytes, at most {max} are possible")]
    FrameTooLarge {
        /// Its bytes.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The header says another payload length than the payload has.
    #[error("append: the header says {header} payload bytes, there are {payload}")]
    PayloadLength {
        /// In the header.
        header: usize,
        /// In the draft.
        payload: usize,
    },
}

/// Why the writer stopped for good.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteFailure {
    /// The disk refused a write or a sync; what was not yet acknowledged may or may not be on disk.
    #[error("write the log: {doing} {file}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On which file.
        file: String,
        /// The system's error.
        source: Arc<io::Error>,
    },
    /// What had to be durable before the log was not.
    #[error("write the log: what must be durable before it failed")]
    BeforeSync {
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A reader met damage, so nothing more is written.
    #[error("write the log: it is damaged")]
    Damaged {
        /// The place.
        source: Box<Damage>,
    },
    /// The writer had stopped before.
    #[error("write the log: the writer has stopped")]
    Stopped,
    /// The stage panicked while it decided.
    #[error("write the log: the stage that decides panicked")]
    Panicked,
}

impl WriteFailure {
    /// Says whether the disk was full: what helps is room, and a restart.
    #[must_use]
    pub fn no_space(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            Self::BeforeSync { source } => no_space(source.as_ref()),
            Self::Damaged { .. } | Self::Stopped | Self::Panicked => false,
        }
    }
}

/// Says whether an error comes of a full disk.
#[must_use]
pub fn no_space(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.kind() == io::ErrorKind::StorageFull;
        }
        cause = error.source();
    }
    false
}

/// A read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The position or address is not durable (yet).
    #[error("read {what}: the log ends at position {durable}")]
    NotThere {
        /// What was asked for.
        what: String,
        /// The last durable position.
        durable: Position,
    },
    /// The address does not lead to a frame.
    #[error("read frame at {address}: no frame starts there")]
    NotAFrame {
        /// The address asked for.
        address: Address,
    },
    /// Stored bytes are not as they were written.
    #[error("read the log")]
    Damaged(#[source] Box<Damage>),
    /// The disk refused.
    #[error("read the log: {file}")]
    Io {
        /// The file within the data folder.
        file: String,
        /// The system's error.
        source: io::Error,
    },
}

impl From<Damage> for ReadError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(Box::new(damage))
    }
}
