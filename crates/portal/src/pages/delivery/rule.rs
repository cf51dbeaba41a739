//! Which rule decided what came after an attempt, in words. The decision itself is stored with the attempt; why it was made follows from what is.

use std::time::Duration;

use tidings_model::limits::{RETRY_AFTER_SECONDS_MAX, RETRY_JITTER_PERCENT};
use tidings_model::verdict::retry_after;
use tidings_model::{Attempt, CancelReason, RetrySchedule, Timestamp, Trigger, Verdict};

use crate::words::span;

/// Between the end of an attempt and the decision about it, at most.
const SLACK: Duration = Duration::from_secs(2);

/// The rule, in a sentence or two.
pub(super) fn told(attempt: &Attempt, trigger: Trigger, schedule: &RetrySchedule) -> String {
    match attempt.verdict {
        Verdict::Delivered => "A whole reply with any 2xx is delivered.".to_owned(),
        Verdict::Cancel(CancelReason::Gone) => {
            "410 Gone asks for no more: the delivery is cancelled and the webhook is disabled.".to_owned()
        }
        Verdict::Cancel(why) => format!("It is given up, because {why}."),
        Verdict::Exhausted if trigger == Trigger::Test => "A test is tried once.".to_owned(),
        Verdict::Exhausted => format!(
            "{}: attempt {} was the last one of the schedule, so it is exhausted.",
            cause(attempt),
            attempt.number
        ),
        Verdict::RetryAt(next) => format!("{}: {}", cause(attempt), retry(attempt, next, schedule)),
    }
}

fn cause(attempt: &Attempt) -> String {
    let exchange = &attempt.exchange;
    match (&exchange.failure, exchange.status()) {
        (None, Some(status @ 500..=599)) => format!("{status} is a failure of the receiver"),
        (None, Some(status @ 300..=399)) => format!("{status} is a redirect, which is not followed"),
        (None, Some(status)) => format!("{status} is not a 2xx"),
        _ => "There was no whole reply".to_owned(),
    }
}

fn retry(attempt: &Attempt, next: Timestamp, schedule: &RetrySchedule) -> String {
    let ended = attempt.started_at + Duration::from_micros(attempt.exchange.timings.total_us);
    let wait = rounded(next.since(ended));
    let reply = attempt.exchange.reply.as_ref();
    let wish = reply
        .and_then(|reply| reply.header("retry-after"))
        .and_then(|value| retry_after(value, ended));
    let step = schedule.delay_before(attempt.number.saturating_add(1));
    if let Some(wish) = wish.filter(|wish| is_about(wait, *wish, *wish) && step.is_none_or(|step| *wish > earliest(step))) {
        let most = if wish.as_secs() == RETRY_AFTER_SECONDS_MAX {
            ", as long as is honoured"
        } else {
            ""
        };
        return format!(
            "the next attempt waits {}, because its Retry-After asked for that{most}.",
            span(wish)
        );
    }
    let sooner = wish.map_or_else(String::new, |wish| {
        format!(" Retry-After asked for {}, which is sooner.", span(wish))
    });
    match step {
        Some(step) if is_about(wait, earliest(step), latest(step)) => format!(
            "the next attempt follows after {}, step {} of {} of the schedule ({}, ±{RETRY_JITTER_PERCENT} % so that not all come at once).{sooner}",
            span(wait),
            attempt.number + 1,
            schedule.attempts(),
            span(step),
        ),
        _ => format!(
            "the next attempt follows after {}, by the schedule as it was then.{sooner}",
            span(wait)
        ),
    }
}

/// To the nearest second: rounded down, a wait would seem shorter than its schedule allows.
fn rounded(wait: Duration) -> Duration {
    Duration::from_secs(((wait.as_millis() as u64 + 500) / 1_000).max(1))
}

fn is_about(wait: Duration, from: Duration, until: Duration) -> bool {
    wait + SLACK >= from && wait <= until + SLACK
}

fn earliest(step: Duration) -> Duration {
    step * (100 - RETRY_JITTER_PERCENT as u32) / 100
}

fn latest(step: Duration) -> Duration {
    step * (100 + RETRY_JITTER_PERCENT as u32) / 100
}

#[cfg(test)]
mod tests {
    use tidings_model::verdict::{Jitter, RetryPolicy, decide};
    use tidings_model::{DeliveryId, EventId, Exchange, FailureKind, Reply};

    use super::*;

    const AT: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn replied(status: u16, retry_after: Option<&str>) -> Exchange {
        let header = |value: &str| ("retry-after".to_owned(), value.to_owned());
        Exchange {
            reply: Some(Reply {
                status,
                headers: retry_after.map(header).into_iter().collect(),
                body: bytes::Bytes::new(),
                body_truncated: false,
            }),
            ..Exchange::default()
        }
    }

    /// What is told of an attempt that was decided about as the engine does it.
    fn told_of(exchange: Exchange, number: u16, trigger: Trigger) -> String {
        let policy = RetryPolicy {
            schedule: RetrySchedule::new(vec![0, 30, 3_600]).unwrap(),
            trigger,
        };
        let attempt = Attempt {
            delivery: DeliveryId {
                event: EventId::new(AT, 1),
                ordinal: 0,
            },
            number,
            started_at: AT,
            url: "https://example.com/".to_owned(),
            request_headers: Vec::new(),
            verdict: decide(&exchange, number, &policy, AT, Jitter::NONE),
            exchange,
        };
        told(&attempt, trigger, &policy.schedule)
    }

    #[test]
    fn each_verdict_names_its_rule() {
        let told_of = |exchange, number| told_of(exchange, number, Trigger::Event);
        assert_eq!(told_of(replied(204, None), 1), "A whole reply with any 2xx is delivered.");
        assert!(told_of(replied(410, None), 1).contains("the webhook is disabled"));
        assert_eq!(
            told_of(replied(503, None), 1),
            "503 is a failure of the receiver: the next attempt follows after 30 s, step 2 of 3 of the schedule (30 s, ±20 % so that not all come at once)."
        );
        assert_eq!(
            told_of(Exchange::failed(FailureKind::Dns, "no such name"), 3),
            "There was no whole reply: attempt 3 was the last one of the schedule, so it is exhausted."
        );
    }

    #[test]
    fn retry_after_is_named_when_it_decided_and_when_it_did_not() {
        let told_of = |value| told_of(replied(429, Some(value)), 1, Trigger::Event);
        assert_eq!(
            told_of("120"),
            "429 is not a 2xx: the next attempt waits 2 min, because its Retry-After asked for that."
        );
        assert!(told_of("864000").contains("waits 1 d, because its Retry-After asked for that, as long as is honoured"));
        assert!(told_of("3").contains("step 2 of 3") && told_of("3").ends_with("Retry-After asked for 3 s, which is sooner."));
    }

    #[test]
    fn a_test_is_tried_once() {
        assert_eq!(told_of(replied(500, None), 1, Trigger::Test), "A test is tried once.");
    }
}
