//! The process's clocks, the one place that reads them; everything below is handed the time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Microseconds since the Unix epoch by the system's clock; 0 for a clock set before it.
#[expect(
    clippy::disallowed_methods,
    reason = "the owner of the process's clock"
)]
pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Seconds since the Unix epoch.
pub(crate) fn now_s() -> i64 {
    now_us().div_euclid(1_000_000)
}

/// A point in time to measure durations from; never stored.
#[expect(
    clippy::disallowed_methods,
    reason = "the owner of the process's clock"
)]
pub(crate) fn steady() -> Instant {
    Instant::now()
}
