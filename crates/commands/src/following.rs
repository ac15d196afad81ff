//! Bringing on what is kept beside the log: each event is read and opened once, on all processors, for everybody.
//!
//! What matters of an event is noted where it was opened; notes are applied on one thread, in the order of the log.

use std::cell::OnceCell;

use sokhoe_chain::{EventHeader, StreamKind};
use sokhoe_codec::{Glimpse, glimpse};
use sokhoe_record::PersonId;
use sokhoe_storage::{FrameRef, Stretch};
use sokhoe_vault::StreamKey;

use crate::opening::{OpenedEvent, Opener, UnsealError};

/// Something that is true at a position of the log and is brought on by notes of the events behind it.
pub trait Follow {
    /// What is noted of an event.
    type Note: Send;

    /// Returns the position that it is true at.
    fn position(&self) -> u64;

    /// Notes what matters of an event; called on several threads, in no order.
    ///
    /// # Errors
    /// When the event cannot be opened.
    fn note(opener: &Opener, event: &Seen<'_>) -> Result<Option<Self::Note>, UnsealError>;

    /// Applies what was noted of the events up to a position, each with its own; called in the order of the log.
    ///
    /// # Errors
    /// When other events that one of these names cannot be opened; nothing may be applied to it after that.
    fn apply(&mut self, notes: Notes<Self::Note>, until: u64) -> Result<(), UnsealError>;
}

/// Notes, each with its event's position.
pub type Notes<N> = Vec<(u64, N)>;

/// Nothing that would follow: a house without read models.
impl Follow for () {
    type Note = ();

    fn position(&self) -> u64 {
        u64::MAX
    }

    fn note(_: &Opener, _: &Seen<'_>) -> Result<Option<()>, UnsealError> {
        Ok(None)
    }

    fn apply(&mut self, _: Notes<()>, _: u64) -> Result<(), UnsealError> {
        Ok(())
    }
}

/// A stored event that is passed; of a person's event, what it begins with.
#[derive(Debug)]
pub struct Seen<'a> {
    frame: FrameRef<'a>,
    header: &'a EventHeader,
    content: Option<Glimpse<'a>>,
    // All who follow share what one of them asked for.
    opened: OnceCell<OpenedEvent>,
    root: OnceCell<Option<OpenedEvent>>,
}

impl<'a> Seen<'a> {
    /// Returns its clear header.
    #[must_use]
    pub fn header(&self) -> &EventHeader {
        self.header
    }

    /// Returns whose record it stands in and what it begins with; `None` for what stands in no record, and for what was
    /// erased.
    #[must_use]
    pub fn of_person(&self) -> Option<(PersonId, &Glimpse<'a>)> {
        let person = PersonId::from_bytes(self.header.stream.0);
        let of_record = self.header.stream_kind == StreamKind::Record;
        Some((person, self.content.as_ref().filter(|_| of_record)?))
    }

    /// Returns what an event of an access stream begins with; `None` for all others.
    #[must_use]
    pub fn of_access(&self) -> Option<&Glimpse<'a>> {
        let of_access = self.header.stream_kind == StreamKind::Access;
        self.content.as_ref().filter(|_| of_access)
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// When what was sealed is no event that this program knows.
    pub fn open(&self, content: &Glimpse<'_>) -> Result<&OpenedEvent, UnsealError> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let position = self.frame.position.get();
        let stored = content.decode();
        let stored = stored.map_err(|source| UnsealError::Decode { position, source })?;
        let hash = self.frame.hash();
        let opened = OpenedEvent::new(stored, self.header, (position, hash));
        Ok(self.opened.get_or_init(|| opened))
    }

    /// Returns the entry that a correction is about in the end; `None` where it cannot be told yet, because events
    /// before this one are still to be applied.
    ///
    /// # Errors
    /// When an event on the way cannot be opened.
    pub fn root(
        &self,
        opener: &Opener,
        correction: &OpenedEvent,
    ) -> Result<Option<&OpenedEvent>, UnsealError> {
        if self.root.get().is_none() {
            let _ = self.root.set(opener.root(correction)?);
        }
        Ok(self.root.get().and_then(Option::as_ref))
    }
}

impl Opener {
    /// Brings what follows the log on to a durable position; `reached` is told of every stretch.
    ///
    /// # Errors
    /// When an event cannot be read or opened, or a note not be applied; what came before it is applied.
    pub fn bring_on<F: Follow>(
        &self,
        follower: &mut F,
        until: u64,
        mut reached: impl FnMut(u64),
    ) -> Result<(), UnsealError> {
        let from = follower.position().saturating_add(1);
        self.reader.in_order(
            from..=until,
            |stretch| self.notes::<F>(stretch),
            |notes: Notes<F::Note>, until| {
                follower.apply(notes, until)?;
                reached(until);
                Ok(())
            },
        )
    }

    fn notes<F: Follow>(&self, stretch: &mut Stretch) -> Result<Notes<F::Note>, UnsealError> {
        let mut notes = Vec::new();
        // Events of one person often come together, and to unwrap a key takes as long as to open a payload.
        let mut kept: Option<StreamKey> = None;
        while let Some(frame) = stretch.next_frame()? {
            let header = frame.header()?;
            let stored = match header.stream_kind {
                StreamKind::Record | StreamKind::Access => {
                    self.stored(&mut kept, &frame, &header)?
                }
                StreamKind::System | StreamKind::Keeper => None,
            };
            let position = frame.position.get();
            let content = stored.as_deref().map(glimpse).transpose();
            let seen = Seen {
                frame,
                header: &header,
                content: content.map_err(|source| UnsealError::Decode { position, source })?,
                opened: OnceCell::new(),
                root: OnceCell::new(),
            };
            if let Some(note) = F::note(self, &seen)? {
                notes.push((position, note));
            }
        }
        Ok(notes)
    }

    /// Opens a frame and returns the stored event's bytes; `None` when its key was destroyed.
    fn stored(
        &self,
        kept: &mut Option<StreamKey>,
        frame: &FrameRef<'_>,
        header: &EventHeader,
    ) -> Result<Option<Vec<u8>>, UnsealError> {
        let position = frame.position.get();
        let key = match kept.take().filter(|key| key.stream() == header.stream) {
            Some(key) => key,
            None => match self.key(header.stream, position) {
                Err(error) if error.erased() => return Ok(None),
                found => found?,
            },
        };
        let stored = self.unseal(&key, header, frame)?;
        *kept = Some(key);
        Ok(Some(stored))
    }
}
