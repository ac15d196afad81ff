//! Health, metrics and the checkpoint: how the server stands, without a token and without anyone's data.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use serde_json::json;
use sokhoe_storage::Step;

use crate::error::{Problem, status, status_code};
use crate::guard::{Answer, Visit};

pub(super) async fn live(_: Visit, _: Request) -> Answer {
    Ok(alive())
}

/// The process runs and answers.
pub(crate) fn alive() -> Response<Body> {
    json_answer(status::OK, json!({"live": true}))
}

/// Not ready, because the log is still being opened; says how far that is.
pub(crate) fn opening(last: Option<Step>) -> Response<Body> {
    let because = match last {
        Some(Step {
            doing,
            done,
            total,
            unit,
        }) => format!("{doing}: {done} of {total} {unit}"),
        None => "it is being opened".to_owned(),
    };
    let body = json!({
        "ready": false,
        "reasons": [{"part": "log", "because": because}],
        "position": null,
        "projected": null,
    });
    json_answer(status::UNAVAILABLE, body)
}

/// Ready means: the writer takes events, and reads have reached the log's end found at start.
pub(super) async fn ready(visit: Visit, _: Request) -> Answer {
    let standing = visit.shared.app.standing();
    let mut reasons = Vec::new();
    if let Some(reason) = &standing.writer_stopped {
        reasons.push(json!({"part": "writer", "because": reason}));
    }
    if standing.views_stopped {
        reasons.push(json!({"part": "projections", "because": "an event could not be read"}));
    }
    if standing.reached < standing.ready_at {
        let because = format!(
            "at position {} of {} found at start",
            standing.reached, standing.ready_at
        );
        reasons.push(json!({"part": "projections", "because": because}));
    }
    let status = if reasons.is_empty() {
        status::OK
    } else {
        status::UNAVAILABLE
    };
    let mut warnings = Vec::new();
    if standing.checkpoint_late {
        // Events are durable all the same.
        let because = "the signed checkpoint cannot be stored; see the server's log";
        warnings.push(json!({"part": "checkpoint", "because": because}));
    }
    let body = json!({
        "ready": reasons.is_empty(),
        "reasons": reasons,
        "warnings": warnings,
        "position": standing.durable,
        "projected": standing.reached,
    });
    Ok(json_answer(status, body))
}

pub(super) async fn metrics(visit: Visit, _: Request) -> Answer {
    let standing = visit.shared.app.standing();
    let gauges = [
        ("sokhoe_position", "gauge", standing.durable),
        ("sokhoe_projected_position", "gauge", standing.reached),
        (
            "sokhoe_writer_running",
            "gauge",
            u64::from(standing.writer_stopped.is_none()),
        ),
    ];
    let text = visit.shared.metrics.text(&gauges);
    Ok(text_answer(
        "text/plain; version=0.0.4; charset=utf-8",
        text,
    ))
}

/// The signed note as C2SP tlog-tiles has it.
pub(super) async fn checkpoint(visit: Visit, _: Request) -> Answer {
    match visit.shared.app.checkpoint().await {
        Some(note) => Ok(text_answer("text/plain; charset=utf-8", note)),
        None => Err(Problem::not_reached(
            "there is no checkpoint yet; ask again",
        )),
    }
}

fn text_answer(media_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn json_answer(status: u16, body: serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status_code(status);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
