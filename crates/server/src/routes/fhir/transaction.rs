//! A transaction Bundle as one atomic request.

use serde_json::Value;
use sokhoe_commands::{ContentDigest, Receipt};
use sokhoe_exchange::fhir::{Context, Place, as_correction};
use sokhoe_record::{EventId, Incoming};

use super::{Answered, Read, answer_entry, events_of, found_under, name_as_shown};
use crate::app::App;
use crate::error::{Kind, Problem};
use crate::guard::Visit;

/// Resources of one transaction that may have changed since they were sent before.
const REVISIONS_MAX: usize = 64;

/// One event of a transaction.
struct Sent {
    event: Incoming,
    content: [u8; 32],
    place: Place,
    /// Where it corrects what the resource said before: the id that the resource is then found under.
    corrects: Option<EventId>,
}

/// Takes all resources or none; one that was sent before with other content is corrected.
pub(super) async fn take(visit: &Visit, read: Read) -> Result<Answered, Problem> {
    let mut sent = Vec::new();
    for item in read.items {
        let of_item = events_of(item.outcome)?;
        let (mut place, content) = (item.place, item.content);
        name_as_shown(&mut place, &of_item);
        sent.extend(of_item.into_iter().map(|event| Sent {
            event,
            content,
            place: place.clone(),
            corrects: None,
        }));
    }
    let events_max = visit.shared.limits.atomic_events_max;
    if sent.len() > events_max {
        let detail = format!("a transaction may become at most {events_max} events; send a batch");
        return Err(Problem::new(Kind::TooLarge, detail));
    }
    let app = &visit.shared.app;
    let caller = visit.caller()?;
    let hash = |parts: &[&[u8]]| app.derive(parts);
    let facility = caller.facility.as_deref();
    let context = Context::new(&read.source, facility, read.received, &hash)
        .map_err(|error| Problem::internal(&error))?;
    let mut revisions = 0;
    let receipts = loop {
        let digest = |sent: &Sent| ContentDigest::of_bytes(&sent.content);
        let events = sent.iter().map(|sent| (sent.event.clone(), digest(sent)));
        match app.submit_atomic(caller, events.collect()).await {
            Ok(receipts) => break receipts,
            Err((at, problem)) => {
                let taken = problem.kind() == Kind::IdTaken && revisions < REVISIONS_MAX;
                if !(taken && revise_in_place(app, &context, &mut sent, at)?) {
                    return Err(at_entry(problem, sent.get(at)));
                }
                revisions += 1;
            }
        }
    };
    let mut entries = vec![Value::Null; read.entries];
    for (sent, receipt) in sent.iter().zip(receipts) {
        let entry = sent.place.index.and_then(|index| entries.get(index));
        let answered = entry.is_some_and(|entry| !entry.is_null());
        if !answered {
            let receipt = Receipt {
                duplicate: receipt.duplicate || sent.corrects.is_some(),
                event_id: sent.corrects.unwrap_or(receipt.event_id),
                ..receipt
            };
            answer_entry(&mut entries, &sent.place, &Ok(receipt));
        }
    }
    Ok(Answered {
        transaction: true,
        entries,
    })
}

/// Puts corrections in the place of an event whose resource was sent before with other content; false when the event
/// is a correction itself.
fn revise_in_place(
    app: &App,
    context: &Context<'_>,
    sent: &mut Vec<Sent>,
    at: usize,
) -> Result<bool, Problem> {
    let Some(old) = sent.get(at).filter(|old| old.corrects.is_none()) else {
        return Ok(false);
    };
    let original = old.event.event.event_id;
    let kind = app.kind_of(original)?;
    let corrections = as_correction(context, original, kind, &old.event, &old.content);
    let (content, place) = (old.content, old.place.clone());
    let corrects = Some(found_under(original, &corrections));
    let corrections = corrections.into_iter().map(|event| Sent {
        event,
        content,
        place: place.clone(),
        corrects,
    });
    sent.splice(at..=at, corrections);
    Ok(true)
}

/// Says which entry a problem is about.
fn at_entry(problem: Problem, sent: Option<&Sent>) -> Problem {
    match sent {
        Some(sent) => problem.moved(|pointer| sent.place.of_event_pointer(pointer)),
        None => problem,
    }
}
