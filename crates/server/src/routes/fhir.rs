//! FHIR R4: bundles in, single resources out, and what is supported.
//!
//! `exchange` translates; here the entries' events are submitted and each entry gets its answer. A transaction is one
//! atomic request, a batch is not.

mod transaction;

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use serde_json::{Value, json};
use sokhoe_access::Principal;
use sokhoe_commands::{ContentDigest, Receipt, Refusal, Submission};
use sokhoe_exchange::fhir::{
    Context, Item, Outcome, Place, as_correction, capability_statement, read_document,
    rendered_type, translate,
};
use sokhoe_projections::Extent;
use sokhoe_record::{EventId, Incoming, Instant, Interface, PersonId};

use crate::app::App;
use crate::body::read_whole;
use crate::disclosure::NOBODY;
use crate::error::{Kind, Problem, status_code};
use crate::guard::{Answer, Visit};
use crate::intake;
use crate::query::Query;
use crate::resources::{self, Resource};
use crate::routes::people::personal;

/// The source that bundles come from unless they say.
const SOURCE: &str = "fhir";

pub(super) async fn metadata(visit: Visit, _: Request) -> Answer {
    let base_url = format!("{}/fhir/R4", visit.shared.base_url);
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
        transaction::take(&visit, read).await?
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
    source: String,
    received: Instant,
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
    let received = Instant::from_micros(shared.app.now_us());
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
        if node
            .get("entry")
            .is_some_and(|entry| entry.as_list().is_none())
        {
            return Err(Problem::field(
                "/entry",
                "wrong_type",
                "expected a list of entries",
            ));
        }
        let hash = |parts: &[&[u8]]| shared.app.derive(parts);
        let context = Context::new(&source, facility.as_deref(), received, &hash)
            .map_err(|error| Problem::new(Kind::BadRequest, error.to_string()))?;
        let items = translate(&node, &context);
        let entries = node.items("entry").len();
        Ok(Read {
            source,
            received,
            transaction,
            entries,
            items,
        })
    });
    read.await.map_err(|error| Problem::internal(&error))?
}

/// What became of one item: its first receipt, or the first problem.
type Became = Result<Receipt, Problem>;

async fn batch(visit: &Visit, read: Read) -> Result<Answered, Problem> {
    let app = &visit.shared.app;
    let caller = visit.caller()?;
    let hash = |parts: &[&[u8]]| app.derive(parts);
    let context = Context::new(
        &read.source,
        caller.facility.as_deref(),
        read.received,
        &hash,
    )
    .map_err(|error| Problem::internal(&error))?;
    let mut batch = Batch {
        app,
        caller,
        context,
        submission: app.submission(caller),
        waiting: VecDeque::new(),
        entries: vec![Value::Null; read.entries],
    };
    for item in read.items {
        batch.start(item).await;
        while batch.submission.full() {
            batch.answer_next().await;
        }
    }
    while batch.answer_next().await {}
    Ok(Answered {
        transaction: false,
        entries: batch.entries,
    })
}

/// A batch under way: items in the submission, and the answers so far.
struct Batch<'b> {
    app: &'b App,
    caller: &'b Principal,
    context: Context<'b>,
    submission: Submission,
    waiting: VecDeque<Waiting>,
    entries: Vec<Value>,
}

/// An item whose entry has no answer yet.
struct Waiting {
    place: Place,
    content: [u8; 32],
    /// Its events in the submission, or why there are none.
    events: Result<Vec<Incoming>, Problem>,
}

impl Batch<'_> {
    async fn start(&mut self, item: Item) {
        let Item {
            mut place,
            content,
            outcome,
        } = item;
        let events = events_of(outcome);
        name_as_shown(&mut place, events.as_deref().unwrap_or_default());
        for event in events.as_deref().unwrap_or_default() {
            self.submission
                .push(event.clone(), ContentDigest::of_bytes(&content))
                .await;
        }
        self.waiting.push_back(Waiting {
            place,
            content,
            events,
        });
    }

    /// Answers the entry of the oldest item; false when there is none.
    async fn answer_next(&mut self) -> bool {
        let Some(item) = self.waiting.pop_front() else {
            return false;
        };
        let became = self.outcome(item.events, &item.place, &item.content).await;
        answer_entry(&mut self.entries, &item.place, &became);
        true
    }

    /// The first event speaks for the resource, unless a later one is not taken.
    async fn outcome(
        &mut self,
        events: Result<Vec<Incoming>, Problem>,
        place: &Place,
        content: &[u8; 32],
    ) -> Became {
        let mut became: Option<Became> = None;
        for event in events? {
            let answer = match self
                .submission
                .next()
                .await
                .unwrap_or(Err(Refusal::Internal))
            {
                Err(Refusal::IdTaken) => self.revise(&event, content).await,
                answer => answer.map_err(Problem::from),
            };
            let answer =
                answer.map_err(|problem| problem.moved(|pointer| place.of_event_pointer(pointer)));
            if !matches!((&became, &answer), (Some(Err(_)), _) | (Some(Ok(_)), Ok(_))) {
                became = Some(answer);
            }
        }
        became.unwrap_or_else(|| Err(Problem::field("", "not_supported", "expected a resource")))
    }

    /// The source sent the resource before with other content: the change becomes a correction.
    async fn revise(&self, event: &Incoming, content: &[u8; 32]) -> Became {
        let original = event.event.event_id;
        let kind = self.app.kind_of(original)?;
        let digest = ContentDigest::of_bytes(content);
        let mut last = Err(Problem::from(Refusal::IdTaken));
        let corrections = as_correction(&self.context, original, kind, event, content);
        let event_id = found_under(original, &corrections);
        for correction in corrections {
            last = self.app.submit(self.caller, correction, digest).await;
            // FHIR calls this an update, which is 200.
            last = Ok(Receipt {
                duplicate: true,
                event_id,
                ..last?
            });
        }
        last
    }
}

/// The id under which a resource is shown after `corrections`: its own, unless it was taken back and said again.
fn found_under(original: EventId, corrections: &[Incoming]) -> EventId {
    match corrections {
        [_, .., again] => again.event.event_id,
        _ => original,
    }
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

/// A resource is found again under the type that its first event is shown as.
fn name_as_shown(place: &mut Place, events: &[Incoming]) {
    if let Some(shown_as) = events.first().and_then(|first| rendered_type(&first.event)) {
        shown_as.clone_into(&mut place.resource_type);
    }
}

fn answer_entry(entries: &mut [Value], place: &Place, became: &Became) {
    let resource_type = place.resource_type.as_str();
    let Some(entry) = place.index.and_then(|index| entries.get_mut(index)) else {
        return;
    };
    let status_line = |status| {
        let reason = status_code(status).canonical_reason().unwrap_or_default();
        format!("{status} {reason}")
    };
    *entry = match became {
        Ok(receipt) => {
            let mut response = json!({
                "status": status_line(intake::accepted(receipt)),
                "etag": format!("W/\"{}\"", receipt.version),
                "lastModified": receipt.recorded_at.to_string(),
            });
            // Only what is in a person's record is shown as a resource.
            if let Some(person) = receipt.person_id {
                let id = match resource_type {
                    "Patient" => person.to_string(),
                    _ => receipt.event_id.to_string(),
                };
                response["location"] = json!(format!("{resource_type}/{id}"));
            }
            json!({"response": response})
        }
        Err(problem) => json!({"response": {
            "status": status_line(problem.status()),
            "outcome": problem.outcome(),
        }}),
    };
}

/// Shows one resource: a person as Patient, an event as the resource it is or came from.
pub(super) async fn resource(visit: Visit, request: Request) -> Answer {
    let purpose = visit.purpose(request.headers())?;
    // Answers are JSON whatever these say.
    Query::parse(request.uri().query(), &["_format", "_pretty"])?;
    let app = &visit.shared.app;
    let (resource_type, id) = (visit.part("type")?.to_owned(), visit.part("id")?);
    let event = if resource_type == "Patient" {
        None
    } else {
        let event = match EventId::parse(id) {
            Ok(id) => app.event(id).await?,
            Err(_) => None,
        };
        let Some(event) = event else {
            return Err(visit.absent(purpose, Interface::Resource).await);
        };
        Some(event)
    };
    let person = match &event {
        Some(event) => event.person,
        // An id that is none is answered like one that nobody has.
        None => PersonId::parse(id).unwrap_or(NOBODY),
    };
    let headers = request.headers();
    let allowed = visit.allow(headers, purpose, person, Interface::Resource);
    let allowed = allowed.await?;
    let Some(seen) = app.shown(allowed.filter.clone(), allowed.person).await? else {
        return Err(visit.nothing(allowed).await);
    };
    let shown = match &event {
        Some(event) => resources::of_event(&seen, event, &resource_type),
        None => resources::patient(&seen),
    };
    match shown {
        Resource::Shown(resource, extent) => {
            let disclosed = visit.disclose(&allowed, &extent, seen.position, false);
            disclosed.await?;
            let mut response = fhir(resource)?;
            personal(response.headers_mut(), seen.position, None)?;
            Ok(response)
        }
        Resource::Voided => {
            let extent = Extent::default();
            let disclosed = visit.disclose(&allowed, &extent, seen.position, false);
            disclosed.await?;
            Err(Problem::new(
                Kind::Gone,
                "a correction took this resource back",
            ))
        }
        Resource::Nothing => Err(visit.nothing(allowed).await),
    }
}

pub(super) fn fhir(value: Value) -> Answer {
    let mut response = Response::new(Body::from(value.to_string()));
    let media_type = HeaderValue::from_static("application/fhir+json");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    Ok(response)
}
