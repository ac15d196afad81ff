//! Bodies with limits: read whole under a size and a clock, or line by line.
//!
//! A body that comes too slowly ends with 408, one that is too large with 413, both before anything is done with it.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tokio::time::{Instant, timeout_at};

use crate::clock::steady_now;
use crate::coding::CodingError;
use crate::config::Limits;
use crate::error::{Kind, Problem};

/// Content types of one JSON document.
pub(crate) const JSON: &[&str] = &["application/json"];
/// Content types of JSON lines.
pub(crate) const NDJSON: &[&str] = &[
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
];
/// Content types of FHIR in JSON.
pub(crate) const FHIR: &[&str] = &["application/fhir+json", "application/json"];
/// Content types of a code list.
pub(crate) const CSV: &[&str] = &["text/csv"];
/// Content types of a blob: its bytes are kept as they are.
pub(crate) const ANY: &[&str] = &[];

/// Refuses a body of another content type or another charset.
pub(crate) fn expect_type(headers: &HeaderMap, accepted: &[&'static str]) -> Result<(), Problem> {
    if accepted.is_empty() {
        return Ok(());
    }
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let mut parts = content_type.unwrap_or_default().split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let known = accepted
        .iter()
        .any(|known| media_type.eq_ignore_ascii_case(known));
    let utf8 = parts.all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        !name.eq_ignore_ascii_case("charset")
            || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    if known && utf8 {
        return Ok(());
    }
    let accepted = accepted.join(" or ");
    Err(Problem::new(
        Kind::MediaType,
        format!("expected the content type {accepted} in UTF-8"),
    ))
}

/// How much of a refused body is read and thrown away, so that its sender gets to read why.
///
/// A connection that is closed on a sender who still writes is reset, and the answer is lost with it.
const REFUSED_BYTES_MAX: usize = 32 << 20;
/// The same for senders who are not known.
pub(crate) const STRANGERS_BYTES_MAX: usize = 1 << 20;
/// How long a refused body may take to be thrown away.
const REFUSED_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads a whole body of at most so many bytes.
pub(crate) async fn read_whole(
    mut body: Body,
    what: &str,
    bytes_max: usize,
    limits: &Limits,
) -> Result<Bytes, Problem> {
    let read = read_up_to(&mut body, bytes_max, limits).await?;
    match read {
        Some(bytes) => Ok(bytes),
        None => {
            throw_away(body, REFUSED_BYTES_MAX).await;
            Err(Problem::too_large(what, bytes_max))
        }
    }
}

/// Reads a refused body to its end, as far as that is worth it.
pub(crate) async fn throw_away(mut body: Body, bytes_max: usize) {
    if body.is_end_stream() || body.size_hint().lower() > u64::try_from(bytes_max).unwrap_or(0) {
        return;
    }
    let ends = steady_now() + REFUSED_TIMEOUT;
    let mut left = bytes_max;
    while let Ok(Some(piece)) = next_piece(&mut body, REFUSED_TIMEOUT, Some(ends)).await {
        left = left.saturating_sub(piece.len());
        if left == 0 {
            return;
        }
    }
}

/// Reads a body; `None` when it is larger than allowed.
async fn read_up_to(
    body: &mut Body,
    bytes_max: usize,
    limits: &Limits,
) -> Result<Option<Bytes>, Problem> {
    let hint = body.size_hint();
    if hint.lower() > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
        return Ok(None);
    }
    let ends = steady_now() + limits.body_timeout;
    let Some(first) = next_piece(body, limits.body_pause_timeout, Some(ends)).await? else {
        return Ok(Some(Bytes::new()));
    };
    if body.is_end_stream() && first.len() <= bytes_max {
        return Ok(Some(first));
    }
    let expected = usize::try_from(hint.lower()).unwrap_or(0);
    // Memory grows with what has come, not with what was announced.
    let mut whole = BytesMut::with_capacity(expected.clamp(first.len(), 1 << 20));
    let mut piece = Some(first);
    while let Some(bytes) = piece {
        if whole.len() + bytes.len() > bytes_max {
            return Ok(None);
        }
        whole.extend_from_slice(&bytes);
        piece = next_piece(body, limits.body_pause_timeout, Some(ends)).await?;
    }
    Ok(Some(whole.freeze()))
}

/// Reads the next piece of data; `None` at the end.
async fn next_piece(
    body: &mut Body,
    pause: Duration,
    ends: Option<Instant>,
) -> Result<Option<Bytes>, Problem> {
    let patience = steady_now() + pause;
    let patience = ends.map_or(patience, |ends| ends.min(patience));
    loop {
        match timeout_at(patience, body.frame()).await {
            Err(_) => {
                return Err(Problem::new(
                    Kind::Timeout,
                    "the body came too slowly; send it again",
                ));
            }
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => {
                return Err(CodingError::within(&error).problem());
            }
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// A body taken line by line, with bounded memory.
#[derive(Debug)]
pub(crate) struct Lines {
    body: Body,
    pause: Duration,
    line_bytes_max: usize,
    buffer: BytesMut,
    /// How much of the buffer has been searched for a line's end.
    searched: usize,
    /// The line at hand is too long and is passed over up to its end.
    skipping: bool,
    ended: bool,
}

/// One line of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// The line without its end.
    Text(Bytes),
    /// Longer than the limit; its bytes are gone.
    TooLong,
}

impl Lines {
    pub(crate) fn new(body: Body, line_bytes_max: usize, pause: Duration) -> Self {
        Self {
            body,
            pause,
            line_bytes_max,
            buffer: BytesMut::new(),
            searched: 0,
            skipping: false,
            ended: false,
        }
    }

    /// Returns the next line; `None` at the end. After an error there are no more lines.
    pub(crate) async fn next(&mut self) -> Result<Option<Line>, Problem> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(self.take_rest());
            }
            match next_piece(&mut self.body, self.pause, None).await {
                Ok(Some(piece)) if self.buffer.is_empty() => self.buffer = BytesMut::from(piece),
                Ok(Some(piece)) => self.buffer.extend_from_slice(&piece),
                Ok(None) => self.ended = true,
                Err(problem) => {
                    self.ended = true;
                    self.buffer.clear();
                    self.skipping = false;
                    return Err(problem);
                }
            }
        }
    }

    fn take_line(&mut self) -> Option<Line> {
        let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(end) = unsearched.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            if self.searched > self.line_bytes_max {
                self.skipping = true;
                self.buffer.clear();
                self.searched = 0;
            }
            return None;
        };
        let mut line = self.buffer.split_to(self.searched + end + 1);
        self.searched = 0;
        line.truncate(line.len() - 1);
        Some(self.finish(line))
    }

    fn take_rest(&mut self) -> Option<Line> {
        if self.buffer.is_empty() && !self.skipping {
            return None;
        }
        let rest = self.buffer.split();
        self.searched = 0;
        Some(self.finish(rest))
    }

    fn finish(&mut self, mut line: BytesMut) -> Line {
        let skipped = std::mem::take(&mut self.skipping);
        if skipped || line.len() > self.line_bytes_max {
            return Line::TooLong;
        }
        if line.ends_with(b"\r") {
            line.truncate(line.len() - 1);
        }
        Line::Text(line.freeze())
    }
}

#[cfg(test)]
mod tests;
