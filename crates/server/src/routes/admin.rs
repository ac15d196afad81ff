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
