//! The accept loop: connections with timers and a cap, and a stop that loses nothing.
//!
//! Owns sockets and their tasks. hyper's header timer covers a request's first byte, its head and idle connections;
//! [`crate::io::Patient`] covers answers that nobody takes; bodies have their own timers in `body`.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::config::Limits;
use crate::guard::Peer;
use crate::io::Patient;
use crate::metrics::Metrics;
use crate::opening::Door;
use crate::trust::TrustError;

/// How long the loop rests when the system has no more sockets to give.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// What a connection beyond the cap is told.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
content-length: 0\r\nconnection: close\r\n\r\n";

/// Why the server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address is reachable from elsewhere, and there is no TLS yet.
    #[error("listen on {address}: only loopback addresses are allowed until there is TLS")]
    NotLoopback {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The system refused the address.
    #[error("listen on {address}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// It cannot be told whose tokens to believe.
    #[error("find out whose tokens to believe")]
    Trust(#[from] TrustError),
}

/// A running server; dropping it stops the server without waiting.
#[derive(Debug)]
pub struct Handle {
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Handle {
    /// Returns the address that the server listens on.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Runs a task for as long as the server runs; it must end by itself when the server closes.
    pub(crate) fn tend(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Stops taking connections, lets requests under way finish within the limit, and returns when all have ended.
    pub async fn shutdown(mut self) {
        // A closed channel means that the loop has already ended.
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Binds the address.
///
/// # Errors
/// Addresses beyond loopback, and those that the system refuses.
pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    if !address.ip().is_loopback() {
        return Err(StartError::NotLoopback { address });
    }
    let refused = |source| StartError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let addr = listener.local_addr().map_err(refused)?;
    Ok((listener, addr))
}

/// Starts the loop.
pub(crate) fn start(
    (listener, addr): (TcpListener, SocketAddr),
    (stop, stopped): (watch::Sender<bool>, watch::Receiver<bool>),
    limits: Limits,
    door: Door,
    metrics: Arc<Metrics>,
) -> Handle {
    let mut tasks = JoinSet::new();
    tasks.spawn(
        Loop {
            listener,
            door,
            metrics,
            limits,
            stopped,
        }
        .run(),
    );
    Handle { addr, stop, tasks }
}

struct Loop {
    listener: TcpListener,
    door: Door,
    metrics: Arc<Metrics>,
    limits: Limits,
    stopped: watch::Receiver<bool>,
}

impl Loop {
    async fn run(mut self) {
        let places = Arc::new(Semaphore::new(self.limits.connections_max));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = self.stopped.changed() => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, from)) => match Arc::clone(&places).try_acquire_owned() {
                    Ok(place) => {
                        connections.spawn(self.serve(stream, from, place));
                    }
                    Err(_) => turn_away(stream, &self.metrics),
                },
                Err(error) if of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "accept a connection");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
        drop(self.listener);
        let ended = tokio::time::timeout(self.limits.shutdown_timeout, async {
            while connections.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            tracing::warn!(left = connections.len(), "connections cut off at the stop");
        }
    }

    fn serve(
        &self,
        stream: TcpStream,
        from: SocketAddr,
        place: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send + 'static {
        let mut stopped = self.stopped.clone();
        let metrics = Arc::clone(&self.metrics);
        let limits = &self.limits;
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_buf_size(limits.head_bytes_max)
            .max_headers(64);
        // Answers are small: waiting for more to send would only add latency.
        let _ = stream.set_nodelay(true);
        let stream = TokioIo::new(Patient::new(stream, limits.write_stall_timeout));
        let door = self.door.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(from.ip()));
            let door = door.clone();
            async move { Ok::<_, Infallible>(door.answer(request.map(Body::new)).await) }
        });
        async move {
            let _counted = metrics.connection_opened();
            let connection = builder.serve_connection(stream, service);
            tokio::pin!(connection);
            let already = *stopped.borrow();
            if already {
                connection.as_mut().graceful_shutdown();
            }
            let served = tokio::select! {
                served = connection.as_mut() => served,
                _ = stopped.changed() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                tracing::debug!(%error, "connection ended early");
            }
            drop(place);
        }
    }
}

/// Tells a connection beyond the cap so, without waiting for anything it does.
fn turn_away(stream: TcpStream, metrics: &Metrics) {
    metrics.connection_refused();
    let mut stream = stream;
    // A fresh socket's buffer takes these few bytes at once; if not, closing says enough.
    let write = stream.write_all(TOO_MANY);
    let _ = futures_util::FutureExt::now_or_never(write);
}

/// Whether an error of `accept` is about the connection that was to be, not about the listener.
fn of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
