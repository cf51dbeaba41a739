//! Whether writing works: what came of the last write, and when it is time to try whether it would go on.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tidings_runtime::Clock;

use crate::fault::Outcome;

/// Between two tries whether it would go on, in microseconds.
const TRY_US: u64 = 1_000_000;

/// What every write tells what came of it.
pub(crate) struct Writing {
    clock: Arc<dyn Clock>,
    trouble: Mutex<Option<Trouble>>,
}

/// While the last write failed.
struct Trouble {
    /// Why.
    reason: String,
    /// When somebody was last told to try whether it would go on.
    tried_us: u64,
}

impl Writing {
    /// Nothing has failed yet.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            trouble: Mutex::default(),
        }
    }

    /// What came of a write, passed on. One that is refused says nothing of others.
    pub(crate) fn note<T>(&self, done: Outcome<T>) -> Outcome<T> {
        match done {
            Ok(answer) => {
                if self.trouble.lock().take().is_some() {
                    tracing::info!("PostgreSQL can be written again");
                }
                Ok(answer)
            }
            Err(fault) if fault.is_refusal() => Err(fault),
            Err(fault) => {
                self.failed(fault.reason());
                Err(fault)
            }
        }
    }

    /// Why it failed last, while it lasts.
    pub(crate) fn reason(&self) -> Option<String> {
        self.trouble.lock().as_ref().map(|trouble| trouble.reason.clone())
    }

    /// Whether it lasts, and it is time that somebody tries whether it would go on: whoever is told so has to.
    pub(crate) fn is_to_be_tried(&self) -> bool {
        let now = self.clock.monotonic_us();
        let mut trouble = self.trouble.lock();
        let due = trouble.as_mut().filter(|trouble| now.saturating_sub(trouble.tried_us) >= TRY_US);
        due.map(|trouble| trouble.tried_us = now).is_some()
    }

    fn failed(&self, reason: String) {
        let now = self.clock.monotonic_us();
        let mut trouble = self.trouble.lock();
        if trouble.is_none() {
            tracing::error!(%reason, "PostgreSQL cannot be written: callers are told to try again, and it goes on by itself");
        }
        let tried_us = trouble.as_ref().map_or(now, |trouble| trouble.tried_us);
        *trouble = Some(Trouble { reason, tried_us });
    }
}

impl fmt::Debug for Writing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writing").field("trouble", &self.reason()).finish_non_exhaustive()
    }
}
