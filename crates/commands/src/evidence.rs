//! Evidence: what shows a person's chains, or one event, to somebody who trusts neither server nor operator.
//!
//! A chain is given exactly as it was at the latest commitment to all heads: no more events and no fewer, so that one
//! that was cut off is missed. What came later is proved by later evidence.

use sokhoe_chain::{Aead, Checkpoint, HeadProof, LogId, NodeHash, StreamId};
use sokhoe_record::PersonId;
use sokhoe_storage::{Frame, ReadError, TreeStore};
use sokhoe_vault::{EventSecret, KeyError};

use crate::house::House;
use crate::keeper::KeepError;
use crate::proofs::{CHECKPOINT_TIMEOUT, ProveError, inclusion};
use crate::stage::record_stream;

/// The most events of one piece of evidence: their proofs alone are some 20 MB.
pub const EVIDENCE_EVENTS_MAX: usize = 10_000;

/// Everything that a verifier needs besides the log's key.
#[derive(Debug)]
pub struct Evidence {
    /// Which log it is of.
    pub log_id: LogId,
    /// The signed checkpoint that all proofs lead to, as its note's text.
    pub note: String,
    /// The commitment to all heads, where there are chains.
    pub commitment: Option<ShownEvent>,
    /// Whole streams as of the commitment.
    pub chains: Vec<Chain>,
    /// Single events, which show nothing of their streams.
    pub events: Vec<ShownEvent>,
}

/// One stream as of the commitment.
#[derive(Debug)]
pub struct Chain {
    /// Its events, first to last.
    pub events: Vec<ShownEvent>,
    /// That the last of them was the last.
    pub head: HeadProof,
}

/// An event as it is stored, and its place in the signed tree.
#[derive(Debug)]
pub struct ShownEvent {
    /// The event.
    pub frame: Frame,
    /// From its leaf up to the checkpoint's root.
    pub inclusion: Vec<NodeHash>,
    /// What opens it and no other event, where that was asked for and its stream's key was not destroyed.
    pub secret: Option<EventSecret>,
}

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// Proofs could not be made.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// Nothing of it is under a commitment yet.
    #[error("no commitment to all heads covers it yet")]
    NotCommitted,
    /// More events than one piece of evidence may hold.
    #[error("more than {EVIDENCE_EVENTS_MAX} events: ask for single events")]
    TooMany,
    /// A key that should be there is not.
    #[error("take the event keys")]
    Key(#[from] KeyError),
}

impl From<ReadError> for EvidenceError {
    fn from(error: ReadError) -> Self {
        Self::Prove(error.into())
    }
}

impl From<KeepError> for EvidenceError {
    fn from(error: KeepError) -> Self {
        Self::Prove(error.into())
    }
}

/// The tree that proofs are made from, and how events are shown.
struct Showing<'a> {
    tree: &'a TreeStore,
    checkpoint: Checkpoint,
    open: bool,
}

impl House {
    /// Shows one stored event.
    pub(crate) fn evidence_of_event(
        &self,
        tree: &TreeStore,
        frame: Frame,
        open: bool,
    ) -> Result<Evidence, EvidenceError> {
        let (note, checkpoint) = self.checkpoint_of(frame.position)?;
        let showing = Showing::new(tree, checkpoint, open)?;
        Ok(Evidence {
            log_id: self.log_id(),
            note,
            commitment: None,
            chains: Vec::new(),
            events: vec![self.show(&showing, frame)?],
        })
    }

    /// Shows the chains of a person and of everybody who is part of the same record: what is in it, and who looked.
    pub(crate) fn evidence_of_person(
        &self,
        tree: &TreeStore,
        person: PersonId,
        open: bool,
    ) -> Result<Evidence, EvidenceError> {
        let latest = self.keeper.latest()?;
        let commitment = latest.ok_or(EvidenceError::NotCommitted)?;
        let (note, checkpoint) = self.checkpoint_of(commitment.event.frame.position)?;
        let showing = Showing::new(tree, checkpoint, open)?;
        let registry = &self.opener.registry;
        let survivor = registry.survivor(person, None);
        let survivor = survivor.ok_or(EvidenceError::NotCommitted)?;
        let members = registry.members(survivor, None);
        let mut chains = Vec::new();
        let mut count = 0;
        let streams = members
            .into_iter()
            .flat_map(|member| [record_stream(member), self.opener.access_stream(member)]);
        for stream in streams {
            let Some(head) = self.committed_head(&commitment, &stream)? else {
                continue;
            };
            let mut frames = self.opener.reader.read_stream(&stream)?;
            frames.retain(|frame| frame.position <= commitment.event.as_of);
            count += frames.len();
            if count > EVIDENCE_EVENTS_MAX {
                return Err(EvidenceError::TooMany);
            }
            let shown = frames.into_iter().map(|frame| self.show(&showing, frame));
            let events = shown.collect::<Result<_, _>>()?;
            chains.push(Chain { events, head });
        }
        if chains.is_empty() {
            return Err(EvidenceError::NotCommitted);
        }
        let closed = Showing {
            open: false,
            ..showing
        };
        Ok(Evidence {
            log_id: self.log_id(),
            note,
            commitment: Some(self.show(&closed, commitment.event.frame.clone())?),
            chains,
            events: Vec::new(),
        })
    }

    fn log_id(&self) -> LogId {
        self.opener.reader.meta().log_id
    }

    fn show(&self, showing: &Showing<'_>, frame: Frame) -> Result<ShownEvent, EvidenceError> {
        let sealed = frame.header.aead != Aead::Clear;
        let secret = if showing.open && sealed {
            self.secret(&frame)?
        } else {
            None
        };
        Ok(ShownEvent {
            inclusion: inclusion(showing.tree, &frame, &showing.checkpoint)?,
            frame,
            secret,
        })
    }

    /// What opens one event; `None` where the stream's key was destroyed.
    fn secret(&self, frame: &Frame) -> Result<Option<EventSecret>, KeyError> {
        let stream: StreamId = frame.header.stream;
        match self.opener.vault.stream_key(stream) {
            Ok(key) => Ok(Some(key.event_secret(&frame.header.salt))),
            Err(KeyError::Destroyed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl<'a> Showing<'a> {
    fn new(tree: &'a TreeStore, checkpoint: Checkpoint, open: bool) -> Result<Self, EvidenceError> {
        if !tree.wait_for(checkpoint.size, CHECKPOINT_TIMEOUT) {
            return Err(ProveError::NotYet.into());
        }
        Ok(Self {
            tree,
            checkpoint,
            open,
        })
    }
}
