//! The envelope: what every event says besides its data.

use crate::{
    block::{Author, PersonRef, Source},
    data::Data,
    id::EventId,
    kind::Kind,
    time::Occurred,
};

/// One fact, as a sender states it.
#[derive(Debug, Clone, PartialEq, Eq, wincode::SchemaWrite, wincode::SchemaRead)]
pub struct Event {
    /// The sender's id of the event, unique for ever over all senders.
    pub event_id: EventId,
    /// Whom it is about; `None` for facilities and professionals.
    pub person: Option<PersonRef>,
    /// When it happened, as far as it is known.
    pub occurred_at: Occurred,
    /// The facility that states it.
    pub facility: Option<String>,
    /// Who wrote it down.
    pub author: Option<Author>,
    /// The system it came from.
    pub source: Option<Source>,
    /// What it says.
    pub data: Data,
}

impl Event {
    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.data.kind()
    }
}

/// An event as it comes in, with what the sender expects of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The event.
    pub event: Event,
    /// The version at which the person's record must be for the event to be taken.
    pub expected_version: Option<u64>,
}
