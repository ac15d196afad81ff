//! What the server serves: the write side, the read side, the code lists and the key that tokens are verified with.
//!
//! The seam between routes and the crates below: routes ask here how things stand.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use sokhoe_access::{Filter, Principal, Verifier};
use sokhoe_catalogue::SharedCatalogue;
use sokhoe_record::{EventId, Incoming, Instant, PersonId};

use crate::clock::WallClock;
use crate::error::{Kind, Problem};
use crate::search::Wanted;
use crate::stand_in::{ContentDigest, Receipt};

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

    pub(crate) async fn submit(
        &self,
        _: &Arc<Principal>,
        _: Incoming,
        _: ContentDigest,
    ) -> Result<Receipt, Problem> {
        Err(stopped())
    }
    pub(crate) async fn start(&self, _: &Arc<Principal>, _: Incoming, _: ContentDigest) -> Pending {
        Box::pin(async { Err(stopped()) })
    }
    pub(crate) async fn submit_atomic(
        &self,
        _: &Arc<Principal>,
        _: Vec<(Incoming, ContentDigest)>,
    ) -> Result<Vec<Receipt>, (usize, Problem)> {
        Err((0, stopped()))
    }
    pub(crate) async fn keep_blob(&self, _: &Arc<Principal>, _: Bytes) -> Result<Value, Problem> {
        Err(stopped())
    }
    pub(crate) fn search(&self, _: &Filter, _: &Wanted) -> Result<Vec<Hit>, Problem> {
        Err(stopped())
    }
    pub(crate) fn record(
        &self,
        _: &Filter,
        _: PersonId,
        _: AsOf,
    ) -> Result<Option<Record>, Problem> {
        Ok(None)
    }
    pub(crate) fn history(
        &self,
        _: &Filter,
        _: PersonId,
        _: u64,
        _: u64,
    ) -> Result<Option<Page>, Problem> {
        Ok(None)
    }
    pub(crate) async fn at_least(&self, _: u64, _: Duration) -> Result<(), Problem> {
        Err(stopped())
    }
    pub(crate) fn person_of(&self, _: EventId) -> Option<PersonId> {
        None
    }
    pub(crate) fn resource(
        &self,
        _: &Filter,
        _: PersonId,
        _: &str,
        _: &str,
    ) -> Result<Option<(Value, u64)>, Problem> {
        Ok(None)
    }
    pub(crate) fn derive(&self, _: &[&[u8]]) -> [u8; 32] {
        [0; 32]
    }
}
fn stopped() -> Problem {
    Problem::new(Kind::Stopped, "")
}
pub(crate) type Pending = Pin<Box<dyn Future<Output = Result<Receipt, Problem>> + Send>>;
#[derive(Debug, Clone, Copy)]
pub(crate) enum AsOf {
    Now,
    Position(u64),
    Time(Instant),
}
#[derive(Debug, Serialize)]
pub(crate) struct Hit {
    pub(crate) person_id: PersonId,
}
pub(crate) struct Record {
    pub(crate) person_id: PersonId,
    pub(crate) version: u64,
    pub(crate) position: u64,
    pub(crate) json: Bytes,
}
pub(crate) struct Page {
    pub(crate) items: Vec<Value>,
    pub(crate) next: Option<u64>,
    pub(crate) position: u64,
}
