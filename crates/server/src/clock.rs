//! The server's two clocks: the wall clock it was given, and a steady one for durations and deadlines.
//!
//! The only file here that asks what time it is. Nothing stored depends on the steady clock.

use std::sync::Arc;

use tokio::time::Instant;

/// The wall clock, passed in: microseconds since the Unix epoch.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl WallClock {
    /// Makes the clock of a function that returns microseconds since the Unix epoch.
    pub fn new(now_us: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now_us))
    }

    /// Returns microseconds since the Unix epoch.
    #[must_use]
    pub fn now_us(&self) -> i64 {
        (self.0)()
    }

    /// Returns seconds since the Unix epoch.
    #[must_use]
    pub fn now_s(&self) -> i64 {
        self.now_us().div_euclid(1_000_000)
    }
}

impl std::fmt::Debug for WallClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WallClock")
    }
}

/// Returns the steady clock's present instant.
pub(crate) fn steady_now() -> Instant {
    Instant::now()
}
