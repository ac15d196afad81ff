//! The feed: record events in the order of the log, as a batch, by long poll, or as a stream that goes on.
//!
//! A consumer is the position it has passed, and nothing is kept for it: it goes on from the last one it saw, over
//! any connection, and skips and repeats nothing. It is shown what its caller may read; what an event says comes
//! only when it is asked for.

mod follower;
mod stream;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_TYPE, LINK};
use axum::http::{HeaderMap, HeaderValue, Response};
use sokhoe_access::{Filter, may_search};
use sokhoe_exchange::CloudEvent;
use sokhoe_projections::Passed;
use sokhoe_record::Kind as EventKind;

use crate::clock::steady_now;
use crate::error::Problem;
use crate::guard::{Answer, Visit, permitted};
use crate::query::{Query, bad};
use crate::routes::people::personal;

use follower::{Follower, Terms};

const LAST_EVENT_ID: &str = "last-event-id";
const STREAM: &str = "text/event-stream";
const BATCH: HeaderValue = HeaderValue::from_static("application/cloudevents-batch+json");
/// Events of a batch unless asked otherwise.
const BATCH_EVENTS: u64 = 100;
/// Bytes of an answer or of one piece of a stream, after which it takes no further event.
const PIECE_BYTES: usize = 1 << 20;

/// Shows what follows a position.
pub(super) async fn follow(visit: Visit, request: Request) -> Answer {
    let purpose = visit.purpose(request.headers())?;
    let decision = may_search(visit.caller()?, purpose);
    let filter = permitted(decision.clone())?;
    let own = match &filter {
        // Whoever sees everything sees it of one person: themselves.
        Filter::All => Some(visit.caller()?.person.ok_or_else(Problem::not_found)?),
        Filter::OnlyFacility(_) | Filter::Shared(_) => None,
    };
    let known = ["after", "kind", "limit", "payload", "wait"];
    let query = Query::parse(request.uri().query(), &known)?;
    let limits = &visit.shared.limits;
    let terms = Terms {
        filter,
        own,
        kinds: kinds(&query)?,
        with_data: query.flag("payload")?,
        expires_at_s: visit.caller()?.expires_at_s,
        decision,
        purpose,
    };
    let streamed = wants_stream(request.headers());
    let after = match last_event_id(request.headers())? {
        Some(last) if streamed => last,
        _ => query.number("after")?.unwrap_or(0),
    };
    let durable = visit.shared.app.standing().durable;
    if after > durable {
        return Err(bad(format!(
            "there is no position {after}: the log ends at {durable}; go on from the last position received"
        )));
    }
    if streamed {
        if query.get("wait").is_some() || query.get("limit").is_some() {
            let detail = "wait and limit are for batches; a stream goes on by itself";
            return Err(bad(detail.to_owned()));
        }
        return Ok(stream::respond(Follower::join(visit, terms, after)?));
    }
    let limit = query.number("limit")?.unwrap_or(BATCH_EVENTS);
    let limit = usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .clamp(1, limits.page_items_max);
    let wait_s = query.number("wait")?.unwrap_or(0);
    let wait = std::time::Duration::from_secs(wait_s).min(limits.feed_wait_max);
    // What was acknowledged before the question is in the answer; views that are far behind keep nobody waiting.
    let caught_up = visit.shared.app.at_least(durable, limits.at_least_timeout);
    let _ = caught_up.await;
    let mut follower = Follower::join(visit, terms, after)?;
    let passed = follower.poll(limit, steady_now() + wait).await?;
    follower.witness(&passed).await?;
    batch(&follower, passed)
}

/// Writes a batch, as many of the events as fit; the position says how far it goes.
fn batch(follower: &Follower, passed: Passed) -> Answer {
    let mut bytes = vec![b'['];
    let mut position = passed.position;
    for (index, event) in passed.events.iter().enumerate() {
        if index > 0 {
            if bytes.len() > PIECE_BYTES {
                break;
            }
            bytes.push(b',');
        }
        write(&mut bytes, follower, event)?;
        let last = index + 1 == passed.events.len();
        position = if last {
            passed.position
        } else {
            event.position
        };
    }
    bytes.push(b']');
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, BATCH);
    let next = format!("</v1/feed?after={position}>; rel=\"next\"");
    let next = HeaderValue::from_str(&next).map_err(|error| Problem::internal(&error))?;
    headers.insert(LINK, next);
    personal(headers, position, None)?;
    Ok(response)
}

fn write(
    bytes: &mut Vec<u8>,
    follower: &Follower,
    event: &sokhoe_record::RecordedEvent,
) -> Result<(), Problem> {
    let event = CloudEvent {
        event,
        source: follower.source(),
        with_data: follower.with_data(),
    };
    serde_json::to_writer(bytes, &event).map_err(|error| Problem::internal(&error))
}

fn kinds(query: &Query) -> Result<Vec<EventKind>, Problem> {
    let Some(names) = query.get("kind") else {
        return Ok(Vec::new());
    };
    let kind = |name: &str| {
        EventKind::from_word(name)
            .ok_or_else(|| bad("the query parameter kind must name kinds of events".to_owned()))
    };
    names.split(',').map(kind).collect()
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accepts.is_some_and(|accepts| {
        let mut types = accepts.split(',').filter_map(|part| part.split(';').next());
        types.any(|media_type| media_type.trim().eq_ignore_ascii_case(STREAM))
    })
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else {
        return Ok(None);
    };
    let position = value.to_str().ok().and_then(|text| text.parse().ok());
    position.map(Some).ok_or_else(|| {
        bad("the header Last-Event-ID must be a position that the feed gave out".to_owned())
    })
}
