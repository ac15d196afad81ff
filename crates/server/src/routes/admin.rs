//! What an administrator does to the whole server.

use axum::extract::Request;
use serde_json::json;

use crate::body::{STRANGERS_BYTES_MAX, throw_away};
use crate::error::status;
use crate::guard::{Answer, Visit};
use crate::query::Query;
use crate::routes::events::json;

/// Makes the projections anew beside the live ones, then swaps; goes on when the caller goes away.
pub(super) async fn rebuild(visit: Visit, request: Request) -> Answer {
    Query::parse(request.uri().query(), &[])?;
    throw_away(request.into_body(), STRANGERS_BYTES_MAX).await;
    let place = visit.shared.administer()?;
    let position = visit.shared.app.rebuild(place).await?;
    tracing::info!(position, "projections rebuilt");
    json(status::OK, &json!({"position": position}))
}

/// Commits to all stream heads now, though the hour is not over; goes on when the caller goes away.
pub(super) async fn heads(visit: Visit, request: Request) -> Answer {
    Query::parse(request.uri().query(), &[])?;
    throw_away(request.into_body(), STRANGERS_BYTES_MAX).await;
    let place = visit.shared.administer()?;
    let commitment = visit.shared.app.commit_heads(place).await?;
    let event = &commitment.event;
    let answer = json!({
        "position": event.frame.position.get(),
        "hash": event.frame.hash().to_string(),
        "as_of": event.as_of.get(),
        "streams": event.heads.streams,
        "root": event.heads.root.to_string(),
    });
    json(status::OK, &answer)
}
