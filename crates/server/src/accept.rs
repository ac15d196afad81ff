//! The accept loop: connections with timers and a cap, and a stop that loses nothing.
//!
//! Owns sockets and their tasks, with a handshake before anything else where there is TLS. hyper's header timer covers a
//! request's first byte, its head and idle connections; [`crate::io::Patient`] covers answers that nobody takes; bodies
//! have their own timers in `body`.

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
use sokhoe_access::Principal;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;

use crate::config::Limits;
use crate::guard::{Certified, Peer};
use crate::io::Patient;
use crate::metrics::Metrics;
use crate::opening::Door;
use crate::tls::{Handshakes, TlsError};
use crate::trust::TrustError;

/// How long the loop rests when the system has no more sockets to give.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// What a connection beyond the cap is told.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
content-length: 0\r\nconnection: close\r\n\r\n";

/// Why the server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address is reachable from elsewhere, and no certificate was given.
    #[error(
        "listen on {address}: without TLS only loopback addresses are allowed: give a certificate and its key"
    )]
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
    /// There is no TLS as it was asked for.
    #[error("prepare TLS")]
    Tls(#[from] TlsError),
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
/// Addresses beyond loopback when no hands are shaken, and those that the system refuses.
pub(crate) async fn bind(
    address: SocketAddr,
    handshakes: Option<&Handshakes>,
) -> Result<(TcpListener, SocketAddr), StartError> {
    if !address.ip().is_loopback() && handshakes.is_none() {
        return Err(StartError::NotLoopback { address });
    }
    let refused = |source| StartError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let addr = listener.local_addr().map_err(refused)?;
    Ok((listener, addr))
}

/// What every connection comes through.
pub(crate) struct Entrance {
    /// `None` for a server that speaks no TLS.
    pub(crate) handshakes: Option<Handshakes>,
    pub(crate) door: Door,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
}

/// Starts the loop.
pub(crate) fn start(
    (listener, addr): (TcpListener, SocketAddr),
    (stop, stopped): (watch::Sender<bool>, watch::Receiver<bool>),
    entrance: Entrance,
) -> Handle {
    let mut tasks = JoinSet::new();
    let accepting = Loop {
        listener,
        entrance,
        stopped,
    };
    tasks.spawn(accepting.run());
    Handle { addr, stop, tasks }
}

struct Loop {
    listener: TcpListener,
    entrance: Entrance,
    stopped: watch::Receiver<bool>,
}

impl Loop {
    async fn run(mut self) {
        let places = Arc::new(Semaphore::new(self.entrance.limits.connections_max));
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
                    Err(_) => self.entrance.turn_away(stream),
                },
                Err(error) if of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "accept a connection");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
        drop(self.listener);
        let ended = tokio::time::timeout(self.entrance.limits.shutdown_timeout, async {
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
        let Entrance {
            handshakes,
            door,
            metrics,
            limits,
        } = &self.entrance;
        let connection = Connection {
            from,
            door: door.clone(),
            head_timeout: limits.head_timeout,
            head_bytes_max: limits.head_bytes_max,
            stopped: self.stopped.clone(),
        };
        let (handshakes, metrics) = (handshakes.clone(), Arc::clone(metrics));
        // Answers are small: waiting for more to send would only add latency.
        let _ = stream.set_nodelay(true);
        // Under TLS, which would take an answer that the peer does not.
        let stream = Patient::new(stream, limits.write_stall_timeout);
        async move {
            let _counted = metrics.connection_opened();
            match handshakes {
                None => connection.serve(stream, None).await,
                Some(handshakes) => {
                    if let Some((stream, system)) = connection.shake(stream, &handshakes).await {
                        connection.serve(stream, system).await;
                    } else {
                        metrics.handshake_failed();
                    }
                }
            }
            drop(place);
        }
    }
}

/// One connection, before and after its handshake.
struct Connection {
    from: SocketAddr,
    door: Door,
    head_timeout: Duration,
    head_bytes_max: usize,
    stopped: watch::Receiver<bool>,
}

impl Connection {
    /// Shakes hands, as long as a request's head may take.
    async fn shake(
        &self,
        stream: Patient<TcpStream>,
        handshakes: &Handshakes,
    ) -> Option<(TlsStream<Patient<TcpStream>>, Option<Arc<Principal>>)> {
        let mut stopped = self.stopped.clone();
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(self.head_timeout, handshakes.shake(stream)) => shaken,
            _ = stopped.wait_for(|stopped| *stopped) => return None,
        };
        match shaken {
            Ok(Ok(shaken)) => Some(shaken),
            Ok(Err(error)) => {
                tracing::debug!(%error, "no TLS with a peer");
                None
            }
            Err(_) => None,
        }
    }

    /// Serves requests until either side ends the connection.
    async fn serve<S>(self, stream: S, system: Option<Arc<Principal>>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self {
            from,
            door,
            head_timeout,
            head_bytes_max,
            mut stopped,
        } = self;
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(head_timeout)
            .max_buf_size(head_bytes_max)
            .max_headers(64);
        let service = service_fn(move |mut request: Request<Incoming>| {
            let extensions = request.extensions_mut();
            extensions.insert(Peer(from.ip()));
            if let Some(system) = &system {
                extensions.insert(Certified(Arc::clone(system)));
            }
            let door = door.clone();
            async move { Ok::<_, Infallible>(door.answer(request.map(Body::new)).await) }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
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
    }
}

impl Entrance {
    /// Tells a connection beyond the cap so, without waiting for anything it does. Under TLS it is closed without a
    /// word: a handshake is what there is no room for.
    fn turn_away(&self, stream: TcpStream) {
        self.metrics.connection_refused();
        if self.handshakes.is_some() {
            return;
        }
        let mut stream = stream;
        // A fresh socket's buffer takes these few bytes at once; if not, closing says enough.
        let write = stream.write_all(TOO_MANY);
        let _ = futures_util::FutureExt::now_or_never(write);
    }
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
