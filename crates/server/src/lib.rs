//! The HTTP server: routes, tokens at the door, problem documents, the page.
//!
//! Owns connections, their limits and what callers see. Refuses argv, the environment, and to decide anything about
//! events: what is allowed is `access`, what is valid is `record`, what is taken is `commands`.
//! Invariant: an answer that says an event was taken leaves after the event is durable.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod accept;
mod app;
mod auth;
mod body;
mod clock;
mod coding;
mod config;
mod disclosure;
mod error;
mod guard;
mod intake;
mod io;
mod metrics;
mod openapi;
mod opening;
mod query;
mod rate;
mod resources;
mod routes;
mod search;
mod tls;
mod trust;
mod watched;
mod words;

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sokhoe_storage::LastStep;
use tokio::sync::{Semaphore, watch};

pub use accept::{Handle, StartError};
pub use app::App;
pub use config::{Limits, ServerConfig};
pub use tls::{ClientCertificates, ClientNeed, TlsError, TlsFiles};
pub use trust::{ProviderFile, TrustError, TrustFiles};
pub use watched::FileError;

use crate::accept::Entrance;
use crate::auth::Tokens;
use crate::guard::Shared;
use crate::metrics::Metrics;
use crate::opening::Door;
use crate::routes::ROUTES;
use crate::tls::TlsKeeper;
use crate::trust::TrustKeeper;

/// The server, which exists only as a started [`Handle`].
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Binds the address and serves until the handle is shut down or dropped.
    ///
    /// # Errors
    /// Addresses beyond loopback, those that the system refuses, and files of the configuration that say nothing usable.
    pub async fn start(config: ServerConfig, app: App) -> Result<Handle, StartError> {
        let listening = Self::listen(config, LastStep::default()).await?;
        Ok(listening.serve(app))
    }

    /// Binds the address before there is anything to serve: `/livez` and `/readyz` are answered at once, the latter with
    /// the step of opening that was told last; other requests wait for [`Listening::serve`], and are told to come again
    /// after `opening_timeout`.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn listen(config: ServerConfig, last: LastStep) -> Result<Listening, StartError> {
        let trust = TrustKeeper::open(&config.trust)?;
        let tls = config.tls.as_ref().map(TlsKeeper::open).transpose()?;
        let (certificates, handshakes) = tls.unzip();
        let limits = config.limits;
        let bound = accept::bind(config.listen, handshakes.as_ref()).await?;
        let address = bound.1;
        let names = ROUTES.iter().map(|route| (route.method.word(), route.path));
        let metrics = Arc::new(Metrics::new(names));
        let scheme = handshakes.as_ref().map_or("http", |_| "https");
        let (stop, closing) = watch::channel(false);
        let door = Door::closed(last, limits.opening_timeout);
        let stopping = (stop, closing.clone());
        let entrance = Entrance {
            handshakes,
            door: door.clone(),
            metrics: Arc::clone(&metrics),
            limits: limits.clone(),
        };
        let mut handle = accept::start(bound, stopping, entrance);
        if let Some(certificates) = certificates {
            let (metrics, closing) = (Arc::clone(&metrics), closing.clone());
            handle.tend(certificates.keep(metrics, config.reload_every, closing));
        }
        Ok(Listening {
            handle,
            door,
            limits,
            metrics,
            trust,
            reload_every: config.reload_every,
            closing,
            base_url: format!("{scheme}://{address}"),
            address,
        })
    }
}

/// A server that listens and has nothing to serve yet; dropping it stops it.
#[derive(Debug)]
pub struct Listening {
    handle: Handle,
    door: Door,
    limits: Limits,
    metrics: Arc<Metrics>,
    trust: TrustKeeper,
    reload_every: Duration,
    closing: watch::Receiver<bool>,
    base_url: String,
    address: SocketAddr,
}

impl Listening {
    /// Returns the address that the server listens on.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves an open house, those first who wait for it.
    #[must_use]
    pub fn serve(mut self, app: App) -> Handle {
        if let Err(error) = app.commands().tree() {
            // Events are taken and read all the same; whoever asks for a proof has it tried again.
            tracing::error!(%error, "the log's tree cannot be kept on disk");
        }
        let trust = self.trust.trust(app.verifier().clone());
        let limits = self.limits;
        let log_id = app.commands().opener().reader().meta().log_id;
        let shared = Arc::new(Shared {
            followers: Arc::new(Semaphore::new(limits.feed_followers_max)),
            feed_readers: Arc::new(Semaphore::new(limits.feed_readers_max)),
            provers: Arc::new(Semaphore::new(limits.proofs_max)),
            feed_source: sokhoe_exchange::source_of(&log_id.0),
            closing: self.closing.clone(),
            tokens: Tokens::new(trust, &limits),
            metrics: self.metrics,
            openapi: OnceLock::new(),
            events: Semaphore::new(limits.events_in_flight_max),
            batches: Arc::new(Semaphore::new(limits.batches_max)),
            large: Arc::new(Semaphore::new(limits.large_bodies_max)),
            administration: Arc::new(Semaphore::new(1)),
            glasses: crate::disclosure::Glasses::default(),
            base_url: self.base_url,
            requests: AtomicU64::new(0),
            run_us: app.now_us(),
            app,
            limits,
        });
        self.door.open(routes::router(&shared));
        let keeping = self.trust.keep(shared, self.reload_every, self.closing);
        self.handle.tend(keeping);
        self.handle
    }
}
