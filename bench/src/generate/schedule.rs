//! Whose turn it is, and when it is due.
//!
//! A closed loop gives a turn to whoever asks: every connection sends its next request when the last was answered, so that a slow server slows the load. An
//! open loop has fixed times, whether or not there is a connection free for them: a turn that nobody could take on time is late, and the waiting counts.
//!
//! Never knows: what is sent.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::time::{Alarm, Clock};

/// A request that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Counted from the first of the run.
    pub(super) sequence: u64,
    /// Microseconds since 1970: now in a closed loop, in an open loop when it should have been sent.
    pub(super) due_us: u64,
}

/// The turns of a run. Connections share it.
pub(super) struct Schedule {
    clock: Clock,
    started_us: u64,
    next: AtomicU64,
    /// Turns in all.
    count: u64,
    pace: Pace,
}

enum Pace {
    /// Until then.
    Closed { until_us: u64 },
    /// One permit for each turn that is due.
    Open { per_second: f64, due: Semaphore },
}

impl Schedule {
    /// Turns for whoever asks, from now on: so many, or for so long.
    pub(super) fn closed(clock: Clock, count: Option<u64>, seconds: Option<f64>) -> Arc<Self> {
        let started_us = clock.now_us();
        let until_us = seconds.map_or(u64::MAX, |seconds| started_us + (seconds * 1e6) as u64);
        Arc::new(Self {
            clock,
            started_us,
            next: AtomicU64::new(0),
            count: count.unwrap_or(u64::MAX),
            pace: Pace::Closed { until_us },
        })
    }

    /// So many turns a second, from now on, as long as somebody sees to the [`pace`](Self::pace).
    pub(super) fn open(clock: Clock, count: u64, per_second: f64) -> Arc<Self> {
        Arc::new(Self {
            clock,
            started_us: clock.now_us(),
            next: AtomicU64::new(0),
            count,
            pace: Pace::Open {
                per_second,
                due: Semaphore::new(0),
            },
        })
    }

    /// Releases the turns of an open loop when they are due.
    pub(super) async fn pace(self: Arc<Self>) -> io::Result<()> {
        let (alarm, mut turns) = (Alarm::new()?, 0);
        while let Some(left) = self.release(&mut turns) {
            alarm.after(left).await?;
        }
        Ok(())
    }

    /// The next turn, once it is due; nothing at the end of the run.
    pub(super) async fn next(&self) -> Option<Turn> {
        match &self.pace {
            Pace::Closed { until_us } => {
                let due_us = self.clock.now_us();
                (due_us < *until_us).then(|| self.take(due_us)).flatten()
            }
            Pace::Open { due, .. } => {
                let sequence = self.take(0)?.sequence;
                due.acquire().await.expect("nobody closes the semaphore").forget();
                let due_us = self.due_us(sequence);
                Some(Turn { sequence, due_us })
            }
        }
    }

    fn take(&self, due_us: u64) -> Option<Turn> {
        let sequence = self.next.fetch_add(1, Ordering::Relaxed);
        (sequence < self.count).then_some(Turn { sequence, due_us })
    }

    fn due_us(&self, sequence: u64) -> u64 {
        match self.pace {
            Pace::Closed { .. } => self.started_us,
            Pace::Open { per_second, .. } => self.started_us + (sequence as f64 * 1e6 / per_second) as u64,
        }
    }

    /// Releases what is due beyond the first `turns`, and tells how long it is to the next; nothing when there is none.
    fn release(&self, turns: &mut u64) -> Option<Duration> {
        let Pace::Open { due, .. } = &self.pace else { return None };
        let now_us = self.clock.now_us();
        let mut released = 0;
        while *turns < self.count && self.due_us(*turns) <= now_us {
            (*turns, released) = (*turns + 1, released + 1);
        }
        due.add_permits(released);
        (*turns < self.count).then(|| Duration::from_micros(self.due_us(*turns) - now_us))
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn a_closed_loop_gives_so_many_turns_and_no_more() {
        let schedule = Schedule::closed(Clock::start(), Some(2), None);
        let sequences = [schedule.next().await, schedule.next().await].map(|turn| turn.unwrap().sequence);
        assert_eq!((sequences, schedule.next().await), ([0, 1], None));
    }

    #[tokio::test]
    async fn a_closed_loop_of_no_time_gives_no_turn() {
        assert_eq!(Schedule::closed(Clock::start(), None, Some(0.0)).next().await, None);
    }

    #[tokio::test]
    async fn the_turns_of_an_open_loop_are_due_at_fixed_times() {
        let schedule = Schedule::open(Clock::start(), 3, 1_000.0);
        let mut pacer = JoinSet::new();
        pacer.spawn(Arc::clone(&schedule).pace());
        let mut due = Vec::new();
        while let Some(turn) = schedule.next().await {
            assert!(schedule.clock.now_us() >= turn.due_us);
            due.push(turn.due_us - schedule.started_us);
        }
        assert_eq!(due, [0, 1_000, 2_000]);
    }
}
