//! Keeping the directory up with the log: behind a snapshot, along the tail, and anew from the first event.

use std::sync::Arc;

use sokhoe_commands::{Follow, Notes, OpenedEvent, Opener, Seen, UnsealError};
use sokhoe_storage::Position;

use crate::directory::{Directory, Snapshot};
use crate::looks::{LookNote, LookTable, LooksSnapshot};
use crate::notes::Note;
use crate::requests::{RequestNote, RequestTable, RequestsSnapshot};
use crate::streams::Streams;

/// Events opened before they are applied: what one hold of the directory's lock covers.
const EVENTS_AT_ONCE: usize = 512;
/// Memory that opened streams may take.
const STREAMS_BYTES_MAX: u64 = 64 << 20;
pub(crate) const DIRECTORY_SNAPSHOT: &str = "directory";
pub(crate) const LOOKS_SNAPSHOT: &str = "looks";
pub(crate) const REQUESTS_SNAPSHOT: &str = "requests";

/// What is kept beside the log: who there is, who looked at whom, and what people asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    pub(crate) directory: Directory,
    pub(crate) looks: LookTable,
    pub(crate) requests: RequestTable,
}

/// Copies of all of it, to be written.
#[derive(Debug)]
pub(crate) struct Snapshots {
    directory: Snapshot,
    looks: LooksSnapshot,
    requests: RequestsSnapshot,
}

impl Index {
    /// The position that all have reached.
    pub(crate) fn position(&self) -> u64 {
        let others = self.looks.position().min(self.requests.position());
        self.directory.position().min(others)
    }

    pub(crate) fn snapshots(&self) -> Snapshots {
        Snapshots {
            directory: self.directory.snapshot(),
            looks: self.looks.snapshot(),
            requests: self.requests.snapshot(),
        }
    }

    /// Takes up what was written last; nothing of what cannot be used.
    fn read(opener: &Opener) -> Self {
        let end = opener.reader().position().get();
        let read = |name| opener.read_cache(name);
        let directory = read(DIRECTORY_SNAPSHOT).and_then(|bytes| Directory::restore(&bytes));
        let looks = read(LOOKS_SNAPSHOT).and_then(|bytes| LookTable::restore(&bytes));
        let requests = read(REQUESTS_SNAPSHOT).and_then(|bytes| RequestTable::restore(&bytes));
        Self {
            directory: directory
                .filter(|kept| kept.position() <= end)
                .unwrap_or_default(),
            looks: looks
                .filter(|kept| kept.position() <= end)
                .unwrap_or_default(),
            requests: requests
                .filter(|kept| kept.position() <= end)
                .unwrap_or_default(),
        }
    }
}

impl Snapshots {
    pub(crate) fn write(self, opener: &Opener) {
        let all = [
            (DIRECTORY_SNAPSHOT, self.directory.encode()),
            (LOOKS_SNAPSHOT, self.looks.encode()),
            (REQUESTS_SNAPSHOT, self.requests.encode()),
        ];
        for (name, bytes) in all {
            if let Some(bytes) = bytes {
                opener.write_cache(name, &bytes);
            }
        }
    }
}

/// What is noted of an event.
#[derive(Debug)]
pub enum Noted {
    /// Of an event in a person's record.
    Record(Note),
    /// Of a look.
    Look(Box<LookNote>),
    /// Of a request in a person's record, or a decision about one.
    Request(Note, Box<RequestNote>),
}

/// The read side while the house opens: its snapshot, or nothing, brought on to the log's end.
///
/// Made by [`Beginning::of`] for [`sokhoe_commands::Commands::open_with`]; goes on as [`crate::Views`].
#[derive(Debug)]
pub struct Beginning {
    pub(crate) index: Index,
    pub(crate) streams: Arc<Streams>,
}

impl Beginning {
    /// Takes up the last snapshot.
    #[must_use]
    pub fn of(opener: &Opener) -> Self {
        Self {
            index: Index::read(opener),
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
    type Note = Noted;

    fn position(&self) -> u64 {
        self.index.position()
    }

    fn note(opener: &Opener, event: &Seen<'_>) -> Result<Option<Noted>, UnsealError> {
        note(opener, event)
    }

    fn apply(&mut self, notes: Notes<Noted>, until: u64) -> Result<(), UnsealError> {
        apply_all(&mut self.index, &self.streams, notes, until)
    }
}

/// Notes an event that is passed.
pub(crate) fn note(opener: &Opener, event: &Seen<'_>) -> Result<Option<Noted>, UnsealError> {
    if let Some(look) = LookNote::of_seen(event)? {
        return Ok(Some(Noted::Look(Box::new(look))));
    }
    let Some(note) = Note::of_seen(opener, event)? else {
        return Ok(None);
    };
    Ok(Some(match RequestNote::of_seen(event)? {
        Some(request) => Noted::Request(note, Box::new(request)),
        None => Noted::Record(note),
    }))
}

/// Applies notes in the order of the log, up to a position; those that were applied before are passed over.
pub(crate) fn apply_all(
    index: &mut Index,
    streams: &Streams,
    notes: Notes<Noted>,
    until: u64,
) -> Result<(), UnsealError> {
    let Index {
        directory,
        looks,
        requests,
    } = index;
    let (described, looked) = (directory.position(), looks.position());
    let requested = requests.position();
    for (position, note) in notes {
        let note = match note {
            Noted::Look(look) => {
                if position > looked {
                    looks.apply(position, *look);
                }
                continue;
            }
            Noted::Request(note, request) => {
                if position > requested {
                    requests.apply(*request);
                }
                note
            }
            Noted::Record(note) => note,
        };
        if position > described {
            note.apply(position, directory, streams)?;
        }
    }
    directory.advance(until);
    looks.advance(until);
    requests.advance(until);
    Ok(())
}

/// Builds a directory from the first event to the log's present end.
pub(crate) fn from_zero(streams: &Arc<Streams>) -> Result<Beginning, UnsealError> {
    let mut anew = Beginning {
        index: Index::default(),
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
    pub(crate) fn notes(&self) -> Notes<Noted> {
        let note = |opened: &OpenedEvent| {
            if let Some(look) = LookNote::of(opened) {
                return Some(Noted::Look(Box::new(look)));
            }
            let note = Note::of(opened)?;
            Some(match RequestNote::of(opened) {
                Some(request) => Noted::Request(note, Box::new(request)),
                None => Noted::Record(note),
            })
        };
        let events = self.events.iter();
        events
            .filter_map(|(opened, _)| Some((opened.position, note(opened)?)))
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
