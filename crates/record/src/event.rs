//! The envelope: what every event says besides its data.

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{
    block::{Author, PersonRef, Source},
    data::Data,
    id::EventId,
    kind::Kind,
    time::Occurred,
};

mod read;
#[cfg(test)]
mod tests;

pub use read::{Invalid, event_schemas, parse_event, read_any_event, read_event, validate};

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
    /// Makes an event with nothing but what is required.
    pub fn new(
        event_id: EventId,
        person: Option<PersonRef>,
        occurred_at: impl Into<Occurred>,
        data: impl Into<Data>,
    ) -> Self {
        let (occurred_at, data) = (occurred_at.into(), data.into());
        Self {
            event_id,
            person,
            occurred_at,
            facility: None,
            author: None,
            source: None,
            data,
        }
    }

    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.data.kind()
    }
}

/// Written as a sender writes it, so that an exported event can be sent again.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut object = to.serialize_struct("Event", 8)?;
        object.serialize_field("event_id", &self.event_id)?;
        if let Some(person) = &self.person {
            object.serialize_field("person", person)?;
        }
        object.serialize_field("kind", &self.kind())?;
        object.serialize_field("occurred_at", &self.occurred_at)?;
        if let Some(facility) = &self.facility {
            object.serialize_field("facility", facility)?;
        }
        if let Some(author) = &self.author {
            object.serialize_field("author", author)?;
        }
        if let Some(source) = &self.source {
            object.serialize_field("source", source)?;
        }
        object.serialize_field("data", &self.data)?;
        object.end()
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

impl From<Event> for Incoming {
    fn from(event: Event) -> Self {
        Self {
            event,
            expected_version: None,
        }
    }
}
