//! What time it is, and waiting for it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use tidings_model::Timestamp;
use tokio::sync::oneshot;

/// Wall time for records and schedules, monotonic time for durations, and waiting.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The wall time.
    fn now(&self) -> Timestamp;

    /// Microseconds on a clock that never goes back, from an arbitrary start.
    fn monotonic_us(&self) -> u64;

    /// Waits that long.
    async fn sleep(&self, duration: Duration);
}

/// The waiting took longer than it was given.
#[derive(Debug, PartialEq, Eq)]
pub struct TimedOut;

/// Runs a future, but not longer than `limit` on that clock.
pub async fn within<F: Future>(clock: &dyn Clock, limit: Duration, work: F) -> Result<F::Output, TimedOut> {
    tokio::select! {
        biased;
        output = work => Ok(output),
        () = clock.sleep(limit) => Err(TimedOut),
    }
}

/// Measures how long something takes on a clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(u64);

impl Stopwatch {
    /// Starts now.
    pub fn start(clock: &dyn Clock) -> Self {
        Self(clock.monotonic_us())
    }

    /// Microseconds since the start.
    pub fn elapsed_us(self, clock: &dyn Clock) -> u64 {
        clock.monotonic_us().saturating_sub(self.0)
    }
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// The clock of the machine; its monotonic part starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the operating system")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the operating system")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A clock that stands still until a test moves it. Clones share the same time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    inner: Arc<Mutex<Hands>>,
}

#[derive(Debug)]
struct Hands {
    now_us: u64,
    sleepers: BTreeMap<(u64, u64), oneshot::Sender<()>>,
    next_sleeper: u64,
}

impl ManualClock {
    /// Stands at that time.
    pub fn at(now: Timestamp) -> Self {
        let now_us = now.as_millis().unsigned_abs() * 1_000;
        Self {
            inner: Arc::new(Mutex::new(Hands {
                now_us,
                sleepers: BTreeMap::new(),
                next_sleeper: 0,
            })),
        }
    }

    /// Moves forward and wakes who is due, in the order of their times.
    pub fn advance(&self, by: Duration) {
        let mut hands = self.inner.lock();
        hands.now_us = hands.now_us.saturating_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX));
        let now_us = hands.now_us;
        let later = hands.sleepers.split_off(&(now_us + 1, 0));
        for (_, sleeper) in std::mem::replace(&mut hands.sleepers, later) {
            let _ = sleeper.send(()); // a sleeper that gave up is not waiting any more
        }
    }

    /// When the next sleeper wakes, if anybody sleeps.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let mut hands = self.inner.lock();
        hands.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        hands
            .sleepers
            .keys()
            .next()
            .map(|(due_us, _)| Timestamp::from_millis(i64::try_from(due_us.div_ceil(1_000)).unwrap_or(i64::MAX)))
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.inner.lock().now_us / 1_000).unwrap_or(i64::MAX))
    }

    fn monotonic_us(&self) -> u64 {
        self.inner.lock().now_us
    }

    async fn sleep(&self, duration: Duration) {
        if duration.is_zero() {
            return tokio::task::yield_now().await;
        }
        let woken = {
            let mut hands = self.inner.lock();
            let due = hands.now_us.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
            let number = hands.next_sleeper;
            hands.next_sleeper += 1;
            let (sleeper, woken) = oneshot::channel();
            hands.sleepers.insert((due, number), sleeper);
            woken
        };
        let _ = woken.await; // the clock is gone: nobody will move it again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_when_their_time_comes() {
        let clock = ManualClock::at(Timestamp::from_millis(1_000));
        let mut tasks = tokio::task::JoinSet::new();
        let woken = tasks.spawn({
            let clock = clock.clone();
            async move {
                clock.sleep(Duration::from_millis(50)).await;
                clock.now()
            }
        });
        while clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_millis(49));
        tokio::task::yield_now().await;
        assert!(!woken.is_finished());
        clock.advance(Duration::from_millis(1));
        assert_eq!(tasks.join_next().await.unwrap().unwrap(), Timestamp::from_millis(1_050));
    }

    #[tokio::test]
    async fn work_that_is_done_in_time_is_not_timed_out() {
        let clock = ManualClock::at(Timestamp::from_millis(1));
        assert_eq!(within(&clock, Duration::from_millis(1), async { 7 }).await, Ok(7));
    }
}
