//! The current record and the history of a person, as one reader may see them.
//!
//! Folded from the person's events when asked, so it is never stale and cannot differ from a rebuilt
//! one. At a position or a time in the past the events, and the merges, are those of then.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use sokhoe_access::Filter;
use sokhoe_record::{
    Data, EventId, Instant, Label, PersonId, RecordedEvent, Section, fold, history,
};

use crate::answers::{Answers, Kept};
use crate::streams::{Moment, Stream, Streams};
use crate::views::ReadError;

/// What is withheld takes some two kilobytes where everything is.
const WITHHELD_BYTES: usize = 2048;
/// Corrections of corrections that are followed; the write side refuses deeper ones.
const CORRECTIONS_DEEP_MAX: usize = 64;

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

/// A section of which entries that there may be are not shown to this reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Withheld {
    /// Which.
    pub section: Section,
    /// Why.
    pub because: &'static str,
}

/// What of a record an answer shows: what is written down of the look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extent {
    /// The sections of which something is shown, each once.
    pub sections: Vec<Section>,
    /// How many events it is made of.
    pub entries: u32,
    /// The sections that are closed to the reader but for entries of their own facility; that labelled entries are closed
    /// is not among it.
    pub withheld: Vec<Section>,
}

impl Extent {
    /// Measures events that are shown.
    pub fn of<'e>(events: impl IntoIterator<Item = &'e RecordedEvent>) -> Self {
        let mut extent = Self::default();
        for event in events {
            extent.entries = extent.entries.saturating_add(1);
            for section in event.event.data.sections() {
                if !extent.sections.contains(&section) {
                    extent.sections.push(section);
                }
            }
        }
        extent
    }

    fn seen_by(mut self, filter: &Filter) -> Self {
        if let Filter::Shared(sight) = filter {
            let closed = |section: &&Section| sight.hides(None, &[**section], &[]).is_some();
            self.withheld = Section::ALL.iter().filter(closed).copied().collect();
        }
        self
    }
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
    /// What it shows.
    pub extent: Arc<Extent>,
}

/// The events of a record that a reader sees now.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Whose record it is: the survivor, where the person asked for is merged.
    pub person_id: PersonId,
    /// The events, those of each member in the order of the log.
    pub events: Vec<RecordedEvent>,
    /// The position that it is true at.
    pub position: u64,
    /// What they are, and what is withheld.
    pub extent: Extent,
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
    /// What it shows.
    pub extent: Extent,
}

/// What follows the position in an answer; what is withheld comes last, since it is the same for all who see as much.
#[derive(Serialize)]
struct Rest<'a> {
    sections: &'a sokhoe_record::Record,
}

/// What is seen of a person at one moment.
struct Seen {
    survivor: PersonId,
    members: Vec<PersonId>,
    position: u64,
    version: u64,
    events: Events,
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
    if !streams.holds(&kept.moment, survivor, position) {
        return None;
    }
    let version = kept.moment.version;
    Some(RecordView {
        person_id: survivor,
        version,
        position,
        json: answer(survivor, version, position, &kept.rest, filter).ok()?,
        extent: Arc::clone(&kept.extent),
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
    let extent = Extent::of(seen.events.as_slice()).seen_by(filter);
    let closed = withheld(filter).into_iter();
    let withheld = closed.map(|withheld| withheld.section);
    for section in withheld.filter(|section| !extent.sections.contains(section)) {
        record.withhold(section);
    }
    let extent = Arc::new(extent);
    let rest = Rest { sections: &record };
    let mut rest = serde_json::to_vec(&rest).map_err(ReadError::Write)?;
    // Its opening brace becomes the comma behind the position, its closing one comes with what is withheld.
    if let Some(brace) = rest.first_mut() {
        *brace = b',';
    }
    rest.pop();
    let json = answer(seen.survivor, seen.version, seen.position, &rest, filter);
    let json = json.map_err(ReadError::Write)?;
    if as_of == AsOf::Now {
        let moment = Moment {
            members: seen.members,
            version: seen.version,
            position: seen.position,
        };
        let kept = Kept {
            moment,
            rest,
            extent: Arc::clone(&extent),
        };
        answers.put(seen.survivor, filter, kept);
    }
    Ok(Some(RecordView {
        person_id: seen.survivor,
        version: seen.version,
        position: seen.position,
        json,
        extent,
    }))
}

fn answer(
    survivor: PersonId,
    version: u64,
    position: u64,
    rest: &[u8],
    filter: &Filter,
) -> serde_json::Result<Vec<u8>> {
    let head =
        format!("{{\"person_id\":\"{survivor}\",\"version\":{version},\"position\":{position}");
    let mut json = Vec::with_capacity(head.len() + rest.len() + WITHHELD_BYTES);
    json.extend_from_slice(head.as_bytes());
    json.extend_from_slice(rest);
    json.extend_from_slice(b",\"withheld\":");
    serde_json::to_writer(&mut json, &withheld(filter))?;
    json.push(b'}');
    Ok(json)
}

/// Gathers what is seen of a person now.
pub(crate) fn shown(
    streams: &Streams,
    filter: &Filter,
    person: PersonId,
) -> Result<Option<Shown>, ReadError> {
    let seen = see(streams, filter, person, AsOf::Now)?;
    Ok(seen.map(|seen| Shown {
        person_id: seen.survivor,
        extent: Extent::of(seen.events.as_slice()).seen_by(filter),
        position: seen.position,
        events: match seen.events {
            Events::Beginning(stream, until) => stream.get(..until).unwrap_or_default().to_vec(),
            Events::Selected(events) => events,
        },
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
    let (first, mut last) = (after, after);
    for entry in rest.by_ref().take(limit) {
        last = entry.position;
        items.push(serde_json::value::to_raw_value(entry).map_err(ReadError::Write)?);
    }
    let next = rest.next().map(|_| last);
    let events = seen.events.as_slice().iter();
    let shown = events.filter(|event| event.position > first && event.position <= last);
    Ok(Some(HistoryPage {
        person_id: seen.survivor,
        items,
        next,
        position: seen.position,
        extent: Extent::of(shown).seen_by(filter),
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
    let mut gathered = Vec::new();
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
            }));
        }
        gathered.extend_from_slice(stream.get(..until).unwrap_or_default());
    }
    let there = !gathered.is_empty();
    let selected = select(filter, gathered);
    let told = matches!(filter, Filter::Shared(sight) if sight.names_withheld());
    let shown = !selected.is_empty() || (there && told);
    Ok(shown.then_some(Seen {
        survivor,
        members,
        position,
        version,
        events: Events::Selected(selected),
    }))
}

/// Says what a reader may not see, whether it is there or not.
fn withheld(filter: &Filter) -> Vec<Withheld> {
    let Filter::Shared(sight) = filter else {
        return Vec::new();
    };
    let closed = sight.withheld().into_iter();
    closed
        .map(|(section, because)| Withheld {
            section,
            because: because.says(),
        })
        .collect()
}

/// Turns the moment that is asked for into a position that is there.
pub(crate) fn position_of(streams: &Streams, as_of: AsOf) -> Result<u64, ReadError> {
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

/// Tells whether a reader sees an event, going by the event alone: not of corrections under [`Filter::Shared`], which are
/// seen with what they correct, so [`select`] decides.
pub(crate) fn visible(filter: &Filter, event: &RecordedEvent) -> bool {
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

/// What a reader must be allowed to see an entry with all its corrections: parts of it would be half a truth.
#[derive(Debug, Default)]
struct Needed<'e> {
    facility: Option<&'e str>,
    sections: Vec<Section>,
    labels: Vec<Label>,
}

/// Selects what a reader sees of the events of one record.
fn select(filter: &Filter, events: Vec<RecordedEvent>) -> Vec<RecordedEvent> {
    let Filter::Shared(sight) = filter else {
        let seen = events.into_iter();
        return seen.filter(|event| visible(filter, event)).collect();
    };
    let by_id: HashMap<EventId, &RecordedEvent> = events
        .iter()
        .map(|event| (event.event.event_id, event))
        .collect();
    let mut needed: HashMap<EventId, Needed<'_>> = HashMap::new();
    for event in &events {
        let Some(root) = root(&by_id, event) else {
            continue;
        };
        let entry = needed.entry(root.event.event_id).or_default();
        entry.facility = root.event.facility.as_deref();
        match &event.event.data {
            Data::CorrectionMade(correction) => {
                let replaced = correction.replacement.as_ref();
                let replaced = replaced.and_then(|new| new.data(root.event.kind()).ok());
                if let Some(data) = replaced {
                    entry.need(&data);
                }
            }
            data => entry.need(data),
        }
    }
    let seen: Vec<bool> = events
        .iter()
        .map(|event| {
            let root = root(&by_id, event).map(|root| root.event.event_id);
            let needed = root.and_then(|root| needed.get(&root));
            needed.is_some_and(|needed| {
                let hides = sight.hides(needed.facility, &needed.sections, &needed.labels);
                hides.is_none()
            })
        })
        .collect();
    let seen = events.into_iter().zip(seen);
    seen.filter_map(|(event, seen)| seen.then_some(event))
        .collect()
}

impl Needed<'_> {
    fn need(&mut self, data: &Data) {
        let new: Vec<Section> = data.sections();
        self.sections.extend(new);
        self.labels.extend_from_slice(data.labels());
    }
}

/// The entry that an event is, or corrects in the end; `None` where that is not among the events.
fn root<'e>(
    by_id: &HashMap<EventId, &'e RecordedEvent>,
    event: &'e RecordedEvent,
) -> Option<&'e RecordedEvent> {
    let mut at = event;
    for _ in 0..CORRECTIONS_DEEP_MAX {
        let Data::CorrectionMade(correction) = &at.event.data else {
            return Some(at);
        };
        at = by_id.get(&correction.corrects)?;
    }
    None
}
