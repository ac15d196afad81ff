//! The history of a person: every event, both sides of every correction.

use std::collections::HashMap;

use serde::{Serialize, Serializer};

use crate::{
    block::{Author, Source},
    data::Data,
    fold::{Corrections, RecordedEvent, unique},
    id::{EventId, PersonId},
    kind::Kind,
    time::{Instant, Occurred},
};

/// An event of the history: what was said, as it was said, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryEntry<'e> {
    /// The event.
    pub event_id: EventId,
    /// Its kind.
    pub kind: Kind,
    /// When it happened, as first stated.
    pub occurred_at: Occurred,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// In whose stream it lies.
    pub person_id: PersonId,
    /// Its version in the stream.
    pub version: u64,
    /// Its position in the log.
    pub position: u64,
    /// The hash that the chain links and the tree holds.
    #[serde(serialize_with = "hex")]
    pub hash: [u8; 32],
    /// The hash of the event before it in the stream.
    #[serde(serialize_with = "hex")]
    pub previous_hash: [u8; 32],
    /// The authenticated sender.
    pub recorded_by: &'e str,
    /// The facility that stated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facility: Option<&'e str>,
    /// Who wrote it down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<&'e Author>,
    /// The system it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'e Source>,
    /// The event that this one corrects.
    pub corrects: Option<EventId>,
    /// The correction in force of this event.
    pub corrected_by: Option<EventId>,
    /// Every correction of this event, in log order, in force or not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub corrections: Vec<EventId>,
    /// Whether a correction in force voids this event.
    pub voided: bool,
    /// What it said.
    pub data: &'e Data,
}

fn hex<S: Serializer>(hash: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| {
        DIGITS
            .get(usize::from(half))
            .copied()
            .map_or('?', char::from)
    };
    let text: String = hash
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect();
    to.serialize_str(&text)
}

/// Lists every event of a person in log order. The two frames of a merge are listed once.
pub fn history(person: PersonId, events: &[RecordedEvent]) -> Vec<HistoryEntry<'_>> {
    let events = unique(person, events);
    let settled = Corrections::of(&events);
    let mut corrections: HashMap<EventId, Vec<EventId>> = HashMap::new();
    for event in &events {
        if let Some(corrected) = corrects(event) {
            corrections
                .entry(corrected)
                .or_default()
                .push(event.event.event_id);
        }
    }
    let listed = |recorded| listed(recorded, &settled, &corrections);
    events.into_iter().map(listed).collect()
}

fn corrects(recorded: &RecordedEvent) -> Option<EventId> {
    match &recorded.event.data {
        Data::CorrectionMade(correction) => Some(correction.corrects),
        _ => None,
    }
}

fn listed<'e>(
    recorded: &'e RecordedEvent,
    settled: &Corrections,
    corrections: &HashMap<EventId, Vec<EventId>>,
) -> HistoryEntry<'e> {
    let event = &recorded.event;
    let event_id = event.event_id;
    HistoryEntry {
        event_id,
        kind: event.kind(),
        occurred_at: event.occurred_at,
        recorded_at: recorded.recorded_at,
        person_id: recorded.person,
        version: recorded.version,
        position: recorded.position,
        hash: recorded.hash,
        previous_hash: recorded.previous_hash,
        recorded_by: &recorded.recorded_by,
        facility: event.facility.as_deref(),
        author: event.author.as_ref(),
        source: event.source.as_ref(),
        corrects: corrects(recorded),
        corrected_by: settled.corrected_by(event_id),
        corrections: corrections.get(&event_id).cloned().unwrap_or_default(),
        voided: settled.voided(event_id),
        data: &event.data,
    }
}
