//! What must hold after every restart, in the plainest terms: lists of hashes.

use std::collections::HashMap;

use sokhoe_chain::{EventHash, Frontier, NodeHash, StreamId, StreamKind};

use crate::recovery::NoteHead;
use crate::tests::folder;
use crate::{Frame, Position, Reader};

/// Breaks off with a promise that was not kept.
macro_rules! promise {
    ($kept:expr, $($told:tt)+) => {
        if !$kept {
            return Err(format!($($told)+));
        }
    };
}
pub(super) use promise;

/// What was promised to clients so far.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// Hashes of acknowledged events, position 1 at index 0.
    pub(super) acknowledged: Vec<EventHash>,
    /// Payload digests of a request whose answer never came.
    pub(super) in_flight: Vec<[u8; 32]>,
    /// Checkpoints that were stored, or may have been.
    pub(super) notes: Vec<(u64, NodeHash)>,
    /// Size of the last one whose storing was acknowledged.
    pub(super) note_size: u64,
}

impl Model {
    pub(super) fn position(&self) -> Position {
        Position::new(self.acknowledged.len() as u64)
    }

    /// Compares a log that was opened with everything promised; takes in what had been in flight and is there.
    pub(super) fn check(&mut self, reader: &Reader) -> Result<(), String> {
        let frames: Vec<Frame> = reader
            .scan(Position::new(1))
            .collect::<Result<_, _>>()
            .map_err(|error| format!("reading all events: {error}"))?;
        let hashes: Vec<EventHash> = frames.iter().map(Frame::hash).collect();
        promise!(
            hashes.starts_with(&self.acknowledged),
            "of {} acknowledged events the log has {}, or others",
            self.acknowledged.len(),
            hashes.len()
        );
        self.check_in_flight(&frames)?;
        promise!(
            reader.position().get() == hashes.len() as u64,
            "position {} after {} events",
            reader.position(),
            hashes.len()
        );
        check_chains(reader, &frames)?;
        self.check_checkpoint(reader, &hashes)?;
        self.acknowledged = hashes;
        self.in_flight.clear();
        Ok(())
    }

    /// All of the request or nothing of it, and nothing else but the event that names a closed segment.
    fn check_in_flight(&self, frames: &[Frame]) -> Result<(), String> {
        let more = frames.get(self.acknowledged.len()..).unwrap_or_default();
        let kept: Vec<[u8; 32]> = more
            .iter()
            .skip_while(|frame| frame.header.stream_kind == StreamKind::Keeper)
            .map(|frame| frame.header.payload_digest.0)
            .collect();
        promise!(
            more.is_empty() || kept == self.in_flight,
            "{} events nobody was told of, of a request with {}",
            more.len(),
            self.in_flight.len()
        );
        Ok(())
    }

    /// The stored checkpoint is one that was given, of events that are there, and none older than acknowledged.
    fn check_checkpoint(&mut self, reader: &Reader, hashes: &[EventHash]) -> Result<(), String> {
        let stored = match reader.checkpoint_note() {
            Ok(note) => {
                let head = NoteHead::parse(note.as_bytes(), &reader.meta().origin)?;
                (head.size, head.root)
            }
            Err(_) if self.note_size == 0 => return Ok(()),
            Err(error) => return Err(format!("the checkpoint is gone: {error}")),
        };
        promise!(
            self.notes.contains(&stored),
            "a checkpoint of {} events that nobody signed",
            stored.0
        );
        promise!(
            (self.note_size..=reader.position().get()).contains(&stored.0),
            "a checkpoint of {} events, after one of {}, in a log of {}",
            stored.0,
            self.note_size,
            reader.position()
        );
        let mut frontier = Frontier::default();
        let signed = usize::try_from(stored.0).unwrap_or(usize::MAX);
        let leaves = hashes.iter().take(signed);
        leaves.for_each(|hash| frontier.push_event(hash));
        promise!(
            frontier.root() == stored.1,
            "the checkpoint's root is not the log's"
        );
        // One that is seen though its storing failed may be gone again after the next power loss.
        let note_size = self.note_size;
        self.notes.retain(|note| note.0 >= note_size);
        Ok(())
    }
}

/// Positions without gaps, chains, tree, heads and the index by stream are what the events themselves say.
fn check_chains(reader: &Reader, frames: &[Frame]) -> Result<(), String> {
    let mut heads: HashMap<StreamId, Vec<&Frame>> = HashMap::new();
    let mut frontier = Frontier::default();
    for (index, frame) in frames.iter().enumerate() {
        let at = Position::new(index as u64 + 1);
        promise!(frame.position == at, "position {} at {at}", frame.position);
        let own = heads.entry(frame.header.stream).or_default();
        let previous = own.last().map_or(EventHash::ZERO, |before| before.hash());
        promise!(
            frame.header.previous == previous && frame.header.version == own.len() as u64 + 1,
            "the chain breaks at {at}"
        );
        own.push(frame);
        frontier.push_event(&frame.hash());
    }
    promise!(
        reader.tree_head() == (frontier.size(), frontier.root()),
        "the tree is not that of the events"
    );
    promise!(
        reader.streams() as usize == heads.len(),
        "{} heads of {} streams",
        reader.streams(),
        heads.len()
    );
    for (stream, own) in &heads {
        let head = reader.head(stream);
        let last = own.last().map(|frame| (frame.hash(), frame.address));
        promise!(
            head.map(|head| (head.hash, head.address)) == last,
            "a head is not its stream's last event"
        );
        let read = reader
            .read_stream(stream)
            .map_err(|error| format!("reading a stream: {error}"))?;
        promise!(
            read.iter().eq(own.iter().copied()),
            "a stream by its index is not the stream in the log"
        );
    }
    Ok(())
}

/// The truth files of a folder.
pub(super) fn is_truth(path: &std::path::Path) -> bool {
    let Ok(inside) = path.strip_prefix(folder()) else {
        return false;
    };
    inside.starts_with("log")
        || inside == std::path::Path::new("meta")
        || inside == std::path::Path::new("checkpoint")
}
