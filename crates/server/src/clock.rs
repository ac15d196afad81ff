//! The steady clock, for durations and deadlines.
//!
//! The only file here that asks what time it is. Nothing stored depends on it; the wall clock is passed in.

use tokio::time::Instant;

/// Returns the steady clock's present instant.
pub(crate) fn steady_now() -> Instant {
    Instant::now()
}
