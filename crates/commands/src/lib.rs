//! The write side: load, decide, seal, append; and opening events again for readers.
//!
//! Owns the way of an event from typed and validated to durable, exactly-once and the decisions made
//! inside the commit. Refuses HTTP, formats of others and SQL. Invariants: a receipt is given only
//! for what is synced; an event id is taken once for ever; an atomic batch is there whole or not at all.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod blobs;
mod cache;
mod checkpoints;
mod content;
mod enrich;
mod evidence;
mod following;
mod house;
mod keeper;
mod looks;
mod lookup;
mod opening;
mod prepare;
mod proofs;
mod receipt;
mod refusal;
mod replay;
mod stage;
mod submission;
mod system;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sokhoe_access::Principal;
use sokhoe_catalogue::SharedCatalogue;
use sokhoe_chain::VerifierKey;
use sokhoe_record::{EventId, Identifier, Incoming, PersonId};
use sokhoe_registry::Digests;
use sokhoe_storage::{Frame, LogStatus, Metrics, ReadError, Recovery, TreeStore, WriteFailure};

pub use blobs::BlobReceipt;
pub use content::ContentDigest;
pub use evidence::{Chain, EVIDENCE_EVENTS_MAX, Evidence, EvidenceError, ShownEvent};
pub use following::{Follow, Notes, Seen};
pub use house::{HouseError, Settings, SignError};
pub use keeper::{Commitment, KeepError};
pub use looks::Look;
pub use opening::{OpenedEvent, Opener, UnsealError};
pub use proofs::{ConsistencyProof, EventProof, ProveError, StreamProof};
pub use receipt::Receipt;
pub use refusal::Refusal;
pub use stage::record_stream;
pub use submission::Submission;
pub use system::SystemStream;

use house::House;

/// The open write side. Cheap to clone; the last clone to go closes the log.
#[derive(Debug, Clone)]
pub struct Commands {
    house: Arc<House>,
}

impl Commands {
    /// Opens a data folder with its keys, or makes both where there is neither. Blocks.
    ///
    /// # Errors
    /// Says what is missing, locked, damaged or of another version; nothing is repaired silently.
    pub fn open(settings: Settings) -> Result<Self, HouseError> {
        Self::open_with(settings, |_| ()).map(|(commands, ())| commands)
    }

    /// Opens as [`Commands::open`] does, and brings a follower on with the registry, so that each event behind their
    /// snapshots is read and opened once for both. `begin` makes the follower; it may read the log and its caches, and
    /// must not ask the registry, which is not true yet. Blocks.
    ///
    /// A follower that meets an event it cannot apply comes back as far as it came.
    ///
    /// # Errors
    /// As [`Commands::open`].
    pub fn open_with<F: Follow>(
        settings: Settings,
        begin: impl FnOnce(&Opener) -> F,
    ) -> Result<(Self, F), HouseError> {
        let (house, follower) = House::open(settings, begin)?;
        let house = Arc::new(house);
        Ok((Self { house }, follower))
    }

    /// Takes one event; returns once it is durable.
    ///
    /// # Errors
    /// Why it was not taken; `Busy` when the queue is full.
    pub async fn submit(
        &self,
        principal: &Principal,
        incoming: Incoming,
        content: ContentDigest,
    ) -> Result<Receipt, Refusal> {
        self.house.submit(principal, incoming, content).await
    }

    /// Begins a submission of many events, answered in order as they become durable.
    #[must_use]
    pub fn submission(&self, principal: Principal) -> Submission {
        Submission::new(Arc::clone(&self.house), principal)
    }

    /// Takes all events or none, in one commit group.
    ///
    /// # Errors
    /// The index of the first event that is refused, and why.
    pub async fn submit_atomic(
        &self,
        principal: &Principal,
        events: Vec<(Incoming, ContentDigest)>,
    ) -> Result<Vec<Receipt>, (usize, Refusal)> {
        self.house.submit_atomic(principal, events).await
    }

    /// Writes down who looked, in the access streams of those whose records they are: all or none. Returns once that is
    /// durable, and only then may anything be shown.
    ///
    /// # Errors
    /// `Stopped` when the log takes nothing; then nothing may be shown.
    pub async fn witness(&self, looks: Vec<Look>) -> Result<Vec<Receipt>, Refusal> {
        self.house.witness(looks).await
    }

    /// Seals and stores content that is too large for an event. Blocks on the disk.
    ///
    /// # Errors
    /// When the caller may not send it, it is too large, or the disk refuses.
    pub fn put_blob(&self, principal: &Principal, content: &[u8]) -> Result<BlobReceipt, Refusal> {
        self.house.put_blob(principal, content)
    }

    /// Returns whom an identifier names.
    #[must_use]
    pub fn find(&self, identifier: &Identifier) -> Option<PersonId> {
        let digest = self.house.opener.identifier(identifier);
        self.house.opener.registry.find_committed(digest)
    }

    /// Derives 32 bytes from another system's names for something, the same for ever under this log's
    /// keys and by whatever road it comes: what the ids of imported events are made of.
    #[must_use]
    pub fn derive(&self, names: &[&[u8]]) -> [u8; 32] {
        self.house
            .opener
            .vault
            .secrets()
            .derive("sokhoe:import:v1", names)
    }

    /// Waits until a position that was given out is durable.
    ///
    /// # Errors
    /// `Stopped` when the log stops before.
    pub async fn durable_at(&self, position: u64) -> Result<(), Refusal> {
        self.house.durable_at(position).await
    }

    /// Returns what opens stored events, for projections.
    #[must_use]
    pub fn opener(&self) -> &Opener {
        &self.house.opener
    }

    /// Returns the code lists in force.
    #[must_use]
    pub fn catalogue(&self) -> &SharedCatalogue {
        &self.house.catalogue
    }

    /// Returns how the house was opened.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.house.settings
    }

    /// Returns what opening found, a torn tail among it.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.house.recovery
    }

    /// Returns the public key that the log's checkpoints verify with, for safekeeping elsewhere.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.house.verifier
    }

    /// Commits to the heads of all streams as they are now; returns once the keeper event is durable. Blocks.
    ///
    /// # Errors
    /// When the log cannot be read, or takes nothing.
    pub fn commit_heads(&self) -> Result<Arc<Commitment>, KeepError> {
        self.house.keeper.commit()
    }

    /// Returns the latest commitment to all heads; `None` before the first. Blocks on the disk once after a start.
    ///
    /// # Errors
    /// When the log cannot be read, or its heads are not those that it commits to.
    pub fn commitment(&self) -> Result<Option<Arc<Commitment>>, KeepError> {
        self.house.keeper.latest()
    }

    /// Returns the log's tree on disk, which follows the log from the first call on. Blocks on the first.
    ///
    /// # Errors
    /// When its files cannot be opened, the system gives no thread, or the house is closed.
    pub fn tree(&self) -> std::io::Result<Arc<TreeStore>> {
        self.house.tree()
    }

    /// Finds a durable event by its id and reads it as it is stored, whether it can still be opened or not.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn stored(&self, id: EventId) -> Result<Option<Frame>, ReadError> {
        self.house.stored(id)
    }

    /// Proves a stored event, and with `from` that the tree only grew since it had that size. Blocks, for two seconds at most
    /// while the signed tree does not cover the event.
    ///
    /// # Errors
    /// Why there is no proof; a proof that does not hold is never returned.
    pub fn prove(
        &self,
        tree: &TreeStore,
        frame: Frame,
        from: Option<u64>,
    ) -> Result<EventProof, ProveError> {
        self.house.prove(tree, frame, from)
    }

    /// Shows one stored event to whoever trusts nobody here; `open` adds what opens it and no other. Blocks.
    ///
    /// # Errors
    /// Why there is no evidence; some that does not hold is never returned.
    pub fn evidence_of_event(
        &self,
        tree: &TreeStore,
        frame: Frame,
        open: bool,
    ) -> Result<Evidence, EvidenceError> {
        self.house.evidence_of_event(tree, frame, open)
    }

    /// Shows a person's chains as of the latest commitment to all heads, those merged into the record too. Blocks.
    ///
    /// # Errors
    /// As for [`Commands::evidence_of_event`]; `NotCommitted` where no commitment covers the person yet.
    pub fn evidence_of_person(
        &self,
        tree: &TreeStore,
        person: PersonId,
        open: bool,
    ) -> Result<Evidence, EvidenceError> {
        self.house.evidence_of_person(tree, person, open)
    }

    /// Returns whether the log takes events, and if not, why.
    #[must_use]
    pub fn status(&self) -> LogStatus {
        self.house.submitter.status()
    }

    /// Returns whether the log has grown beyond its stored checkpoint because the disk takes no newer one.
    #[must_use]
    pub fn checkpoint_late(&self) -> bool {
        self.house.checkpoint_late.load(Ordering::Acquire)
    }

    /// Returns the log's counters.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.house.opener.reader.metrics()
    }

    /// Returns how many requests wait for the writer, and how many may.
    #[must_use]
    pub fn queue(&self) -> (usize, usize) {
        (
            self.house.submitter.queued(),
            self.house.submitter.capacity(),
        )
    }

    /// Stops taking events, finishes those in the queue, leaves the clean-stop mark. Blocks.
    ///
    /// # Errors
    /// When the writer had stopped, or the last sync fails.
    pub fn close(&self) -> Result<u64, WriteFailure> {
        self.house.close()
    }
}

/// Prints an error with its causes, for the one log line where it is handled.
#[must_use]
pub fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
