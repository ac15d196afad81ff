//! One person's or event's FHIR resource, as one reader may see it now: corrections applied.

use std::collections::HashMap;

use serde_json::{Value, json};
use sokhoe_exchange::fhir::{render, rendered_type};
use sokhoe_projections::{Extent, Shown};
use sokhoe_record::{
    Data, Event, EventId, HistoryEntry, Occurred, PersonRegistered, RecordedEvent, Section, fold,
    history,
};

/// Corrections of corrections that are followed; the write side refuses deeper ones.
const CORRECTIONS_DEEP_MAX: usize = 64;

/// What stands under an id.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Resource {
    /// This resource, made of so much.
    Shown(Value, Extent),
    /// A resource that a correction took back.
    Voided,
    /// Nothing that this reader sees.
    Nothing,
}

/// Shows a person as Patient.
pub(crate) fn patient(seen: &Shown) -> Resource {
    let (survivor, events) = (seen.person_id, &seen.events);
    let registered = events
        .iter()
        .any(|event| matches!(event.event.data, Data::PersonRegistered(_)));
    let Some(first) = events.first().filter(|_| registered) else {
        return Resource::Nothing;
    };
    let known = fold(survivor, events).demographics;
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
        return Resource::Nothing;
    };
    let mut patient = rendered.into_value();
    if let Some(died_on) = died_on {
        patient["deceasedDateTime"] = json!(died_on);
    }
    let sections = vec![Section::Demographics];
    let entries = seen.extent.entries;
    let extent = Extent {
        sections,
        entries,
        withheld: seen.extent.withheld.clone(),
    };
    Resource::Shown(patient, extent)
}

/// Shows an event as the resource that it is or came from, if that is of this type.
pub(crate) fn of_event(seen: &Shown, found: &RecordedEvent, resource_type: &str) -> Resource {
    let (survivor, events) = (seen.person_id, &seen.events);
    let entries = history(survivor, events);
    let by_id: HashMap<EventId, &HistoryEntry<'_>> = entries
        .iter()
        .map(|entry| (entry.event_id, entry))
        .collect();
    let Some(entry) = by_id.get(&found.event.event_id) else {
        return Resource::Nothing;
    };
    if rendered_type(&found.event) != Some(resource_type) {
        return Resource::Nothing;
    }
    if entry.voided {
        return Resource::Voided;
    }
    let (data, occurred_at) = in_force(&by_id, entry, CORRECTIONS_DEEP_MAX);
    let event = Event {
        data,
        occurred_at,
        ..found.event.clone()
    };
    let Some(rendered) = render(&event, Some(survivor)) else {
        return Resource::Nothing;
    };
    let mut resource = rendered.into_value();
    // What was kept whole names itself as its source did; here it is found under the event's id.
    resource["id"] = json!(event.event_id);
    let extent = Extent {
        sections: event.data.sections(),
        entries: 1,
        withheld: Vec::new(),
    };
    Resource::Shown(resource, extent)
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
