//! Counters for Prometheus: requests by route and status, their durations, connections, tokens.
//!
//! Labels come from the closed list of routes, never from a request, so nobody's ids can become a label.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the duration buckets, in microseconds.
const BUCKETS_US: [u64; 12] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 1_000_000, 10_000_000,
];

/// The server's own counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    routes: Vec<RouteCounters>,
    connections: AtomicU64,
    connections_refused: AtomicU64,
    tokens_remembered: AtomicU64,
    tokens_verified: AtomicU64,
    tokens_refused: AtomicU64,
    rate_limited: AtomicU64,
    reloads_failed: AtomicU64,
    handshakes_failed: AtomicU64,
}

#[derive(Debug)]
struct RouteCounters {
    method: &'static str,
    path: &'static str,
    /// Answers by status class, 1xx to 5xx.
    statuses: [AtomicU64; 5],
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
}

/// What became of a token.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TokenSeen {
    Remembered,
    Verified,
    Refused,
}

/// Counts a connection as open for as long as it lives.
#[derive(Debug)]
pub(crate) struct OpenConnection(Arc<Metrics>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Makes counters for these routes, by method and template.
    pub(crate) fn new(routes: impl Iterator<Item = (&'static str, &'static str)>) -> Self {
        let routes = routes.map(|(method, path)| RouteCounters {
            method,
            path,
            statuses: Default::default(),
            buckets: Default::default(),
            sum_us: AtomicU64::new(0),
        });
        Self {
            routes: routes.collect(),
            connections: AtomicU64::new(0),
            connections_refused: AtomicU64::new(0),
            tokens_remembered: AtomicU64::new(0),
            tokens_verified: AtomicU64::new(0),
            tokens_refused: AtomicU64::new(0),
            rate_limited: AtomicU64::new(0),
            reloads_failed: AtomicU64::new(0),
            handshakes_failed: AtomicU64::new(0),
        }
    }

    pub(crate) fn answered(&self, route: usize, status: u16, took: Duration) {
        let Some(counters) = self.routes.get(route) else {
            return;
        };
        let class = usize::from((status / 100).clamp(1, 5) - 1);
        if let Some(count) = counters.statuses.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.partition_point(|bound| *bound < took_us);
        if let Some(count) = counters.buckets.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        counters.sum_us.fetch_add(took_us, Ordering::Relaxed);
    }

    pub(crate) fn token(&self, seen: TokenSeen) {
        let counter = match seen {
            TokenSeen::Remembered => &self.tokens_remembered,
            TokenSeen::Verified => &self.tokens_verified,
            TokenSeen::Refused => &self.tokens_refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request beyond its client's allowance.
    pub(crate) fn rate_limited(&self) {
        self.rate_limited.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a file of the configuration that changed and could not be read.
    pub(crate) fn reload_failed(&self) {
        self.reloads_failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn handshake_failed(&self) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connection_opened(self: &Arc<Self>) -> OpenConnection {
        self.connections.fetch_add(1, Ordering::Relaxed);
        OpenConnection(Arc::clone(self))
    }

    pub(crate) fn connection_refused(&self) {
        self.connections_refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes everything in Prometheus' text format, with these gauges beside it.
    pub(crate) fn text(&self, gauges: &[(&str, &str, u64)]) -> String {
        let mut text = String::with_capacity(8 << 10);
        // Writing to a String does not fail.
        let _ = self.write(&mut text, gauges);
        text
    }

    fn write(&self, text: &mut String, gauges: &[(&str, &str, u64)]) -> std::fmt::Result {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        writeln!(
            text,
            "# HELP sokhoe_http_requests_total Answers by route and status class."
        )?;
        writeln!(text, "# TYPE sokhoe_http_requests_total counter")?;
        for route in &self.routes {
            for (class, count) in route
                .statuses
                .iter()
                .enumerate()
                .filter(|(_, c)| load(c) > 0)
            {
                let (method, path, class, count) =
                    (route.method, route.path, class + 1, load(count));
                writeln!(
                    text,
                    "sokhoe_http_requests_total{{method=\"{method}\",route=\"{path}\",status=\"{class}xx\"}} {count}"
                )?;
            }
        }
        writeln!(
            text,
            "# HELP sokhoe_http_request_seconds Time from head to answer's head."
        )?;
        writeln!(text, "# TYPE sokhoe_http_request_seconds histogram")?;
        for route in &self.routes {
            route.write_durations(text)?;
        }
        for (name, kind, value) in self.counters().iter().chain(gauges) {
            writeln!(text, "# TYPE {name} {kind}\n{name} {value}")?;
        }
        Ok(())
    }

    /// Returns what is counted without labels: name, kind and value.
    fn counters(&self) -> [(&'static str, &'static str, u64); 8] {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("sokhoe_connections", "gauge", load(&self.connections)),
            (
                "sokhoe_connections_refused_total",
                "counter",
                load(&self.connections_refused),
            ),
            (
                "sokhoe_tokens_remembered_total",
                "counter",
                load(&self.tokens_remembered),
            ),
            (
                "sokhoe_tokens_verified_total",
                "counter",
                load(&self.tokens_verified),
            ),
            (
                "sokhoe_tokens_refused_total",
                "counter",
                load(&self.tokens_refused),
            ),
            (
                "sokhoe_rate_limited_total",
                "counter",
                load(&self.rate_limited),
            ),
            (
                "sokhoe_reloads_failed_total",
                "counter",
                load(&self.reloads_failed),
            ),
            (
                "sokhoe_tls_handshakes_failed_total",
                "counter",
                load(&self.handshakes_failed),
            ),
        ]
    }
}

impl RouteCounters {
    fn write_durations(&self, text: &mut String) -> std::fmt::Result {
        let counts: Vec<u64> = self
            .buckets
            .iter()
            .map(|c| c.load(Ordering::Relaxed))
            .collect();
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return Ok(());
        }
        let labels = format!("method=\"{}\",route=\"{}\"", self.method, self.path);
        let mut below = 0;
        for (bound_us, count) in BUCKETS_US.iter().zip(&counts) {
            below += count;
            let (whole, rest) = (bound_us / 1_000_000, bound_us % 1_000_000);
            writeln!(
                text,
                "sokhoe_http_request_seconds_bucket{{{labels},le=\"{whole}.{rest:06}\"}} {below}"
            )?;
        }
        writeln!(
            text,
            "sokhoe_http_request_seconds_bucket{{{labels},le=\"+Inf\"}} {total}"
        )?;
        let sum_us = self.sum_us.load(Ordering::Relaxed);
        let (whole, rest) = (sum_us / 1_000_000, sum_us % 1_000_000);
        writeln!(
            text,
            "sokhoe_http_request_seconds_sum{{{labels}}} {whole}.{rest:06}"
        )?;
        writeln!(
            text,
            "sokhoe_http_request_seconds_count{{{labels}}} {total}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_counted_under_its_route_and_bucket() {
        let metrics = Metrics::new([("GET", "/v1/people/{id}")].into_iter());
        metrics.answered(0, 404, Duration::from_micros(600));
        let text = metrics.text(&[("sokhoe_position", "gauge", 7)]);
        let labels = "method=\"GET\",route=\"/v1/people/{id}\"";
        for line in [
            format!("sokhoe_http_requests_total{{{labels},status=\"4xx\"}} 1"),
            format!("sokhoe_http_request_seconds_bucket{{{labels},le=\"0.000500\"}} 0"),
            format!("sokhoe_http_request_seconds_bucket{{{labels},le=\"0.001000\"}} 1"),
            format!("sokhoe_http_request_seconds_sum{{{labels}}} 0.000600"),
            "sokhoe_position 7".to_owned(),
        ] {
            assert!(text.contains(&line), "{line} in\n{text}");
        }
    }
}
