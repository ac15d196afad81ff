//! The way of every request: who asks, may this role come here, the handler, the log line, the counters.
//!
//! No handler runs for a caller that its route does not admit. Log lines carry the route's template, never the path,
//! so that no one's id gets into a log.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use bytes::Bytes;
use sokhoe_access::{Filter, Principal, Purpose, PurposeError, ReadDecision, purpose_of_read};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::app::App;
use crate::auth::Tokens;
use crate::body::{STRANGERS_BYTES_MAX, expect_type, throw_away};
use crate::clock::steady_now;
use crate::coding::Coding;
use crate::config::Limits;
use crate::disclosure::Glasses;
use crate::error::{Kind, Problem};
use crate::metrics::Metrics;
use crate::routes::{Access, Route};

/// The header that names a request in answers and logs.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header in which staff say why they read.
const PURPOSE: &str = "sokhoe-purpose";

/// What a handler answers.
pub(crate) type Answer = Result<Response<Body>, Problem>;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) app: App,
    pub(crate) limits: Limits,
    pub(crate) tokens: Tokens,
    pub(crate) metrics: Arc<Metrics>,
    /// The description, written when it is first asked for.
    pub(crate) openapi: OnceLock<Bytes>,
    /// Places for single events on their way.
    pub(crate) events: Semaphore,
    pub(crate) batches: Arc<Semaphore>,
    /// Room for large bodies, those that are answered among them.
    pub(crate) large: Arc<Semaphore>,
    /// Room for what changes the whole server: a rebuild or a new code list, one at a time.
    pub(crate) administration: Arc<Semaphore>,
    /// Places for consumers of the feed, and turns to read the log for one.
    pub(crate) followers: Arc<Semaphore>,
    pub(crate) feed_readers: Arc<Semaphore>,
    /// Places for tiles and proofs that are being made.
    pub(crate) provers: Arc<Semaphore>,
    /// The log as the source of its events.
    pub(crate) feed_source: String,
    /// Glasses that are broken now.
    pub(crate) glasses: Glasses,
    /// Turns true when the server stops, for answers that would go on.
    pub(crate) closing: watch::Receiver<bool>,
    /// Where the server is reached, without a trailing slash.
    pub(crate) base_url: String,
    pub(crate) requests: AtomicU64,
    /// When this run began, which tells its requests from those of another.
    pub(crate) run_us: i64,
}

impl Shared {
    /// Takes the place of the one who changes what all share.
    pub(crate) fn administer(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.administration)
            .try_acquire_owned()
            .map_err(|_| Problem::busy())
    }

    /// Takes a place for making one tile or proof.
    pub(crate) fn prove(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.provers)
            .try_acquire_owned()
            .map_err(|_| Problem::busy())
    }

    /// Takes room for one large body.
    pub(crate) fn room(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.large)
            .try_acquire_owned()
            .map_err(|_| Problem::busy())
    }
}

/// What a handler knows beside the request itself.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) shared: Arc<Shared>,
    /// The request's name in answers, logs and access streams.
    pub(crate) request_id: String,
    principal: Option<Arc<Principal>>,
    parameters: Vec<(Arc<str>, Arc<str>)>,
}

impl Visit {
    /// Returns who asks.
    pub(crate) fn caller(&self) -> Result<&Arc<Principal>, Problem> {
        self.principal
            .as_ref()
            .ok_or_else(|| Problem::unauthenticated("a token is needed here"))
    }

    /// Returns a part of the path by its name in the template.
    pub(crate) fn part(&self, name: &str) -> Result<&str, Problem> {
        let part = self.parameters.iter().find(|(known, _)| &**known == name);
        part.map(|(_, value)| &**value)
            .ok_or_else(Problem::not_found)
    }

    /// Returns why the caller reads, as implied by its role or said in the header.
    pub(crate) fn purpose(&self, headers: &HeaderMap) -> Result<Purpose, Problem> {
        let stated = headers
            .get(PURPOSE)
            .map(|value| value.to_str().unwrap_or_default());
        purpose_of_read(self.caller()?.role, stated).map_err(|error| {
            let detail = match error {
                PurposeError::Missing => {
                    "name the purpose of the read in the header Sokhoe-Purpose: \
                     TREAT, ETREAT, PATRQT, PUBHLTH, HRESCH or HOPERAT"
                }
                PurposeError::Unknown => {
                    "the header Sokhoe-Purpose must be one of \
                     TREAT, ETREAT, PATRQT, PUBHLTH, HRESCH, HOPERAT"
                }
            };
            Problem::new(Kind::Purpose, detail)
        })
    }
}

/// Turns a decision about a read into how much may be seen, or the problem that the caller gets.
pub(crate) fn permitted(decision: ReadDecision) -> Result<Filter, Problem> {
    match decision {
        ReadDecision::Permit { filter, .. } => Ok(filter),
        ReadDecision::Hidden { .. } => Err(Problem::not_found()),
        ReadDecision::Denied(denial) => Err(denied(&denial)),
    }
}

/// Makes the problem of a denial, with the rule it follows from.
pub(crate) fn denied(denial: &sokhoe_access::Denial) -> Problem {
    Problem::new(
        Kind::Forbidden,
        format!("{} (rule {})", denial.because, denial.rule),
    )
}

/// Serves one request of a route.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    index: usize,
    route: &'static Route,
    parameters: Option<RawPathParams>,
    request: Request,
) -> Response<Body> {
    let started = steady_now();
    let number = shared.requests.fetch_add(1, Ordering::Relaxed);
    let request_id = format!("{:x}-{number:x}", shared.run_us);
    let (metrics, reads) = (Arc::clone(&shared.metrics), route.method.reads());
    let answer = match admit(&shared, route, &request) {
        Ok((principal, coding)) => {
            let visit = Visit {
                shared,
                request_id: request_id.clone(),
                principal,
                parameters: parameters.map(own).unwrap_or_default(),
            };
            let request = match coding {
                Some(coding) => coding.decode(request),
                None => Ok(request),
            };
            match request {
                Ok(request) => (route.handler)(visit, request).await,
                Err(problem) => Err(problem),
            }
        }
        Err(problem) => {
            throw_away(request.into_body(), STRANGERS_BYTES_MAX).await;
            Err(problem)
        }
    };
    let mut response = answer.unwrap_or_else(|problem| problem.respond(route.family, &request_id));
    let headers = response.headers_mut();
    if reads {
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    let status = response.status().as_u16();
    let took = steady_now() - started;
    metrics.answered(index, status, took);
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let (method, route) = (route.method.word(), route.path);
    match status {
        500.. => tracing::warn!(method, route, status, took_us, request_id, "request"),
        400.. => tracing::info!(method, route, status, took_us, request_id, "request"),
        _ => tracing::debug!(method, route, status, took_us, request_id, "request"),
    }
    response
}

/// Decides whether a request comes through the door: token, role, content type and coding.
fn admit(
    shared: &Shared,
    route: &Route,
    request: &Request,
) -> Result<(Option<Arc<Principal>>, Option<Coding>), Problem> {
    let principal = match route.access {
        Access::Anonymous => None,
        Access::Loopback => {
            let peer = request.extensions().get::<Peer>();
            if !peer.is_some_and(|peer| peer.0.is_loopback()) {
                return Err(Problem::not_found());
            }
            None
        }
        Access::Roles(roles) => {
            let now_s = shared.app.now_s();
            let principal = shared.tokens.principal(request, now_s, &shared.metrics)?;
            if !roles.contains(&principal.role) {
                let detail = "the token's role has no business here";
                return Err(Problem::new(Kind::Forbidden, detail));
            }
            Some(principal)
        }
    };
    let mut coding = None;
    if let Some(accepted) = route.accepts {
        expect_type(request.headers(), accepted)?;
        coding = Coding::of(request.headers())?;
    }
    Ok((principal, coding))
}

/// Where a connection comes from; set by the accept loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The system that a connection's certificate speaks for; set by the accept loop.
#[derive(Debug, Clone)]
pub(crate) struct Certified(pub(crate) Arc<Principal>);

fn own(parameters: RawPathParams) -> Vec<(Arc<str>, Arc<str>)> {
    parameters
        .iter()
        .map(|(name, value)| (Arc::from(name), Arc::from(value)))
        .collect()
}
