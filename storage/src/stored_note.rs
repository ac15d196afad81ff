//! The stored checkpoint: replaced atomically, and compared with what was stored last whenever it is met.
//!
//! A file that holds anything else was changed by somebody or something: that is damage, it is named and left as it is.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use sokhoe_chain::note::NOTE_BYTES_MAX;

use crate::disk::{read_file, write_file_atomic};
use crate::error::{Damage, DamageKind, ReadError, WriteFailure};
use crate::planted::{Mistake, planted};
use crate::recovery::NoteHead;
use crate::shared::Shared;
use crate::sync::lock;

const FILE: &str = "checkpoint";

/// What is known of the file.
#[derive(Debug)]
pub(crate) struct StoredNote(Mutex<Known>);

#[derive(Debug)]
struct Known {
    head: Option<NoteHead>,
    /// What was stored last; `None` before that, and while a failure leaves it open what the file holds.
    text: Option<String>,
}

impl StoredNote {
    /// Begins with what opening found.
    pub(crate) fn found(head: Option<NoteHead>) -> Self {
        Self(Mutex::new(Known { head, text: None }))
    }

    /// Returns the size and root that the log was last known to agree with.
    pub(crate) fn head(&self) -> Option<NoteHead> {
        lock(&self.0).head
    }

    /// Replaces the file by a newer note.
    pub(crate) fn replace(&self, shared: &Shared, note: &str) -> Result<(), WriteFailure> {
        let failed = |source| WriteFailure::Io {
            doing: "replace",
            file: FILE.into(),
            source: Arc::new(source),
        };
        let head = NoteHead::parse(note.as_bytes(), &shared.meta.origin)
            .map_err(|_| failed(io::ErrorKind::InvalidInput.into()))?;
        // A checkpoint ahead of the log would call the next start's log shortened.
        if head.size > shared.position().get() && !planted(Mistake::CheckpointBeforeData) {
            return Err(failed(io::ErrorKind::InvalidInput.into()));
        }
        let mut known = lock(&self.0);
        if let Some(text) = &known.text
            && let Some(damage) = compare(text, stored(shared)).map_err(failed)?
        {
            shared.damaged(&damage);
            return Err(WriteFailure::Damaged {
                source: Box::new(damage),
            });
        }
        known.text = None;
        write_file_atomic(shared.disk.as_ref(), &path(shared), note.as_bytes()).map_err(failed)?;
        known.head = Some(head);
        known.text = Some(note.to_owned());
        Ok(())
    }

    /// Reads the file; where it holds something else than was stored, that is noted and what was stored returned.
    pub(crate) fn read(&self, shared: &Shared) -> Result<String, ReadError> {
        let known = lock(&self.0);
        let found = stored(shared);
        let Some(text) = &known.text else {
            return found.map_err(|source| unread(shared, source));
        };
        match compare(text, found) {
            Ok(None) => {}
            Ok(Some(damage)) => shared.damaged(&damage),
            Err(source) => return Err(unread(shared, source)),
        }
        Ok(text.clone())
    }
}

fn path(shared: &Shared) -> PathBuf {
    shared.folder.join(FILE)
}

fn stored(shared: &Shared) -> io::Result<String> {
    let bytes_max = u64::try_from(NOTE_BYTES_MAX).unwrap_or(u64::MAX);
    let bytes = read_file(shared.disk.as_ref(), &path(shared), bytes_max)?;
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Names what a file that was stored has become; an error where the disk does not say.
fn compare(text: &str, found: io::Result<String>) -> io::Result<Option<Damage>> {
    let (kind, offset, state) = match found {
        Ok(found) if found == text => return Ok(None),
        Ok(found) => {
            let same = text.bytes().zip(found.bytes()).take_while(|(a, b)| a == b);
            (DamageKind::Checksum, same.count(), "something else")
        }
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => (DamageKind::Missing, 0, "no file"),
            io::ErrorKind::InvalidData => (DamageKind::Checksum, 0, "no text"),
            io::ErrorKind::FileTooLarge => (DamageKind::Checksum, 0, "a longer file"),
            _ => return Err(error),
        },
    };
    Ok(Some(Damage {
        kind,
        file: FILE.into(),
        offset: u64::try_from(offset).unwrap_or(u64::MAX),
        position: None,
        part: "signed checkpoint",
        expected: "the note that was stored last".into(),
        found: state.into(),
    }))
}

fn unread(shared: &Shared, source: io::Error) -> ReadError {
    match source.kind() {
        io::ErrorKind::NotFound => ReadError::NotThere {
            what: "the checkpoint".to_owned(),
            durable: shared.position(),
        },
        _ => ReadError::Io {
            file: FILE.to_owned(),
            source,
        },
    }
}
