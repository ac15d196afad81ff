//! The code lists in force: names, versions, validity, origin.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use serde_json::json;

use crate::error::Problem;
use crate::guard::{Answer, Visit};

pub(super) async fn lists(visit: Visit, _: Request) -> Answer {
    let lists = visit.shared.app.commands().catalogue().load().lists();
    let body = serde_json::to_vec(&json!({"items": lists, "next": null}))
        .map_err(|error| Problem::internal(&error))?;
    let mut response = Response::new(Body::from(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
