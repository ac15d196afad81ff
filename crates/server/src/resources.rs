//! One person's or event's FHIR resource, as one reader may see it now: corrections applied.

use std::collections::HashMap;

use serde_json::{Value, json};
use sokhoe_access::Filter;
use sokhoe_commands::{OpenedEvent, Opener, UnsealError, record_stream};
use sokhoe_exchange::fhir::{render, rendered_type};
use sokhoe_projections::visible;
use sokhoe_record::{
    Data, Event, EventId, HistoryEntry, Instant, Occurred, PersonId, PersonRegistered,
    RecordedEvent, fold, history,
};

/// Corrections of corrections that are followed; the write side refuses deeper ones.
const CORRECTIONS_DEEP_MAX: usize = 64;

/// What stands under an id.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shown {
    /// This resource.
    Resource(Value),
    /// A resource that a correction took back.
    Voided,
    /// Nothing that this reader sees.
    Nothing,
}

/// Shows a person as Patient.
pub(crate) fn patient(
    opener: &Opener,
    filter: &Filter,
    person: PersonId,
) -> Result<Shown, UnsealError> {
    let (survivor, events) = seen(opener, filter, person)?;
    let registered = events
        .iter()
        .any(|event| matches!(event.event.data, Data::PersonRegistered(_)));
    let Some(first) = events.first().filter(|_| registered) else {
        return Ok(Shown::Nothing);
    };
    let known = fold(survivor, &events).demographics;
    let died_on = known.died_on;
    let data = PersonRegistered {
        identifiers: known.identifiers,
        name: known.name.unwrap_or_default(),
        sex: known.sex.unwrap_or_default(),
        birth_date: known.birth_date.unwrap_or_default(),
        current_address: known.current_address,
        permanent_address: known.permanent_address,
        phones: known.phones,
        email: known.email,
        ..PersonRegistered::default()
    };
    let event = Event {
        data: data.into(),
        ..first.event.clone()
    };
    let Some(rendered) = render(&event, Some(survivor)) else {
        return Ok(Shown::Nothing);
    };
    let mut patient = rendered.into_value();
    if let Some(died_on) = died_on {
        patient["deceasedDateTime"] = json!(died_on);
    }
    Ok(Shown::Resource(patient))
}

/// Shows an event as the resource that it is or came from, if that is of this type.
pub(crate) fn of_event(
    opener: &Opener,
    filter: &Filter,
    found: &RecordedEvent,
    resource_type: &str,
) -> Result<Shown, UnsealError> {
    let (survivor, events) = seen(opener, filter, found.person)?;
    let entries = history(survivor, &events);
    let by_id: HashMap<EventId, &HistoryEntry<'_>> = entries
        .iter()
        .map(|entry| (entry.event_id, entry))
        .collect();
    let Some(entry) = by_id.get(&found.event.event_id) else {
        return Ok(Shown::Nothing);
    };
    if rendered_type(&found.event) != Some(resource_type) {
        return Ok(Shown::Nothing);
    }
    if entry.voided {
        return Ok(Shown::Voided);
    }
    let (data, occurred_at) = in_force(&by_id, entry, CORRECTIONS_DEEP_MAX);
    let event = Event {
        data,
        occurred_at,
        ..found.event.clone()
    };
    let Some(rendered) = render(&event, Some(survivor)) else {
        return Ok(Shown::Nothing);
    };
    let mut resource = rendered.into_value();
    // What was kept whole names itself as its source did; here it is found under the event's id.
    resource["id"] = json!(event.event_id);
    Ok(Shown::Resource(resource))
}

/// What an event says after its corrections.
fn in_force(
    by_id: &HashMap<EventId, &HistoryEntry<'_>>,
    entry: &HistoryEntry<'_>,
    deep: usize,
) -> (Data, Occurred) {
    let said = || (entry.data.clone(), entry.occurred_at);
    let correction = entry
        .corrected_by
        .and_then(|id| by_id.get(&id))
        .filter(|_| deep > 0);
    let Some(correction) = correction else {
        return said();
    };
    let (Data::CorrectionMade(correction), _) = in_force(by_id, correction, deep - 1) else {
        return said();
    };
    let Some(replacement) = correction.replacement else {
        return said();
    };
    match replacement.data(entry.kind) {
        Ok(data) => (data, replacement.occurred_at().unwrap_or(entry.occurred_at)),
        Err(_) => said(),
    }
}

/// Gathers the events of everyone who is part of a person's record, as the filter lets through.
fn seen(
    opener: &Opener,
    filter: &Filter,
    person: PersonId,
) -> Result<(PersonId, Vec<RecordedEvent>), UnsealError> {
    let survivor = opener.registry().survivor(person, None).unwrap_or(person);
    let mut events = Vec::new();
    for member in opener.registry().members(survivor, None) {
        let opened = match opener.stream(record_stream(member)) {
            Ok(opened) => opened,
            Err(error) if error.erased() => continue,
            Err(error) => return Err(error),
        };
        let recorded = opened.into_iter().map(recorded);
        events.extend(recorded.filter(|event| visible(filter, event)));
    }
    Ok((survivor, events))
}

fn recorded(opened: OpenedEvent) -> RecordedEvent {
    RecordedEvent {
        person: PersonId::from_bytes(opened.stream.0),
        position: opened.position,
        version: opened.version,
        recorded_at: Instant::from_micros(opened.recorded_at_us),
        hash: opened.hash.0,
        previous_hash: opened.previous.0,
        recorded_by: opened.stored.recorded_by,
        event: opened.stored.event,
    }
}
