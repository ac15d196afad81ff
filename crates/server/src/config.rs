//! What the server is told at its start: address, whose tokens to believe, limits.
//!
//! Every limit has its name and reason here; `/openapi.json` publishes them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::tls::TlsFiles;
use crate::trust::TrustFiles;

/// How the server listens and what it bears.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where to listen; loopback only unless there is TLS, port 0 for any free one.
    pub listen: SocketAddr,
    /// The certificate, for a server that speaks TLS and nothing else.
    pub tls: Option<TlsFiles>,
    /// Whose tokens are believed besides those of the built-in issuer.
    pub trust: TrustFiles,
    /// How often files of the configuration are looked at for changes.
    pub reload_every: Duration,
    /// What one caller may cost.
    pub limits: Limits,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            tls: None,
            trust: TrustFiles::default(),
            reload_every: Duration::from_secs(2),
            limits: Limits::default(),
        }
    }
}

/// Every bound on what one caller may cost the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; more are answered 503 and closed.
    pub connections_max: usize,
    /// How long a request's head may take, and how long an idle connection is kept.
    pub head_timeout: Duration,
    /// How long a body may pause between two pieces.
    pub body_pause_timeout: Duration,
    /// How long a whole body other than a stream of lines may take.
    pub body_timeout: Duration,
    /// How long a connection may refuse to take an answer.
    pub write_stall_timeout: Duration,
    /// How long a stop waits for requests under way.
    pub shutdown_timeout: Duration,
    /// How long a read waits for `at_least`.
    pub at_least_timeout: Duration,
    /// How long a request waits at a server that is still opening its log, before it is told to come again.
    pub opening_timeout: Duration,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
    /// Bytes of one event as JSON; `record` refuses larger ones too.
    pub event_bytes_max: usize,
    /// Bytes of one blob.
    pub blob_bytes_max: usize,
    /// Bytes of one FHIR bundle.
    pub bundle_bytes_max: usize,
    /// Bytes of one code list as CSV; its stored form, which is larger, must stay within what can be opened again.
    pub list_bytes_max: usize,
    /// Bytes of a search or another small request.
    pub small_bytes_max: usize,
    /// Single events on their way at a time; more are answered 503 at once, so that those on their way are not kept
    /// waiting by those who come. Half as many again as keep two cores busy.
    pub events_in_flight_max: usize,
    /// Batches read at a time over all connections; more are answered 503.
    pub batches_max: usize,
    /// Bundles, blobs, atomic batches and evidence held in memory at a time; more are answered 503.
    pub large_bodies_max: usize,
    /// Lines of a batch that are submitted but not answered yet.
    pub batch_window_lines: usize,
    /// Bytes of input behind those lines.
    pub batch_window_bytes: usize,
    /// Bytes of results kept for a sender who does not read while it writes.
    pub batch_result_bytes_max: usize,
    /// Events of an atomic batch or a FHIR transaction.
    pub atomic_events_max: usize,
    /// Bytes of an atomic batch.
    pub atomic_bytes_max: usize,
    /// Items of one page of a list.
    pub page_items_max: usize,
    /// Consumers of the feed at a time; more are answered 503.
    pub feed_followers_max: usize,
    /// Consumers for which the log is read at a time, because they are further back than memory.
    pub feed_readers_max: usize,
    /// Positions that a consumer may fall behind before its stream is ended.
    pub feed_lag_max: u64,
    /// How long a batch of the feed may wait for a first event.
    pub feed_wait_max: Duration,
    /// How long a stream of the feed may be silent.
    pub feed_heartbeat: Duration,
    /// Tiles and proofs made at a time; more are answered 503.
    pub proofs_max: usize,
    /// Verified tokens remembered.
    pub tokens_max: usize,
    /// Requests a second from one account; `None` for no limit. As many as come in two seconds may come at once.
    pub requests_per_s: Option<u32>,
    /// Requests a second with a bad token or none, from one address or network of IPv6. Verifying this many keeps
    /// a processor busy for less than a hundredth of its time.
    pub refusals_per_s: u32,
    /// Such requests at once: a page that is opened with an old token sends a few, and many sit behind one address.
    pub refusals_burst: u32,
    /// Accounts, and addresses, whose use of their allowance is remembered.
    pub clients_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            head_timeout: Duration::from_secs(15),
            body_pause_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(60),
            write_stall_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(20),
            at_least_timeout: Duration::from_secs(5),
            opening_timeout: Duration::from_secs(5),
            head_bytes_max: 64 << 10,
            event_bytes_max: sokhoe_record::limits::EVENT_BYTES_MAX,
            blob_bytes_max: 64 << 20,
            bundle_bytes_max: 64 << 20,
            list_bytes_max: 16 << 20,
            small_bytes_max: 16 << 10,
            events_in_flight_max: 96,
            batches_max: 64,
            large_bodies_max: 8,
            batch_window_lines: 2048,
            batch_window_bytes: 4 << 20,
            batch_result_bytes_max: 8 << 20,
            atomic_events_max: 10_000,
            atomic_bytes_max: 16 << 20,
            page_items_max: 1000,
            feed_followers_max: 3000,
            feed_readers_max: 2,
            feed_lag_max: 200_000,
            feed_wait_max: Duration::from_secs(60),
            feed_heartbeat: Duration::from_secs(15),
            proofs_max: 64,
            tokens_max: 10_000,
            requests_per_s: None,
            refusals_per_s: 100,
            refusals_burst: 1000,
            clients_max: 20_000,
        }
    }
}

impl Limits {
    /// Returns name and value of each limit that a caller can run into, in bytes, items or milliseconds.
    pub(crate) fn published(&self) -> Vec<(&'static str, u64)> {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let size = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        let mut limits = vec![
            ("connections_max", size(self.connections_max)),
            ("head_timeout_ms", ms(self.head_timeout)),
            ("head_bytes_max", size(self.head_bytes_max)),
            ("body_pause_timeout_ms", ms(self.body_pause_timeout)),
            ("body_timeout_ms", ms(self.body_timeout)),
            ("write_stall_timeout_ms", ms(self.write_stall_timeout)),
            ("at_least_timeout_ms", ms(self.at_least_timeout)),
            ("opening_timeout_ms", ms(self.opening_timeout)),
            ("event_bytes_max", size(self.event_bytes_max)),
            ("blob_bytes_max", size(self.blob_bytes_max)),
            ("bundle_bytes_max", size(self.bundle_bytes_max)),
            ("list_bytes_max", size(self.list_bytes_max)),
            ("atomic_events_max", size(self.atomic_events_max)),
            ("atomic_bytes_max", size(self.atomic_bytes_max)),
            ("page_items_max", size(self.page_items_max)),
            ("events_in_flight_max", size(self.events_in_flight_max)),
            ("batches_max", size(self.batches_max)),
            ("feed_followers_max", size(self.feed_followers_max)),
            ("feed_lag_max", self.feed_lag_max),
            ("feed_wait_max_ms", ms(self.feed_wait_max)),
            ("feed_heartbeat_ms", ms(self.feed_heartbeat)),
            ("proofs_max", size(self.proofs_max)),
            ("refusals_per_s", self.refusals_per_s.into()),
            ("refusals_burst", self.refusals_burst.into()),
        ];
        limits.extend(
            self.requests_per_s
                .map(|count| ("requests_per_s", count.into())),
        );
        limits
    }
}
