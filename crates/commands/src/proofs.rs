//! Proofs of one event: that it is in the signed tree, that its stream had no hidden tail, that the tree only grew.

use std::sync::Arc;
use std::time::Duration;

use sokhoe_chain::proof::Inclusion;
use sokhoe_chain::tree::event_leaf;
use sokhoe_chain::{Checkpoint, CheckpointError, HeadProof, NodeHash, SignedNote, StreamId};
use sokhoe_record::EventId;
use sokhoe_registry::Digests;
use sokhoe_storage::{Frame, Position, ReadError, TreeStore};

use crate::house::House;
use crate::keeper::{Commitment, KeepError};

/// How long a proof waits for the checkpoint that covers what was just committed.
pub(crate) const CHECKPOINT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often it looks.
const CHECKPOINT_LOOK: Duration = Duration::from_millis(50);

/// Everything that shows an event to be in the log, to be checked against a key that one got elsewhere.
#[derive(Debug)]
pub struct EventProof {
    /// The event as it is stored.
    pub frame: Frame,
    /// The signed checkpoint that the proofs lead to, as its note's text.
    pub note: String,
    /// What the checkpoint says.
    pub checkpoint: Checkpoint,
    /// From the event's leaf up to the checkpoint's root.
    pub inclusion: Vec<NodeHash>,
    /// From the tree of the asked size to the checkpoint's, when it was asked for.
    pub consistency: Option<ConsistencyProof>,
    /// What the latest commitment says of the event's stream; `None` when it had no event then.
    pub head: Option<StreamProof>,
}

/// That the checkpoint's tree only appended to an earlier one.
#[derive(Debug)]
pub struct ConsistencyProof {
    /// Leaves of the earlier tree.
    pub from: u64,
    /// Its root.
    pub root: NodeHash,
    /// The proof; empty from size 0, which every tree extends.
    pub hashes: Vec<NodeHash>,
}

/// That a stream ended with one event as of a commitment, and that the commitment is in the log.
#[derive(Debug)]
pub struct StreamProof {
    /// The commitment.
    pub commitment: Arc<Commitment>,
    /// The stream's head in it.
    pub proof: HeadProof,
    /// From the leaf of the commitment's event up to the checkpoint's root.
    pub inclusion: Vec<NodeHash>,
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The checkpoint or the tree on disk do not cover the event yet.
    #[error("prove an event: the signed tree does not cover it yet")]
    NotYet,
    /// The size asked for is larger than the checkpoint's.
    #[error("prove consistency: the checkpoint is of size {size}")]
    FromTooLarge {
        /// Leaves of the checkpoint's tree.
        size: u64,
    },
    /// The log or the cache could not be read.
    #[error("prove an event")]
    Read(#[source] ReadError),
    /// The stored checkpoint is not one.
    #[error("read the stored checkpoint")]
    Checkpoint(#[from] CheckpointError),
    /// The commitment could not be taken up.
    #[error("prove the head of a stream")]
    Keep(#[from] KeepError),
}

impl From<ReadError> for ProveError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotThere { .. } => Self::NotYet,
            error => Self::Read(error),
        }
    }
}

impl House {
    /// Finds a durable event by its id and reads it as it is stored, opened or not.
    pub(crate) fn stored(&self, id: EventId) -> Result<Option<Frame>, ReadError> {
        let reader = &self.opener.reader;
        let taken = self.opener.registry.taken(self.opener.event(&id));
        match taken.map(Position::new) {
            Some(position) if position <= reader.position() => {
                reader.read_position(position).map(Some)
            }
            _ => Ok(None),
        }
    }

    pub(crate) fn prove(
        &self,
        tree: &TreeStore,
        frame: Frame,
        from: Option<u64>,
    ) -> Result<EventProof, ProveError> {
        let commitment = self.keeper.latest()?;
        let committed = commitment.as_ref().map(|made| made.event.frame.position);
        let needed = frame.position.max(committed.unwrap_or(Position::ZERO));
        let (note, checkpoint) = self.checkpoint_of(needed)?;
        if !tree.wait_for(checkpoint.size, CHECKPOINT_TIMEOUT) {
            return Err(ProveError::NotYet);
        }
        let inclusion_of = |frame: &Frame| inclusion(tree, frame, &checkpoint);
        let head = match commitment {
            Some(commitment) => self.head_of(&frame, commitment, &inclusion_of)?,
            None => None,
        };
        Ok(EventProof {
            inclusion: inclusion_of(&frame)?,
            consistency: from
                .map(|from| consistency(tree, from, &checkpoint))
                .transpose()?,
            frame,
            note,
            checkpoint,
            head,
        })
    }

    fn head_of(
        &self,
        frame: &Frame,
        commitment: Arc<Commitment>,
        inclusion_of: &dyn Fn(&Frame) -> Result<Vec<NodeHash>, ReadError>,
    ) -> Result<Option<StreamProof>, ProveError> {
        let Some(proof) = self.committed_head(&commitment, &frame.header.stream)? else {
            return Ok(None);
        };
        let inclusion = inclusion_of(&commitment.event.frame)?;
        Ok(Some(StreamProof {
            commitment,
            proof,
            inclusion,
        }))
    }

    /// Proves a stream's head as of a commitment; `None` when it had no event then.
    pub(crate) fn committed_head(
        &self,
        commitment: &Commitment,
        stream: &StreamId,
    ) -> Result<Option<HeadProof>, ReadError> {
        commitment.prove(stream).or_else(|_| {
            // What the cache held is spoiled: taken up again, the heads come from the log.
            commitment.made_anew(&self.opener.reader)?.prove(stream)
        })
    }

    /// Reads the stored checkpoint, waiting for one that covers a position.
    pub(crate) fn checkpoint_of(
        &self,
        position: Position,
    ) -> Result<(String, Checkpoint), ProveError> {
        let rounds = CHECKPOINT_TIMEOUT.as_millis() / CHECKPOINT_LOOK.as_millis();
        for _ in 0..=rounds {
            let note = self.opener.reader.checkpoint_note()?;
            let parsed = SignedNote::parse(note.as_bytes()).map_err(CheckpointError::from)?;
            let checkpoint = Checkpoint::parse_body(parsed.text())?;
            if checkpoint.size >= position.get() {
                return Ok((note, checkpoint));
            }
            std::thread::sleep(CHECKPOINT_LOOK);
        }
        Err(ProveError::NotYet)
    }
}

/// Proves a stored event's place in the checkpoint's tree.
pub(crate) fn inclusion(
    tree: &TreeStore,
    frame: &Frame,
    checkpoint: &Checkpoint,
) -> Result<Vec<NodeHash>, ReadError> {
    tree.prove_inclusion(&Inclusion {
        index: frame.position.get() - 1,
        size: checkpoint.size,
        leaf: event_leaf(&frame.hash()),
        root: checkpoint.root,
    })
}

fn consistency(
    tree: &TreeStore,
    from: u64,
    checkpoint: &Checkpoint,
) -> Result<ConsistencyProof, ProveError> {
    let size = checkpoint.size;
    if from > size {
        return Err(ProveError::FromTooLarge { size });
    }
    let (root, hashes) = match from {
        0 => (sokhoe_chain::tree::empty_root(), Vec::new()),
        _ => tree.prove_consistency(from, (size, checkpoint.root))?,
    };
    Ok(ConsistencyProof { from, root, hashes })
}
