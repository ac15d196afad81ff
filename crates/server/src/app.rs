//! What the server serves: the write side, the read side, the code lists and the key that tokens are verified with.
//!
//! The seam between routes and the crates below: routes ask here how things stand.

use sokhoe_access::Verifier;
use sokhoe_catalogue::SharedCatalogue;

use crate::clock::WallClock;

/// Everything the server needs from its owner.
#[derive(Debug)]
pub struct App {
    /// The code lists in force.
    pub catalogue: SharedCatalogue,
    /// Verifies bearer tokens.
    pub verifier: Verifier,
    /// The wall clock.
    pub clock: WallClock,
}

/// How things stand, for `/readyz` and the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Why the writer takes no more; `None` while it does.
    pub(crate) writer_stopped: Option<String>,
    /// The last durable position.
    pub(crate) durable: u64,
    /// The position that reads have reached.
    pub(crate) reached: u64,
    /// The log's end found at start, which reads must reach to be ready.
    pub(crate) ready_at: u64,
}

impl App {
    pub(crate) fn standing(&self) -> Standing {
        Standing {
            writer_stopped: None,
            durable: 0,
            reached: 0,
            ready_at: 0,
        }
    }

    /// Returns the latest signed checkpoint; `None` before the first.
    pub(crate) fn checkpoint(&self) -> Option<String> {
        None
    }
}
