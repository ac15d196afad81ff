//! The current record and the history of a person, as one reader may see them.
//!
//! Folded from the person's events when asked, so it is never stale and cannot differ from a rebuilt
//! one. At a position or a time in the past the events, and the merges, are those of then.

use serde::Serialize;
use serde_json::value::RawValue;
use sokhoe_access::Filter;
use sokhoe_record::{Instant, PersonId, RecordedEvent, Section, fold, history};

use crate::streams::{Stream, Streams};
use crate::views::ReadError;

/// The moment of the log that an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// What is durable.
    Now,
    /// After the event at this position.
    Position(u64),
    /// What was recorded by then.
    Time(Instant),
}

/// A section with entries that this reader does not see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Withheld {
    /// Which.
    pub section: Section,
    /// Why.
    pub because: &'static str,
}

/// A record ready to be sent.
#[derive(Debug, Clone)]
pub struct RecordView {
    /// Whose record it is: the survivor, where the person asked for is merged.
    pub person_id: PersonId,
    /// How many events the record holds at that moment, those withheld included.
    pub version: u64,
    /// The position that it is true at.
    pub position: u64,
    /// The answer as compact JSON.
    pub json: Vec<u8>,
}

/// Part of a history, in the order of the log.
#[derive(Debug, Clone)]
pub struct HistoryPage {
    /// Whose history it is.
    pub person_id: PersonId,
    /// The entries, each as JSON.
    pub items: Vec<Box<RawValue>>,
    /// Where the next page begins: give it as `after`; `None` when this is the last.
    pub next: Option<u64>,
    /// The position that it is true at.
    pub position: u64,
}

const OTHER_FACILITY: &str =
    "entries of another facility, which no directive of the person opens to this one";

#[derive(Serialize)]
struct Answer<'a> {
    person_id: PersonId,
    version: u64,
    position: u64,
    sections: &'a sokhoe_record::Record,
    withheld: &'a [Withheld],
}

/// What is seen of a person at one moment.
struct Seen {
    survivor: PersonId,
    position: u64,
    version: u64,
    events: Events,
    withheld: Vec<Withheld>,
}

/// The events that are seen: the beginning of one stream as it is kept, or a selection of several.
enum Events {
    Beginning(Stream, usize),
    Selected(Vec<RecordedEvent>),
}

impl Events {
    fn as_slice(&self) -> &[RecordedEvent] {
        match self {
            Self::Beginning(stream, until) => stream.get(..*until).unwrap_or_default(),
            Self::Selected(events) => events,
        }
    }
}

/// Makes the record; `None` when there is no such person or nothing of them may be seen.
pub(crate) fn record(
    streams: &Streams,
    filter: &Filter,
    person: PersonId,
    as_of: AsOf,
) -> Result<Option<RecordView>, ReadError> {
    let Some(seen) = see(streams, filter, person, as_of)? else {
        return Ok(None);
    };
    let mut record = fold(seen.survivor, seen.events.as_slice());
    // A section of which nothing is seen is left out: "not asked" would be a false statement.
    let shown: Vec<Section> = seen
        .events
        .as_slice()
        .iter()
        .flat_map(|event| event.event.data.sections())
        .collect();
    for withheld in seen
        .withheld
        .iter()
        .filter(|withheld| !shown.contains(&withheld.section))
    {
        record.withhold(withheld.section);
    }
    let answer = Answer {
        person_id: seen.survivor,
        version: seen.version,
        position: seen.position,
        sections: &record,
        withheld: &seen.withheld,
    };
    let json = serde_json::to_vec(&answer).map_err(ReadError::Write)?;
    Ok(Some(RecordView {
        person_id: seen.survivor,
        version: seen.version,
        position: seen.position,
        json,
    }))
}

/// Makes a page of the history: at most `limit` entries after the position `after`.
pub(crate) fn history_page(
    streams: &Streams,
    filter: &Filter,
    person: PersonId,
    as_of: AsOf,
    (after, limit): (u64, usize),
) -> Result<Option<HistoryPage>, ReadError> {
    let Some(seen) = see(streams, filter, person, as_of)? else {
        return Ok(None);
    };
    let entries = history(seen.survivor, seen.events.as_slice());
    let mut rest = entries.iter().filter(|entry| entry.position > after);
    let mut items = Vec::new();
    let mut last = after;
    for entry in rest.by_ref().take(limit) {
        last = entry.position;
        items.push(serde_json::value::to_raw_value(entry).map_err(ReadError::Write)?);
    }
    let next = rest.next().map(|_| last);
    Ok(Some(HistoryPage {
        person_id: seen.survivor,
        items,
        next,
        position: seen.position,
    }))
}

/// Gathers the events of everyone who is part of the record at that moment, as the filter lets through.
fn see(
    streams: &Streams,
    filter: &Filter,
    person: PersonId,
    as_of: AsOf,
) -> Result<Option<Seen>, ReadError> {
    let registry = streams.opener().registry();
    let position = position_of(streams, as_of)?;
    // Merges decided but not yet durable lie beyond the position, so they do not show.
    let at = Some(position);
    let Some(survivor) = registry.survivor(person, at) else {
        return Ok(None);
    };
    let mut selected = Vec::new();
    let mut hidden = Vec::new();
    let mut version = 0;
    let members = registry.members(survivor, at);
    let whole = filter == &Filter::All && members.len() == 1;
    for member in members {
        let stream = match streams.get(member) {
            Ok(stream) => stream,
            Err(error) if error.erased() => continue,
            Err(error) => return Err(ReadError::Events(error)),
        };
        let until = stream.partition_point(|event| event.position <= position);
        version += u64::try_from(until).unwrap_or(u64::MAX);
        if whole && until > 0 {
            return Ok(Some(Seen {
                survivor,
                position,
                version,
                events: Events::Beginning(stream, until),
                withheld: Vec::new(),
            }));
        }
        for event in stream.get(..until).unwrap_or_default() {
            if visible(filter, event) {
                selected.push(event.clone());
            } else {
                hide(&mut hidden, event);
            }
        }
    }
    hidden.sort_unstable();
    let because = OTHER_FACILITY;
    let withheld = hidden
        .into_iter()
        .map(|section| Withheld { section, because });
    Ok((!selected.is_empty()).then(|| Seen {
        survivor,
        position,
        version,
        events: Events::Selected(selected),
        withheld: withheld.collect(),
    }))
}

/// Turns the moment that is asked for into a position that is there.
fn position_of(streams: &Streams, as_of: AsOf) -> Result<u64, ReadError> {
    let reader = streams.opener().reader();
    let durable = reader.position().get();
    match as_of {
        AsOf::Now => Ok(durable),
        AsOf::Position(position) if position <= durable => Ok(position),
        AsOf::Position(asked) => Err(ReadError::NotThere { asked, durable }),
        AsOf::Time(time) => reader
            .position_at_time(time.micros())
            .map(sokhoe_storage::Position::get)
            .map_err(|error| ReadError::Events(error.into())),
    }
}

pub(crate) fn visible(filter: &Filter, event: &RecordedEvent) -> bool {
    match filter {
        Filter::All => true,
        Filter::OnlyFacility(facility) => {
            event.event.facility.as_deref() == Some(facility.as_str())
        }
    }
}

fn hide(hidden: &mut Vec<Section>, event: &RecordedEvent) {
    for section in event.event.data.sections() {
        if !hidden.contains(&section) {
            hidden.push(section);
        }
    }
}
