//! FHIR R4: bundles in, single resources out, and what is supported.
//!
//! `exchange` translates; here the entries' events are submitted and each entry gets its answer. A transaction is one
//! atomic request, a batch is not.

use std::sync::Arc;

use crate::stand_in::{ContentDigest, Receipt};
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use serde_json::{Value, json};
use sokhoe_access::may_read;
use sokhoe_exchange::fhir::{
    Context, Item, Outcome, capability_statement, read_document, translate,
};
use sokhoe_record::{EventId, Incoming, Instant, PersonId};

use crate::app::Pending;
use crate::body::read_whole;
use crate::error::{Kind, Problem, status_code};
use crate::guard::{Answer, Visit, permitted};
use crate::intake;
use crate::query::Query;
use crate::routes::people::personal;

/// The source that bundles come from unless they say.
const SOURCE: &str = "fhir";

pub(super) async fn metadata(visit: Visit, _: Request) -> Answer {
    let base_url = format!("http://{}/fhir/R4", visit.shared.address);
    let since = Instant::from_micros(visit.shared.run_us)
        .local_day()
        .to_string();
    let statement = capability_statement(&base_url, env!("CARGO_PKG_VERSION"), &since);
    fhir(statement)
}

/// Takes a Bundle and answers a Bundle with one response per entry.
pub(super) async fn bundle(visit: Visit, request: Request) -> Answer {
    let query = Query::parse(request.uri().query(), &["source"])?;
    let source = query.get("source").unwrap_or(SOURCE).to_owned();
    let shared = &visit.shared;
    let limits = &shared.limits;
    let room = shared.room()?;
    let bytes = read_whole(
        request.into_body(),
        "a bundle",
        limits.bundle_bytes_max,
        limits,
    )
    .await?;
    let read = read_bundle(&visit, source, bytes).await?;
    let entries = if read.transaction {
        transaction(&visit, read).await?
    } else {
        batch(&visit, read).await?
    };
    drop(room);
    let kind = if entries.transaction {
        "transaction-response"
    } else {
        "batch-response"
    };
    fhir(json!({"resourceType": "Bundle", "type": kind, "entry": entries.entries}))
}

/// A bundle as events.
struct Read {
    transaction: bool,
    entries: usize,
    items: Vec<Item>,
}

struct Answered {
    transaction: bool,
    entries: Vec<Value>,
}

/// Parses and translates off the async threads: a large bundle takes a while.
async fn read_bundle(visit: &Visit, source: String, bytes: Bytes) -> Result<Read, Problem> {
    let facility = visit.caller()?.facility.clone();
    let shared = Arc::clone(&visit.shared);
    let received = Instant::from_micros(shared.app.clock.now_us());
    let read = tokio::task::spawn_blocking(move || {
        let node = read_document(&bytes).map_err(|error| intake::malformed(&error))?;
        if node.text("resourceType") != Some("Bundle") {
            return Err(Problem::field(
                "/resourceType",
                "unknown_word",
                "expected Bundle",
            ));
        }
        let transaction = match node.text("type") {
            Some("transaction") => true,
            Some("batch") => false,
            _ => {
                return Err(Problem::field(
                    "/type",
                    "unknown_word",
                    "expected transaction or batch",
                ));
            }
        };
        let hash = |parts: &[&[u8]]| shared.app.derive(parts);
        let context = Context::new(&source, facility.as_deref(), received, &hash)
            .map_err(|error| Problem::new(Kind::BadRequest, error.to_string()))?;
        let items = translate(&node, &context);
        Ok(Read {
            transaction,
            entries: node.items("entry").len(),
            items,
        })
    });
    read.await.map_err(|error| Problem::internal(&error))?
}

/// What became of one item: its first receipt, or the first problem.
type Became = Result<Receipt, Problem>;

async fn batch(visit: &Visit, read: Read) -> Result<Answered, Problem> {
    let caller = visit.caller()?;
    let mut started: Vec<(Option<usize>, String, Result<Vec<Pending>, Problem>)> = Vec::new();
    for item in read.items {
        let digest = ContentDigest::of_bytes(&item.content);
        let place = (item.place.index, item.place.resource_type);
        let pending = match events_of(item.outcome) {
            Ok(events) => {
                let mut pending = Vec::with_capacity(events.len());
                for event in events {
                    pending.push(visit.shared.app.start(caller, event, digest).await);
                }
                Ok(pending)
            }
            Err(problem) => Err(problem),
        };
        started.push((place.0, place.1, pending));
    }
    let mut entries = vec![Value::Null; read.entries];
    for (index, resource_type, pending) in started {
        let became = match pending {
            Ok(pending) => first_of(pending).await,
            Err(problem) => Err(problem),
        };
        answer_entry(&mut entries, index, &resource_type, &became);
    }
    Ok(Answered {
        transaction: false,
        entries,
    })
}

async fn first_of(pending: Vec<Pending>) -> Became {
    let mut first: Option<Receipt> = None;
    for event in pending {
        let receipt = event.await?;
        first.get_or_insert(receipt);
    }
    first.ok_or_else(|| Problem::field("", "not_supported", "expected a resource to keep"))
}

async fn transaction(visit: &Visit, read: Read) -> Result<Answered, Problem> {
    let mut events: Vec<(Incoming, ContentDigest)> = Vec::new();
    let mut owners: Vec<(Option<usize>, String)> = Vec::new();
    for item in read.items {
        let digest = ContentDigest::of_bytes(&item.content);
        let of_item = events_of(item.outcome)?;
        for event in of_item {
            owners.push((item.place.index, item.place.resource_type.clone()));
            events.push((event, digest));
        }
    }
    let events_max = visit.shared.limits.atomic_events_max;
    if events.len() > events_max {
        let detail = format!("a transaction may become at most {events_max} events; send a batch");
        return Err(Problem::new(Kind::TooLarge, detail));
    }
    let receipts = visit
        .shared
        .app
        .submit_atomic(visit.caller()?, events)
        .await;
    let receipts = receipts.map_err(|(at, problem)| match owners.get(at) {
        Some((Some(index), _)) => problem.within(&format!("/entry/{index}/resource")),
        _ => problem,
    })?;
    let mut entries = vec![Value::Null; read.entries];
    for ((index, resource_type), receipt) in owners.into_iter().zip(receipts) {
        let taken = index
            .and_then(|index| entries.get(index))
            .is_some_and(|entry| !entry.is_null());
        if !taken {
            answer_entry(&mut entries, index, &resource_type, &Ok(receipt));
        }
    }
    Ok(Answered {
        transaction: true,
        entries,
    })
}

fn events_of(outcome: Outcome) -> Result<Vec<Incoming>, Problem> {
    match outcome {
        Outcome::Events(events) => Ok(events),
        Outcome::Kept { event, .. } => Ok(vec![*event]),
        Outcome::Refused(refused) => Err(Problem::field(
            refused.pointer,
            refused.code,
            refused.detail,
        )),
    }
}

fn answer_entry(entries: &mut [Value], index: Option<usize>, resource_type: &str, became: &Became) {
    let Some(entry) = index.and_then(|index| entries.get_mut(index)) else {
        return;
    };
    let status_line = |status| {
        let reason = status_code(status).canonical_reason().unwrap_or_default();
        format!("{status} {reason}")
    };
    *entry = match became {
        Ok(receipt) => {
            let id = match (resource_type, receipt.person_id) {
                ("Patient", Some(person)) => person.to_string(),
                _ => receipt.event_id.to_string(),
            };
            json!({"response": {
                "status": status_line(intake::accepted(receipt)),
                "location": format!("{resource_type}/{id}"),
                "etag": format!("W/\"{}\"", receipt.version),
                "lastModified": receipt.recorded_at.to_string(),
            }})
        }
        Err(problem) => json!({"response": {
            "status": status_line(problem.status()),
            "outcome": problem.outcome(),
        }}),
    };
}

/// Shows one resource: a person as Patient, an event as the resource it is or came from.
pub(super) async fn resource(visit: Visit, request: Request) -> Answer {
    let purpose = visit.purpose(&request)?;
    let resource_type = visit.part("type")?;
    let id = visit.part("id")?;
    let shared = &visit.shared;
    let person = match resource_type {
        "Patient" => PersonId::parse(id).ok(),
        _ => EventId::parse(id)
            .ok()
            .and_then(|event| shared.app.person_of(event)),
    };
    let person = person.ok_or_else(Problem::not_found)?;
    let filter = permitted(may_read(visit.caller()?, purpose, person))?;
    let shown = shared.app.resource(&filter, person, resource_type, id)?;
    let (resource, position) = shown.ok_or_else(Problem::not_found)?;
    let mut response = fhir(resource)?;
    personal(response.headers_mut(), position, None)?;
    Ok(response)
}

fn fhir(value: Value) -> Answer {
    let mut response = Response::new(Body::from(value.to_string()));
    let media_type = HeaderValue::from_static("application/fhir+json");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    Ok(response)
}
