//! What would fill the log when it is said as often as it happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidings_runtime::Clock;

/// Shortest time between two lines that say the same.
const PAUSE: Duration = Duration::from_secs(60);

/// Whether something may be said now: at most once a minute.
pub(super) struct Seldom {
    clock: Arc<dyn Clock>,
    quiet_until_us: AtomicU64,
}

impl Seldom {
    pub(super) const fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            quiet_until_us: AtomicU64::new(0),
        }
    }

    /// Whether it may be said now; once it was, not for a while.
    pub(super) fn now(&self) -> bool {
        let now_us = self.clock.monotonic_us();
        let until_us = self.quiet_until_us.load(Ordering::Acquire);
        let next_us = now_us + PAUSE.as_micros() as u64;
        until_us <= now_us
            && self
                .quiet_until_us
                .compare_exchange(until_us, next_us, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
    }
}
