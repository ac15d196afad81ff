//! Read models: the record view, the history, the directory that finds people, and the feed.
//!
//! Owns what is read, and the runner that keeps up with the log. Refuses HTTP and deciding who may
//! read: a filter comes in. Invariants: everything here can be dropped and rebuilt to the same
//! answers; each projection knows the position it has reached; an answer names the position it is
//! true at.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod answers;
mod directory;
mod facts;
mod feed;
pub mod health;
mod looks;
mod names;
mod notes;
mod record_view;
mod requests;
mod runner;
mod streams;
mod views;

pub use directory::{Found, Query};
pub use facts::Facts;
pub use feed::{Ahead, Passed, Wanted};
pub use looks::{
    Actor, Affected, LookKind, LookRow, LooksAsked, MANY_PEOPLE, OUT_OF_HOURS, Signal,
};
pub use record_view::{AsOf, Extent, HistoryPage, RecordView, Shown, Withheld};
pub use requests::SubjectRequest;
pub use runner::Beginning;
pub use views::{ReadError, Views};
