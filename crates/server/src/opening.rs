//! The server while the log is being opened: health says at once what it waits for, everything else waits a while.
//!
//! Invariant: no handler runs before the house is open, so nothing is answered from half of it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, Response};
use sokhoe_storage::LastStep;
use tokio::sync::SetOnce;
use tower::ServiceExt as _;

use crate::error::{Family, Kind, Problem};
use crate::routes::{alive, opening};

/// Where requests go: to the routes, once there are any. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    routes: Arc<SetOnce<Router>>,
    last: LastStep,
    patience: Duration,
}

impl Door {
    /// Makes a door that is closed; `last` says how far opening is.
    pub(crate) fn closed(last: LastStep, patience: Duration) -> Self {
        Self {
            routes: Arc::new(SetOnce::new()),
            last,
            patience,
        }
    }

    /// Lets requests through to the routes, those that wait first.
    pub(crate) fn open(&self, routes: Router) {
        // Only whoever opened the house opens its door, once.
        let _ = self.routes.set(routes);
    }

    /// Answers a request: by its route, or while there is none by how things stand.
    pub(crate) async fn answer(&self, request: Request) -> Response<Body> {
        let routes = match self.routes.get() {
            Some(routes) => routes,
            None => match request.uri().path() {
                "/livez" => return alive(),
                "/readyz" => return opening(self.last.get()),
                _ => match tokio::time::timeout(self.patience, self.routes.wait()).await {
                    Ok(routes) => routes,
                    Err(_) => return not_yet(),
                },
            },
        };
        match routes.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

fn not_yet() -> Response<Body> {
    let detail = "the log is being opened; /readyz says how far that is; send it again";
    let problem = Problem::new(Kind::Busy, detail);
    let problem = problem.with_header(RETRY_AFTER, HeaderValue::from_static("1"));
    problem.respond(Family::Plain, "none")
}
