//! What the server serves: the write side, the read side, and the key that tokens are verified with.
//!
//! The seam between routes and the crates below: routes ask here how things stand, and refusals become problems here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use sokhoe_access::{Filter, Issuer, Principal, Verifier};
use sokhoe_commands::{BlobReceipt, Commands, ContentDigest, Receipt, Refusal, Submission};
use sokhoe_record::{EventId, Incoming, Kind, PersonId};
use sokhoe_storage::{Clock, LogStatus};

use crate::error::Problem;
use crate::search::Wanted;

/// Everything the server needs from its owner.
#[derive(Debug, Clone)]
pub struct App {
    commands: Commands,
    verifier: Verifier,
    clock: Clock,
    /// The log's end found at start, which reads must reach to be ready.
    ready_at: u64,
}

/// How things stand, for `/readyz` and the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Why the writer takes no more; `None` while it does.
    pub(crate) writer_stopped: Option<&'static str>,
    /// The last durable position.
    pub(crate) durable: u64,
    /// The position that reads have reached.
    pub(crate) reached: u64,
    /// The log's end found at start, which reads must reach to be ready.
    pub(crate) ready_at: u64,
    /// Requests that wait for the writer.
    pub(crate) queued: usize,
}

impl App {
    /// Serves an open house; tokens are those of its built-in issuer.
    #[must_use]
    pub fn new(commands: Commands) -> Self {
        let opener = commands.opener();
        let verifier = Issuer::from_seed(&opener.vault().secrets().issuer_seed()).verifier();
        let ready_at = opener.reader().position().get();
        let clock = commands.settings().clock.clone();
        Self {
            commands,
            verifier,
            clock,
            ready_at,
        }
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    pub(crate) fn now_us(&self) -> i64 {
        self.clock.now_us()
    }

    pub(crate) fn now_s(&self) -> i64 {
        self.clock.now_us().div_euclid(1_000_000)
    }

    pub(crate) fn commands(&self) -> &Commands {
        &self.commands
    }

    pub(crate) fn standing(&self) -> Standing {
        let durable = self.commands.opener().reader().position().get();
        Standing {
            writer_stopped: stopped_because(&self.commands.status()),
            durable,
            reached: durable,
            ready_at: self.ready_at,
            queued: self.commands.queue().0,
        }
    }

    /// Returns the latest signed checkpoint; `None` before the first.
    pub(crate) async fn checkpoint(&self) -> Option<String> {
        let path = self.commands.opener().reader().folder().join("checkpoint");
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path));
        read.await.ok()?.ok()
    }

    pub(crate) async fn submit(
        &self,
        principal: &Principal,
        incoming: Incoming,
        content: ContentDigest,
    ) -> Result<Receipt, Problem> {
        self.commands
            .submit(principal, incoming, content)
            .await
            .map_err(Problem::from)
    }

    pub(crate) fn submission(&self, principal: &Principal) -> Submission {
        self.commands.submission(principal.clone())
    }

    pub(crate) async fn submit_atomic(
        &self,
        principal: &Principal,
        events: Vec<(Incoming, ContentDigest)>,
    ) -> Result<Vec<Receipt>, (usize, Problem)> {
        let taken = self.commands.submit_atomic(principal, events).await;
        taken.map_err(|(index, refusal)| (index, refusal.into()))
    }

    pub(crate) async fn keep_blob(
        &self,
        principal: &Arc<Principal>,
        content: Bytes,
    ) -> Result<BlobReceipt, Problem> {
        let (commands, principal) = (self.commands.clone(), Arc::clone(principal));
        let kept = tokio::task::spawn_blocking(move || commands.put_blob(&principal, &content));
        let kept = kept.await.map_err(|error| Problem::internal(&error))?;
        kept.map_err(Problem::from)
    }

    /// Returns the kind of a stored event.
    pub(crate) fn kind_of(&self, event: EventId) -> Result<Kind, Problem> {
        match self.commands.opener().by_id(event) {
            Ok(Some(opened)) => Ok(opened.stored.event.kind()),
            Ok(None) => Err(Problem::not_found()),
            Err(error) if error.erased() => Err(Refusal::Gone.into()),
            Err(error) => Err(Problem::internal(&error)),
        }
    }

    /// Derives ids from a source's names, the same for ever under this log's keys.
    pub(crate) fn derive(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.commands
            .opener()
            .vault()
            .secrets()
            .derive("sokhoe:fhir:v1", parts)
    }

    pub(crate) fn search(&self, _: &Filter, _: &Wanted) -> Result<Vec<Hit>, Problem> {
        Ok(Vec::new())
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
        Ok(())
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
}

/// Says why no events are taken, without names of files.
fn stopped_because(status: &LogStatus) -> Option<&'static str> {
    match status {
        LogStatus::Open => None,
        LogStatus::ReadOnly => Some("the log is open for reading only"),
        LogStatus::Closed => Some("the log is closed"),
        LogStatus::Stopped(_) => Some("a write or sync failed; see the server's log"),
        LogStatus::Damaged(_) => Some("the log is damaged; run sokhoe verify"),
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum AsOf {
    Now,
    Position(u64),
    Time(sokhoe_record::Instant),
}
#[derive(Debug, serde::Serialize)]
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
