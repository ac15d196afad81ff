//! The process's clocks, the one place that reads them; everything below is handed the time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sokhoe_storage::{Progress, Step};

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

/// Tells of work that takes longer than a second, once a second.
pub(crate) fn each_second(told: impl Fn(Step) + Send + Sync + 'static) -> Progress {
    let last = Mutex::new(steady());
    Progress::new(move |step| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= Duration::from_secs(1) {
            *last = steady();
            told(step);
        }
    })
}
