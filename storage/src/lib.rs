//! The append log: segments, commit groups, streams, positions, recovery.
//!
//! Owns every byte under a data folder's `log/`, `meta`, `checkpoint` and `cache/heads`, as `FORMAT.md` describes
//! them. Refuses to read a payload. What a reader sees is durable; damage stops writing and is named, never repaired.
#![deny(clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::cast_possible_truncation
    )
)]

mod cache;
mod clock;
mod committed;
mod draft;
mod error;
mod format;
mod group;
mod heads;
mod index;
mod log;
mod metrics;
mod planted;
mod position;
mod prepare;
mod progress;
mod reader;
mod recovery;
mod segments;
mod shared;
mod sink;
mod stored_note;
mod sync;
#[cfg(test)]
mod tests;
mod tree;
mod verify;
mod writer;

use sokhoe_disk as disk;
pub use sokhoe_disk::{
    Access, Disk, DiskFile, DiskLock, OsDisk, read_exact_at, read_file, write_file_atomic,
};

pub use self::clock::Clock;
pub use self::committed::{CommitmentEvent, CommittedHeads, heads_committed};
pub use self::draft::{Draft, Stamped};
pub use self::error::{
    AppendError, Damage, DamageKind, OpenError, ReadError, WriteFailure, no_space,
};
pub use self::format::meta::{Meta, ORIGIN_BYTES_MAX};
pub use self::format::{FORMAT_VERSION, SUITE};
pub use self::group::{BeforeSync, Group, Outcome};
pub use self::heads::Head;
#[cfg(any(test, feature = "testing"))]
pub use self::heads::HeadsAlone;
pub use self::log::{Log, LogOptions, NewLog, Opened, OpenedReadOnly, keeper_stream};
pub use self::metrics::{Metrics, SYNC_BUCKETS_US};
pub use self::position::{Address, Position};
pub use self::progress::{LastStep, Progress, Step};
pub use self::reader::{Frame, FrameRef, Reader, Scan, Stretch};
pub use self::recovery::{Recovery, TornTail};
pub use self::shared::{Durable, LogStatus};
pub use self::tree::{TreeFiles, TreeStore};
pub use self::verify::{Verified, Verify, verify};
pub use self::writer::{Stage, SubmitError, Submitter, Writer};

/// The most events one request may append.
pub const REQUEST_EVENTS_MAX: usize = 10_000;
/// The most bytes of frames one request may append.
pub const REQUEST_BYTES_MAX: usize = 16 << 20;
/// The most bytes of one frame; larger content is a blob.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
