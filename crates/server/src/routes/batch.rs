//! Many events line by line: results stream back in order while lines still come in.
//!
//! One task per batch reads, submits and writes results as they become durable, held back by a window of lines and
//! bytes in flight. Results of a sender who does not read while it writes are kept up to a limit, then reading stops
//! until it does. The task lives as long as the answer's body does.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use sokhoe_access::Principal;
use sokhoe_commands::{Receipt, Refusal, Submission};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::body::{Line, Lines, read_whole};
use crate::config::Limits;
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
    // Bounded by the bytes kept, not by a count.
    let (chunks, sent) = mpsc::unbounded_channel();
    let batch = Batch {
        submission: shared.app.submission(&principal),
        lines,
        waiting: VecDeque::new(),
        waiting_bytes: 0,
        results: Vec::with_capacity(CHUNK_BYTES),
        kept: Kept {
            room: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
        },
        chunks,
        limits: limits.clone(),
    };
    let mut task = JoinSet::new();
    task.spawn(batch.run());
    let state = (sent, task, place);
    Body::from_stream(stream::unfold(
        state,
        |(mut sent, task, place)| async move {
            let chunk: Chunk = sent.recv().await?;
            drop(chunk.kept);
            Some((
                Ok::<_, std::convert::Infallible>(Bytes::from(chunk.bytes)),
                (sent, task, place),
            ))
        },
    ))
}

/// A line whose result has not been written yet.
struct Waiting {
    line: u64,
    /// `None` while the submission has the answer.
    problem: Option<Problem>,
    bytes: usize,
}

struct Batch {
    submission: Submission,
    lines: Lines,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    results: Vec<u8>,
    kept: Kept,
    chunks: mpsc::UnboundedSender<Chunk>,
    limits: Limits,
}

/// Nobody wants the results any more.
struct Abandoned;

impl Batch {
    async fn run(mut self) {
        // Who went away needs no answer; what was submitted is taken all the same.
        let _ = self.take_all().await;
    }

    /// Reads while there is something to read and room in the window, else waits for the oldest result.
    async fn take_all(&mut self) -> Result<(), Abandoned> {
        for line in 1.. {
            while self.full() {
                self.answer_one().await?;
            }
            let next = loop {
                if let Some(next) = self.lines.next().now_or_never() {
                    break next;
                }
                if !self.answer_one().await? {
                    self.flush().await?;
                    break self.lines.next().await;
                }
            };
            match next {
                Ok(None) => break,
                Ok(Some(Line::Text(text))) => self.submit(line, &text).await,
                Ok(Some(Line::TooLong)) => {
                    self.refuse(
                        line,
                        Problem::too_large("a line", self.limits.event_bytes_max),
                    );
                }
                Err(problem) => self.refuse(line, problem),
            }
        }
        while self.answer_one().await? {}
        self.flush().await
    }

    fn full(&self) -> bool {
        self.submission.full()
            || self.waiting.len() >= self.limits.batch_window_lines
            || self.waiting_bytes >= self.limits.batch_window_bytes
    }

    async fn submit(&mut self, line: u64, text: &[u8]) {
        match intake::read_line(text) {
            Ok((incoming, digest)) => {
                self.submission.push(incoming, digest).await;
                self.waiting_bytes += text.len();
                self.waiting.push_back(Waiting {
                    line,
                    problem: None,
                    bytes: text.len(),
                });
            }
            Err(problem) => self.refuse(line, problem),
        }
    }

    fn refuse(&mut self, line: u64, problem: Problem) {
        self.waiting.push_back(Waiting {
            line,
            problem: Some(problem),
            bytes: 0,
        });
    }

    /// Waits for the oldest result and writes it; false when none is waited for.
    async fn answer_one(&mut self) -> Result<bool, Abandoned> {
        let Some(Waiting {
            line,
            problem,
            bytes,
        }) = self.waiting.pop_front()
        else {
            return Ok(false);
        };
        self.waiting_bytes -= bytes;
        let outcome = match problem {
            Some(problem) => Err(problem),
            None => match self.submission.next().await {
                Some(answer) => answer.map_err(Problem::from),
                None => Err(Refusal::Internal.into()),
            },
        };
        result_line(&mut self.results, line, outcome.as_ref());
        if self.results.len() >= CHUNK_BYTES || self.waiting.is_empty() {
            self.flush().await?;
        }
        Ok(true)
    }

    /// Hands gathered results over once there is room for them.
    async fn flush(&mut self) -> Result<(), Abandoned> {
        if self.results.is_empty() {
            return Ok(());
        }
        // One line alone may be larger than all that is kept; it then waits for everything before it.
        let size = self.results.len().min(self.kept.bytes_max);
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let kept = Arc::clone(&self.kept.room).acquire_many_owned(size).await;
        let kept = kept.map_err(|_| Abandoned)?;
        let bytes = std::mem::replace(&mut self.results, Vec::with_capacity(CHUNK_BYTES));
        self.chunks
            .send(Chunk { bytes, kept })
            .map_err(|_| Abandoned)
    }
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
    let lines: Vec<&[u8]> = match bytes.len() {
        0 => Vec::new(),
        _ => text.split(|byte| *byte == b'\n').collect(),
    };
    let (count, count_max) = (lines.len(), limits.atomic_events_max);
    if count > count_max {
        let detail = format!("an atomic batch may have at most {count_max} events");
        return Err(Problem::new(Kind::TooLarge, detail));
    }
    let read: Vec<Result<_, Problem>> = lines.into_iter().map(intake::read_line).collect();
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
