//! Keeping the directory up with the log: behind a snapshot, along the tail, and anew from the first event.

use std::sync::Arc;

use sokhoe_commands::{Follow, Notes, OpenedEvent, Opener, Seen, UnsealError};
use sokhoe_storage::Position;

use crate::directory::Directory;
use crate::notes::Note;
use crate::streams::Streams;

/// Events opened before they are applied: what one hold of the directory's lock covers.
const EVENTS_AT_ONCE: usize = 512;
/// Memory that opened streams may take.
const STREAMS_BYTES_MAX: u64 = 64 << 20;
pub(crate) const SNAPSHOT: &str = "directory";

/// The read side while the house opens: its snapshot, or nothing, brought on to the log's end.
///
/// Made by [`Beginning::of`] for [`sokhoe_commands::Commands::open_with`]; goes on as [`crate::Views`].
#[derive(Debug)]
pub struct Beginning {
    pub(crate) directory: Directory,
    pub(crate) streams: Arc<Streams>,
}

impl Beginning {
    /// Takes up the last snapshot.
    #[must_use]
    pub fn of(opener: &Opener) -> Self {
        let end = opener.reader().position().get();
        let directory = opener
            .read_cache(SNAPSHOT)
            .and_then(|bytes| Directory::restore(&bytes))
            .filter(|directory| directory.position() <= end)
            .unwrap_or_default();
        Self {
            directory,
            streams: Arc::new(Streams::new(opener.clone(), STREAMS_BYTES_MAX)),
        }
    }

    /// Applies everything up to a durable position.
    pub(crate) fn bring_on(&mut self, until: u64) -> Result<(), UnsealError> {
        let streams = Arc::clone(&self.streams);
        streams.opener().bring_on(self, until, |_| {})
    }
}

impl Follow for Beginning {
    type Note = Note;

    fn position(&self) -> u64 {
        self.directory.position()
    }

    fn note(opener: &Opener, event: &Seen<'_>) -> Result<Option<Note>, UnsealError> {
        Note::of_seen(opener, event)
    }

    fn apply(&mut self, notes: Notes<Note>, until: u64) -> Result<(), UnsealError> {
        apply_all(&mut self.directory, &self.streams, notes, until)
    }
}

/// Applies notes in the order of the log, up to a position; those that were applied before are passed over.
pub(crate) fn apply_all(
    directory: &mut Directory,
    streams: &Streams,
    notes: Notes<Note>,
    until: u64,
) -> Result<(), UnsealError> {
    let reached = directory.position();
    for (position, note) in notes {
        if position > reached {
            note.apply(position, directory, streams)?;
        }
    }
    directory.advance(until);
    Ok(())
}

/// Builds a directory from the first event to the log's present end.
pub(crate) fn from_zero(streams: &Arc<Streams>) -> Result<Beginning, UnsealError> {
    let mut anew = Beginning {
        directory: Directory::default(),
        streams: Arc::clone(streams),
    };
    loop {
        let end = streams.opener().reader().position().get();
        if anew.position() >= end {
            return Ok(anew);
        }
        anew.bring_on(end)?;
    }
}

/// The next events in log order, and the position after them.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Each event with its sealed size.
    events: Vec<(OpenedEvent, usize)>,
    position: u64,
}

impl Batch {
    /// The position of the last event read; 0 when there was nothing to read.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Returns what the directory needs of them.
    pub(crate) fn notes(&self) -> Notes<Note> {
        let events = self.events.iter();
        events
            .filter_map(|(opened, _)| Some((opened.position, Note::of(opened)?)))
            .collect()
    }

    /// Gives the events away.
    pub(crate) fn into_events(self) -> Vec<(OpenedEvent, usize)> {
        self.events
    }
}

/// Reads and opens what follows a position.
pub(crate) fn read(opener: &Opener, after: u64) -> Result<Batch, UnsealError> {
    let mut scan = opener.reader().scan(Position::new(after + 1));
    let mut batch = Batch::default();
    while batch.events.len() < EVENTS_AT_ONCE {
        let Some(frame) = scan.next_frame()? else {
            break;
        };
        match opener.open_scanned(&frame) {
            Ok(opened) => {
                let bytes = frame.payload.len();
                batch.events.extend(opened.map(|opened| (opened, bytes)));
            }
            Err(error) if error.erased() => {}
            Err(error) => return Err(error),
        }
        batch.position = frame.position.get();
    }
    Ok(batch)
}

#[cfg(test)]
mod tests;
