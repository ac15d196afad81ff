//! One event in, its receipt out; and blobs that later events name.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use serde::Serialize;

use crate::body::read_whole;
use crate::error::{Problem, status, status_code};
use crate::guard::{Answer, Visit};
use crate::intake;

/// Answers after the event is durable; the request may go away meanwhile without harm.
pub(super) async fn append(visit: Visit, request: Request) -> Answer {
    let shared = &visit.shared;
    let limits = &shared.limits;
    let bytes = read_whole(
        request.into_body(),
        "an event",
        limits.event_bytes_max,
        limits,
    )
    .await?;
    // Taken only now, so that a body which comes slowly keeps nobody out.
    let _place = shared.events.try_acquire().map_err(|_| Problem::busy())?;
    let (incoming, digest) = intake::read(&bytes)?;
    drop(bytes);
    let receipt = shared.app.submit(visit.caller()?, incoming, digest).await?;
    json(intake::accepted(&receipt), &receipt)
}

/// Answers after the blob is durable, so that an event can name it.
pub(super) async fn keep_blob(visit: Visit, request: Request) -> Answer {
    let shared = &visit.shared;
    let limits = &shared.limits;
    let _room = shared.room()?;
    let bytes = read_whole(request.into_body(), "a blob", limits.blob_bytes_max, limits).await?;
    if bytes.is_empty() {
        return Err(Problem::field("", "empty", "expected at least one byte"));
    }
    let blob = shared.app.keep_blob(visit.caller()?, bytes).await?;
    json(status::CREATED, &blob)
}

/// Answers a value as JSON.
pub(super) fn json(status: u16, value: &impl Serialize) -> Answer {
    let bytes = serde_json::to_vec(value).map_err(|error| Problem::internal(&error))?;
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status_code(status);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
