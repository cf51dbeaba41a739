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
/// Between two tries whether it would go on, in microseconds.
const TRY_US: u64 = 1_000_000;

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
    /// Why it failed the last time.
    reason: String,
    /// When somebody last asked whether it would go on.
    tried_us: u64,
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
        if let Some(Tally { failures, seconds }) = self.note(error, callers) {
            tracing::error!(%error, failures, seconds, "{}", self.meaning);
        }
    }

    /// It was done.
    pub(crate) fn done(&self) {
        if self.lasts.load(Ordering::Relaxed)
            && let Some(Tally { failures, seconds }) = self.end()
        {
            tracing::info!(failures, seconds, "over: {}", self.meaning);
        }
    }

    /// Why it failed last, while it lasts.
    pub(crate) fn reason(&self) -> Option<String> {
        self.episode.lock().as_ref().map(|episode| episode.reason.clone())
    }

    /// Whether it lasts, and it is time that somebody tries whether it would go on: whoever is told so has to.
    pub(crate) fn is_to_be_tried(&self) -> bool {
        let now = self.clock.monotonic_us();
        let mut episode = self.episode.lock();
        let due = episode.as_mut().filter(|episode| now.saturating_sub(episode.tried_us) >= TRY_US);
        due.map(|episode| episode.tried_us = now).is_some()
    }

    /// Counts a failure. What there is to tell, if it is time to.
    fn note(&self, error: &dyn fmt::Display, callers: usize) -> Option<Tally> {
        let now = self.clock.monotonic_us();
        let mut episode = self.episode.lock();
        let first = episode.is_none();
        let episode = episode.get_or_insert_with(|| Episode {
            reason: String::new(),
            tried_us: now,
            since_us: now,
            told_us: now,
            failed_us: now,
            failures: 0,
        });
        episode.failed_us = now;
        episode.reason = error.to_string();
        episode.failures += callers as u64;
        self.lasts.store(true, Ordering::Relaxed);
        if !first && now.saturating_sub(episode.told_us) < AGAIN_US {
            return None;
        }
        episode.told_us = now;
        Some(episode.tally())
    }

    /// Ends the while, unless something failed just now.
    fn end(&self) -> Option<Tally> {
        let now = self.clock.monotonic_us();
        let mut episode = self.episode.lock();
        let over = episode.take_if(|episode| now.saturating_sub(episode.failed_us) >= CALM_US)?;
        self.lasts.store(false, Ordering::Relaxed);
        Some(over.tally())
    }
}

impl Episode {
    const fn tally(&self) -> Tally {
        Tally {
            failures: self.failures,
            seconds: self.failed_us.saturating_sub(self.since_us) / 1_000_000,
        }
    }
}

/// What there is to tell of a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tally {
    /// Callers whose work failed.
    failures: u64,
    /// From the first failure to the last.
    seconds: u64,
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trouble").field(&self.meaning).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidings_model::Timestamp;
    use tidings_runtime::ManualClock;

    use super::*;

    const fn told(failures: u64, seconds: u64) -> Tally {
        Tally { failures, seconds }
    }

    #[test]
    fn what_fails_a_thousand_times_a_second_is_told_once_in_ten() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(0)));
        let trouble = Trouble::new(clock.clone(), "nothing works");
        let mut lines = Vec::new();
        for _ in 0..25_000 {
            lines.extend(trouble.note(&"full", 2));
            clock.advance(Duration::from_millis(1));
        }
        assert_eq!(lines, [told(2, 0), told(20_002, 10), told(40_002, 20)]);
    }

    #[test]
    fn it_is_over_when_nothing_has_failed_for_a_while_and_not_at_the_first_success() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(0)));
        let trouble = Trouble::new(clock.clone(), "nothing works");
        assert_eq!(trouble.end(), None, "it has not begun");
        for _ in 0..5 {
            trouble.note(&"full", 1);
            assert_eq!(trouble.end(), None);
            clock.advance(Duration::from_secs(1));
        }
        clock.advance(Duration::from_secs(1));
        assert_eq!(trouble.end(), Some(told(5, 4)));
        assert_eq!((trouble.end(), trouble.note(&"full", 1)), (None, Some(told(1, 0))), "another while");
    }

    #[test]
    fn while_it_lasts_somebody_is_to_try_once_a_second_and_the_reason_is_the_last() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(0)));
        let trouble = Trouble::new(clock.clone(), "nothing works");
        clock.advance(Duration::from_secs(5));
        assert_eq!((trouble.is_to_be_tried(), trouble.reason()), (false, None), "nothing fails");
        trouble.failed(&"full", 1);
        trouble.failed(&"read-only", 1);
        assert_eq!(trouble.reason().as_deref(), Some("read-only"));
        let mut tries = 0;
        for _ in 0..30 {
            clock.advance(Duration::from_millis(100));
            tries += u32::from(trouble.is_to_be_tried());
        }
        assert_eq!(tries, 3);
        trouble.done();
        assert_eq!((trouble.is_to_be_tried(), trouble.reason()), (false, None), "it is over");
    }
}
