//! Many events line by line: results stream back in order while lines still come in.
//!
//! Two tasks per batch: one reads and submits, held back by a window of lines and bytes in flight; one writes results
//! as they become durable. Results of a sender who does not read while it writes are kept up to a limit, then reading
//! stops until it does. The tasks live as long as the answer's body does.

use std::sync::Arc;

use crate::stand_in::Receipt;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use sokhoe_access::Principal;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::app::Pending;
use crate::body::{Line, Lines, read_whole};
use crate::error::{Kind, Problem, status, status_code};
use crate::guard::{Answer, Shared, Visit};
use crate::intake;
use crate::query::Query;

/// Results are gathered up to this many bytes before they are sent on.
const CHUNK_BYTES: usize = 16 << 10;
const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

pub(super) async fn append(visit: Visit, request: Request) -> Answer {
    let query = Query::parse(request.uri().query(), &["atomic"])?;
    let batches = Arc::clone(&visit.shared.batches);
    let place = batches.try_acquire_owned().map_err(|_| Problem::busy())?;
    if query.flag("atomic")? {
        return atomic(visit, request.into_body()).await;
    }
    let principal = Arc::clone(visit.caller()?);
    let body = stream(visit.shared, principal, request.into_body(), place);
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, NDJSON);
    Ok(response)
}

/// What became of one line so far.
struct Submitted {
    line: u64,
    outcome: Result<Pending, Problem>,
    /// Gives its place in the window back when the result is known.
    _bytes: Option<OwnedSemaphorePermit>,
}

/// Result lines on their way to the sender.
struct Chunk {
    bytes: Vec<u8>,
    kept: OwnedSemaphorePermit,
}

/// The room for results that the sender has not read yet.
struct Kept {
    room: Arc<Semaphore>,
    bytes_max: usize,
}

fn stream(
    shared: Arc<Shared>,
    principal: Arc<Principal>,
    body: Body,
    place: OwnedSemaphorePermit,
) -> Body {
    let limits = &shared.limits;
    let lines = Lines::new(body, limits.event_bytes_max, limits.body_pause_timeout);
    let bytes_max = limits.batch_result_bytes_max;
    let kept = Kept {
        room: Arc::new(Semaphore::new(bytes_max)),
        bytes_max,
    };
    let (submitted, results) = mpsc::channel(limits.batch_window_lines);
    // Bounded by the bytes kept, not by a count.
    let (chunks, sent) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(read(shared, principal, lines, submitted));
    tasks.spawn(write(results, chunks, kept));
    let state = (sent, tasks, place);
    Body::from_stream(stream::unfold(
        state,
        |(mut sent, tasks, place)| async move {
            let chunk: Chunk = sent.recv().await?;
            drop(chunk.kept);
            Some((
                Ok::<_, std::convert::Infallible>(Bytes::from(chunk.bytes)),
                (sent, tasks, place),
            ))
        },
    ))
}

/// Reads and submits lines until the body ends or nobody wants the results any more.
async fn read(
    shared: Arc<Shared>,
    principal: Arc<Principal>,
    mut lines: Lines,
    submitted: mpsc::Sender<Submitted>,
) {
    let window_bytes = shared.limits.batch_window_bytes;
    let window = Arc::new(Semaphore::new(window_bytes));
    for number in 1.. {
        let (outcome, bytes) = match lines.next().await {
            Ok(None) => return,
            Err(problem) => (Err(problem), None),
            Ok(Some(Line::TooLong)) => (
                Err(Problem::too_large("a line", shared.limits.event_bytes_max)),
                None,
            ),
            Ok(Some(Line::Text(text))) => {
                let size = u32::try_from(text.len().min(window_bytes)).unwrap_or(u32::MAX);
                let bytes = Arc::clone(&window).acquire_many_owned(size).await.ok();
                let outcome = match intake::read(&text) {
                    Ok((incoming, digest)) => {
                        Ok(shared.app.start(&principal, incoming, digest).await)
                    }
                    Err(problem) => Err(problem),
                };
                (outcome, bytes)
            }
        };
        let line = Submitted {
            line: number,
            outcome,
            _bytes: bytes,
        };
        if submitted.send(line).await.is_err() {
            return;
        }
    }
}

/// Writes results in order, gathering those that are ready.
async fn write(
    mut results: mpsc::Receiver<Submitted>,
    chunks: mpsc::UnboundedSender<Chunk>,
    kept: Kept,
) {
    let mut bytes = Vec::with_capacity(CHUNK_BYTES);
    while let Some(first) = results.recv().await {
        let mut next = Some(first);
        while let Some(Submitted {
            line,
            outcome,
            _bytes,
        }) = next
        {
            let outcome = match outcome {
                Ok(mut pending) => match (&mut pending).now_or_never() {
                    Some(outcome) => outcome,
                    None => {
                        if !flush(&mut bytes, &chunks, &kept).await {
                            return;
                        }
                        pending.await
                    }
                },
                Err(problem) => Err(problem),
            };
            result_line(&mut bytes, line, outcome.as_ref());
            next = if bytes.len() < CHUNK_BYTES {
                results.try_recv().ok()
            } else {
                None
            };
        }
        if !flush(&mut bytes, &chunks, &kept).await {
            return;
        }
    }
}

/// Hands gathered lines over once there is room for them; false when nobody wants them.
async fn flush(bytes: &mut Vec<u8>, chunks: &mpsc::UnboundedSender<Chunk>, kept: &Kept) -> bool {
    if bytes.is_empty() {
        return true;
    }
    // One line alone may be larger than all that is kept; it then waits for everything before it.
    let size = u32::try_from(bytes.len().min(kept.bytes_max)).unwrap_or(u32::MAX);
    let Ok(kept) = Arc::clone(&kept.room).acquire_many_owned(size).await else {
        return false;
    };
    let bytes = std::mem::replace(bytes, Vec::with_capacity(CHUNK_BYTES));
    chunks.send(Chunk { bytes, kept }).is_ok()
}

/// Writes `{"line", "status", …receipt or problem}`.
fn result_line(bytes: &mut Vec<u8>, line: u64, outcome: Result<&Receipt, &Problem>) {
    let rest = match outcome {
        Ok(receipt) => {
            let status = intake::accepted(receipt);
            bytes.extend_from_slice(format!("{{\"line\":{line},\"status\":{status},").as_bytes());
            serde_json::to_vec(receipt)
        }
        Err(problem) => {
            bytes.extend_from_slice(format!("{{\"line\":{line},").as_bytes());
            serde_json::to_vec(&problem.document(None))
        }
    };
    // Both are objects of plain fields, whose writing does not fail; an empty rest would still end the line.
    bytes.extend_from_slice(rest.as_deref().unwrap_or(b"{}").get(1..).unwrap_or(b"}"));
    bytes.push(b'\n');
}

/// Takes all lines or none.
async fn atomic(visit: Visit, body: Body) -> Answer {
    let shared = &visit.shared;
    let limits = &shared.limits;
    let _room = shared.room()?;
    let bytes = read_whole(body, "an atomic batch", limits.atomic_bytes_max, limits).await?;
    let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let (count, count_max) = (lines.len(), limits.atomic_events_max);
    if count > count_max {
        let detail = format!("an atomic batch may have at most {count_max} events");
        return Err(Problem::new(Kind::TooLarge, detail));
    }
    let read: Vec<Result<_, Problem>> = lines.into_iter().map(intake::read).collect();
    if let Some(at) = read.iter().position(Result::is_err) {
        let outcomes: Vec<_> = read
            .into_iter()
            .map(|line| Err(line.err().unwrap_or_else(|| not_taken(at))))
            .collect();
        return Ok(answer_all(&outcomes));
    }
    let events = read.into_iter().flatten().collect();
    let outcomes: Vec<_> = match shared.app.submit_atomic(visit.caller()?, events).await {
        Ok(receipts) => receipts.into_iter().map(Ok).collect(),
        Err((at, problem)) => {
            let outcome = |line| {
                Err(if line == at {
                    problem.clone()
                } else {
                    not_taken(at)
                })
            };
            (0..count).map(outcome).collect()
        }
    };
    Ok(answer_all(&outcomes))
}

/// A line at fault has its own problem; the others were not taken because of it.
fn not_taken(because_of: usize) -> Problem {
    Problem::new(
        Kind::NotTaken,
        format!("line {} of the batch was refused", because_of + 1),
    )
}

fn answer_all(outcomes: &[Result<Receipt, Problem>]) -> Response<Body> {
    let mut bytes = Vec::new();
    let mut worst = status::OK;
    for (line, outcome) in (1..).zip(outcomes) {
        result_line(&mut bytes, line, outcome.as_ref());
        match outcome {
            Err(problem) if problem.kind() != Kind::NotTaken => worst = problem.status(),
            _ => {}
        }
    }
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status_code(worst);
    response.headers_mut().insert(CONTENT_TYPE, NDJSON);
    response
}
