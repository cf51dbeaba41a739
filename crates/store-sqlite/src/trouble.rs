//! Telling of what fails again and again: once when it begins, now and then while it lasts, and once when it is over. A full disk fails thousands of
//! times a second.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tidings_runtime::Clock;

/// Between two lines while it lasts, in microseconds.
const AGAIN_US: u64 = 10_000_000;
/// Nothing fails for so long, in microseconds, and it is over: what little fits on a full disk is not the end of it.
const CALM_US: u64 = 2_000_000;

/// One kind of work that may fail for a while.
pub(crate) struct Trouble {
    clock: Arc<dyn Clock>,
    /// What it means while it lasts.
    meaning: &'static str,
    /// Read at every success, which has to cost nothing.
    lasts: AtomicBool,
    episode: Mutex<Option<Episode>>,
}

/// A while in which it failed.
struct Episode {
    since_us: u64,
    told_us: u64,
    failed_us: u64,
    failures: u64,
}

impl Trouble {
    /// None yet.
    pub(crate) fn new(clock: Arc<dyn Clock>, meaning: &'static str) -> Self {
        Self {
            clock,
            meaning,
            lasts: AtomicBool::new(false),
            episode: Mutex::default(),
        }
    }

    /// It failed, so many callers' work with it.
    pub(crate) fn failed(&self, error: &dyn fmt::Display, callers: usize) {
        let now = self.clock.monotonic_us();
        let mut episode = self.episode.lock();
        let first = episode.is_none();
        let episode = episode.get_or_insert(Episode {
            since_us: now,
            told_us: now,
            failed_us: now,
            failures: 0,
        });
        episode.failed_us = now;
        episode.failures += callers as u64;
        if first || now.saturating_sub(episode.told_us) >= AGAIN_US {
            episode.told_us = now;
            tracing::error!(%error, failures = episode.failures, seconds = seconds(now, episode.since_us), "{}", self.meaning);
        }
        self.lasts.store(true, Ordering::Relaxed);
    }

    /// It was done.
    pub(crate) fn done(&self) {
        if !self.lasts.load(Ordering::Relaxed) {
            return;
        }
        let now = self.clock.monotonic_us();
        let mut episode = self.episode.lock();
        if let Some(over) = episode.take_if(|episode| now.saturating_sub(episode.failed_us) >= CALM_US) {
            self.lasts.store(false, Ordering::Relaxed);
            let seconds = seconds(over.failed_us, over.since_us);
            tracing::info!(failures = over.failures, seconds, "over: {}", self.meaning);
        }
    }
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trouble").field(&self.meaning).finish()
    }
}

const fn seconds(now_us: u64, since_us: u64) -> u64 {
    now_us.saturating_sub(since_us) / 1_000_000
}
