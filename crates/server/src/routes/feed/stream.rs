//! The feed as server-sent events: each has its position as id, and a last one says why the stream ends.
//!
//! A heartbeat is an id without data: it keeps the connection and moves the consumer's last id past what it does not
//! want. Nothing is made before the connection has taken what was made before.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use futures_util::stream::unfold;
use tokio::time::Instant;

use super::follower::{Ended, Follower};
use super::{PIECE_BYTES, STREAM, write};
use crate::clock::steady_now;
use crate::routes::people::POSITION;

/// Events of one piece, at most.
const PIECE_EVENTS: usize = 256;
/// Positions passed over after which the consumer is told, though none of them was wanted.
const PASSED_OVER_MAX: u64 = 100_000;

struct Stream {
    follower: Follower,
    /// The last id that was sent.
    told: u64,
    next_heartbeat: Instant,
    ended: bool,
}

/// Answers with a stream that goes on until the consumer leaves or has to.
pub(super) fn respond(follower: Follower) -> Response<Body> {
    let position = follower.after();
    let stream = Stream {
        told: position,
        // Says at once that the stream has begun.
        next_heartbeat: steady_now(),
        follower,
        ended: false,
    };
    let pieces = unfold(stream, |mut stream| async move {
        let piece = stream.piece().await?;
        Some((Ok::<_, std::convert::Infallible>(piece), stream))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(STREAM));
    headers.insert(POSITION, HeaderValue::from(position));
    response
}

impl Stream {
    /// Makes the next piece; `None` after the last one.
    async fn piece(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let made = self.go_on().await;
        Some(made.unwrap_or_else(|ended| {
            self.ended = true;
            self.farewell(ended)
        }))
    }

    async fn go_on(&mut self) -> Result<Bytes, Ended> {
        loop {
            let passed = self.follower.advance(PIECE_EVENTS).await?;
            if !passed.events.is_empty() {
                let witnessed = self.follower.witness(&passed).await;
                witnessed.map_err(|_| Ended::Failed)?;
                return self.events(&passed);
            }
            let over = self.follower.after() - self.told >= PASSED_OVER_MAX;
            if over || steady_now() >= self.next_heartbeat {
                return Ok(self.heartbeat());
            }
            if self.follower.at_end() {
                self.follower.wait(self.next_heartbeat).await?;
            }
        }
    }

    fn events(&mut self, passed: &sokhoe_projections::Passed) -> Result<Bytes, Ended> {
        let mut bytes = Vec::with_capacity(passed.events.len() * 512);
        for event in &passed.events {
            if bytes.len() > PIECE_BYTES {
                self.follower.back_to(self.told);
                break;
            }
            bytes.extend_from_slice(format!("id: {}\ndata: ", event.position).as_bytes());
            write(&mut bytes, &self.follower, event).map_err(|_| Ended::Failed)?;
            bytes.extend_from_slice(b"\n\n");
            self.told = event.position;
        }
        self.next_heartbeat = steady_now() + self.follower.heartbeat();
        Ok(Bytes::from(bytes))
    }

    fn heartbeat(&mut self) -> Bytes {
        self.told = self.follower.after();
        self.next_heartbeat = steady_now() + self.follower.heartbeat();
        Bytes::from(format!(": here\nid: {}\n\n", self.told))
    }

    fn farewell(&self, ended: Ended) -> Bytes {
        let (because, detail) = ended.says();
        let position = self.told;
        Bytes::from(format!(
            "event: close\ndata: {{\"because\":\"{because}\",\"detail\":\"{detail}\",\"position\":{position}}}\n\n"
        ))
    }
}
