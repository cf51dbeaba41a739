//! What follows an attempt. Pure: the same outcome, number, policy, time and jitter give the same verdict.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::attempt::Exchange;
use crate::delivery::CancelReason;
use crate::limits::{RETRY_AFTER_SECONDS_MAX, RETRY_JITTER_PERCENT, RETRY_STEP_SECONDS_MAX, RETRY_STEPS_MAX};
use crate::{Timestamp, Trigger};

/// When each attempt of a delivery may begin, as delays in seconds: the first after the event was accepted, each other after the failure before it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Vec<u64>", into = "Vec<u64>")]
pub struct RetrySchedule(Vec<u64>);

/// Numbers that cannot be a schedule.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RetryScheduleError {
    /// No step, or too many.
    #[error("a retry schedule has between 1 and {RETRY_STEPS_MAX} steps, not {0}")]
    Steps(usize),
    /// The first attempt is made at once.
    #[error("the first step of a retry schedule is 0: the first attempt is made at once")]
    FirstNotZero,
    /// A step that is too long.
    #[error("a step of a retry schedule is at most {RETRY_STEP_SECONDS_MAX} seconds, not {0}")]
    StepTooLong(u64),
}

impl RetrySchedule {
    /// Checks the steps, in seconds.
    pub fn new(steps_seconds: Vec<u64>) -> Result<Self, RetryScheduleError> {
        if steps_seconds.is_empty() || steps_seconds.len() > RETRY_STEPS_MAX {
            return Err(RetryScheduleError::Steps(steps_seconds.len()));
        }
        if steps_seconds[0] != 0 {
            return Err(RetryScheduleError::FirstNotZero);
        }
        match steps_seconds.iter().find(|step| **step > RETRY_STEP_SECONDS_MAX) {
            Some(step) => Err(RetryScheduleError::StepTooLong(*step)),
            None => Ok(Self(steps_seconds)),
        }
    }

    /// How many attempts it allows.
    pub fn attempts(&self) -> usize {
        self.0.len()
    }

    /// The delay before the attempt with that number (from 1); `None` when there is none left.
    pub fn delay_before(&self, attempt: u16) -> Option<Duration> {
        let step = usize::from(attempt).checked_sub(1)?;
        self.0.get(step).copied().map(Duration::from_secs)
    }

    /// The longest time from the first attempt to the last, jitter included.
    pub fn longest(&self) -> Duration {
        let sum: u64 = self.0.iter().sum();
        Duration::from_secs(sum + sum * RETRY_JITTER_PERCENT.unsigned_abs() / 100)
    }

    /// The steps in seconds.
    pub fn steps(&self) -> &[u64] {
        &self.0
    }
}

impl Default for RetrySchedule {
    /// Ten attempts over a little more than three days.
    fn default() -> Self {
        const HOUR: u64 = 3_600;
        Self(vec![
            0,
            5,
            300,
            1_800,
            2 * HOUR,
            5 * HOUR,
            10 * HOUR,
            14 * HOUR,
            20 * HOUR,
            24 * HOUR,
        ])
    }
}

impl TryFrom<Vec<u64>> for RetrySchedule {
    type Error = RetryScheduleError;

    fn try_from(steps: Vec<u64>) -> Result<Self, RetryScheduleError> {
        Self::new(steps)
    }
}

impl From<RetrySchedule> for Vec<u64> {
    fn from(schedule: RetrySchedule) -> Self {
        schedule.0
    }
}

/// Where in the spread around a step a retry falls: -1,000 is its early end, 1,000 its late end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Jitter(i64);

impl Jitter {
    /// Exactly on the step.
    pub const NONE: Self = Self(0);

    /// From four bytes of chance, evenly over the spread.
    pub const fn from_chance(chance: u32) -> Self {
        Self((chance % 2_001) as i64 - 1_000)
    }

    fn apply(self, step: Duration) -> Duration {
        let millis = i64::try_from(step.as_millis()).unwrap_or(i64::MAX / 1_000_000);
        let shifted = millis + millis * RETRY_JITTER_PERCENT * self.0 / 100_000;
        Duration::from_millis(shifted.unsigned_abs())
    }
}

/// How failures of one delivery are answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RetryPolicy {
    /// The environment's schedule.
    pub schedule: RetrySchedule,
    /// Why the delivery exists: a test is tried once, whatever the schedule.
    pub trigger: Trigger,
}

/// What is done about an outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It arrived.
    Delivered,
    /// It is tried again at that time.
    RetryAt(Timestamp),
    /// The schedule has no step left.
    Exhausted,
    /// It is given up for a reason other than the schedule.
    Cancel(CancelReason),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered => f.write_str("delivered"),
            Self::RetryAt(at) => write!(f, "retry at {at}"),
            Self::Exhausted => f.write_str("exhausted"),
            Self::Cancel(why) => write!(f, "cancelled: {why}"),
        }
    }
}

/// The time that a receiver asked us to wait, from the value of its Retry-After header: seconds or an HTTP date, at most
/// [`RETRY_AFTER_SECONDS_MAX`]. Anything else is no wish.
pub fn retry_after(value: &str, at: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wish = if let Ok(seconds) = value.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        let millis = date.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis();
        Timestamp::from_millis(i64::try_from(millis).ok()?).since(at)
    };
    Some(wish.min(Duration::from_secs(RETRY_AFTER_SECONDS_MAX)))
}

/// Decides what follows the attempt with that number (from 1), whose exchange ended `at`.
///
/// A 2xx is delivered. 410 cancels: the receiver is gone. Anything else is tried again after the schedule's next step with jitter, or later when the
/// receiver asked for it; without a next step it is exhausted.
pub fn decide(exchange: &Exchange, attempt: u16, policy: &RetryPolicy, at: Timestamp, jitter: Jitter) -> Verdict {
    if exchange.is_success() {
        return Verdict::Delivered;
    }
    if exchange.failure.is_none() && exchange.status() == Some(410) {
        return Verdict::Cancel(CancelReason::Gone);
    }
    let step = match policy.trigger {
        Trigger::Test => None,
        Trigger::Event | Trigger::Resend => policy.schedule.delay_before(attempt.saturating_add(1)),
    };
    let Some(step) = step else {
        return Verdict::Exhausted;
    };
    let wish = exchange
        .reply
        .as_ref()
        .and_then(|reply| reply.header("retry-after"))
        .and_then(|value| retry_after(value, at));
    Verdict::RetryAt(at + jitter.apply(step).max(wish.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::attempt::{FailureKind, Reply};

    fn policy() -> RetryPolicy {
        RetryPolicy {
            schedule: RetrySchedule::default(),
            trigger: Trigger::Event,
        }
    }

    fn replied(status: u16, headers: &[(&str, &str)]) -> Exchange {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Exchange {
            reply: Some(Reply {
                status,
                headers,
                body: bytes::Bytes::new(),
                body_truncated: false,
            }),
            ..Exchange::default()
        }
    }

    const AT: Timestamp = Timestamp::from_seconds(1_700_000_000);

    #[test]
    fn only_a_whole_2xx_is_delivered() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(decide(&replied(status, &[]), 1, &policy(), AT, Jitter::NONE), Verdict::Delivered);
        }
        for status in [100, 199, 300, 301, 307, 400, 404, 429, 500, 503] {
            assert!(
                matches!(decide(&replied(status, &[]), 1, &policy(), AT, Jitter::NONE), Verdict::RetryAt(_)),
                "{status}"
            );
        }
        let mut broken = replied(200, &[]);
        broken.failure = Some(crate::Failure::new(FailureKind::Disconnected, "closed in the middle of the body"));
        assert!(matches!(decide(&broken, 1, &policy(), AT, Jitter::NONE), Verdict::RetryAt(_)));
    }

    #[test]
    fn without_jitter_the_attempts_follow_the_schedule_to_the_millisecond() {
        for (number, step) in RetrySchedule::default().steps().iter().enumerate().skip(1) {
            let verdict = decide(&replied(500, &[]), u16::try_from(number).unwrap(), &policy(), AT, Jitter::NONE);
            assert_eq!(verdict, Verdict::RetryAt(AT + Duration::from_secs(*step)));
        }
        assert_eq!(decide(&replied(500, &[]), 10, &policy(), AT, Jitter::NONE), Verdict::Exhausted);
    }

    #[test]
    fn gone_cancels_and_a_test_is_tried_once() {
        assert_eq!(
            decide(&replied(410, &[]), 1, &policy(), AT, Jitter::NONE),
            Verdict::Cancel(CancelReason::Gone)
        );
        let test = RetryPolicy {
            trigger: Trigger::Test,
            ..policy()
        };
        assert_eq!(decide(&replied(500, &[]), 1, &test, AT, Jitter::NONE), Verdict::Exhausted);
    }

    #[test]
    fn retry_after_moves_the_next_try_later_and_never_earlier_or_beyond_a_day() {
        let next = |value: &str| decide(&replied(503, &[("Retry-After", value)]), 1, &policy(), AT, Jitter::NONE);
        assert_eq!(next("60"), Verdict::RetryAt(AT + Duration::from_secs(60)));
        assert_eq!(next("1"), Verdict::RetryAt(AT + Duration::from_secs(5)));
        assert_eq!(next("864000"), Verdict::RetryAt(AT + Duration::from_secs(86_400)));
        assert_eq!(
            next("Tue, 14 Nov 2023 22:14:20 GMT"),
            Verdict::RetryAt(AT + Duration::from_secs(60))
        );
        for garbage in ["soon", "-5", "", "1e9", "Tue, 99 Nov 2023 22:14:20 GMT"] {
            assert_eq!(next(garbage), Verdict::RetryAt(AT + Duration::from_secs(5)), "{garbage}");
        }
    }

    proptest! {
        #[test]
        fn jitter_stays_within_its_percentage(step in 0_u64..RETRY_STEP_SECONDS_MAX, chance: u32) {
            let step = Duration::from_secs(step);
            let shifted = Jitter::from_chance(chance).apply(step);
            prop_assert!(shifted >= step * 8 / 10 && shifted <= step * 12 / 10);
        }

        #[test]
        fn every_failure_is_retried_or_exhausted_and_never_in_the_past(status in 300_u16..600, attempt in 1_u16..30, chance: u32) {
            match decide(&replied(status, &[]), attempt, &policy(), AT, Jitter::from_chance(chance)) {
                Verdict::Delivered => prop_assert!(false, "a failure was taken for a success"),
                Verdict::RetryAt(next) => prop_assert!(next >= AT && attempt < 10),
                Verdict::Exhausted => prop_assert!(attempt >= 10),
                Verdict::Cancel(why) => prop_assert!(status == 410 && why == CancelReason::Gone),
            }
        }
    }
}
