//! The current record and the history of a person, as one reader may see them.
//!
//! Folded from the person's events when asked, so it is never stale and cannot differ from a rebuilt
//! one. At a position or a time in the past the events, and the merges, are those of then.

use serde::Serialize;
use serde_json::value::RawValue;
use sokhoe_access::Filter;
use sokhoe_commands::record_stream;
use sokhoe_record::{Instant, PersonId, RecordedEvent, Section, fold, history};

use crate::answers::{Answers, Kept};
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

/// What follows the position in an answer.
#[derive(Serialize)]
struct Rest<'a> {
    sections: &'a sokhoe_record::Record,
    withheld: &'a [Withheld],
}

/// What is seen of a person at one moment.
struct Seen {
    survivor: PersonId,
    members: Vec<PersonId>,
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

/// Returns the record as it is now, where its answer is finished already. Does not wait for the disk.
pub(crate) fn finished(
    streams: &Streams,
    answers: &Answers,
    filter: &Filter,
    person: PersonId,
) -> Option<RecordView> {
    let (registry, reader) = (streams.opener().registry(), streams.opener().reader());
    let position = reader.position().get();
    let survivor = registry.survivor(person, Some(position))?;
    let kept = answers.get(survivor, filter)?;
    // Heads are looked at after the position: what they do not show by now was not there then.
    let version = |member: &PersonId| {
        reader
            .head(&record_stream(*member))
            .map_or(0, |h| h.version)
    };
    let unchanged = kept.position <= position
        && registry.members(survivor, Some(position)) == kept.members
        && kept.members.iter().map(version).sum::<u64>() == kept.version;
    unchanged.then(|| RecordView {
        person_id: survivor,
        version: kept.version,
        position,
        json: answer(survivor, kept.version, position, &kept.rest),
    })
}

/// Makes the record; `None` when there is no such person or nothing of them may be seen.
pub(crate) fn record(
    streams: &Streams,
    answers: &Answers,
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
    let rest = Rest {
        sections: &record,
        withheld: &seen.withheld,
    };
    let mut rest = serde_json::to_vec(&rest).map_err(ReadError::Write)?;
    // Its opening brace becomes the comma behind the position.
    if let Some(brace) = rest.first_mut() {
        *brace = b',';
    }
    let json = answer(seen.survivor, seen.version, seen.position, &rest);
    if as_of == AsOf::Now {
        let kept = Kept {
            members: seen.members,
            version: seen.version,
            position: seen.position,
            rest,
        };
        answers.put(seen.survivor, filter, kept);
    }
    Ok(Some(RecordView {
        person_id: seen.survivor,
        version: seen.version,
        position: seen.position,
        json,
    }))
}

fn answer(survivor: PersonId, version: u64, position: u64, rest: &[u8]) -> Vec<u8> {
    let head =
        format!("{{\"person_id\":\"{survivor}\",\"version\":{version},\"position\":{position}");
    [head.as_bytes(), rest].concat()
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
    for member in members.iter().copied() {
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
                members,
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
        members,
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

/// Tells whether a reader sees an event, going by the event alone.
#[must_use]
pub fn visible(filter: &Filter, event: &RecordedEvent) -> bool {
    match filter {
        Filter::All => true,
        Filter::OnlyFacility(facility) => {
            event.event.facility.as_deref() == Some(facility.as_str())
        }
        Filter::Shared(sight) => {
            let (facility, data) = (event.event.facility.as_deref(), &event.event.data);
            sight
                .hides(facility, &data.sections(), data.labels())
                .is_none()
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
