//! A delivery by itself.

use std::time::Duration;

use tidings_model::limits::RETRY_JITTER_PERCENT;
use tidings_model::{Attempt, CancelReason, DeliveryState, Settings, Timestamp, Verdict};
use tidings_store::DeliveryDetail;

use super::Found;
use crate::model::Place;
use crate::play::Weather;

/// The longest deadline of an attempt that an environment has here, and a little.
const TIMEOUT_MAX: Duration = Duration::from_secs(17);
/// The longest Retry-After of the receivers.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// A delivery by itself: it has ended, its attempts follow each other, each in its time, and its end is that of its last attempt.
pub(super) fn one(found: &mut Found, detail: &DeliveryDetail, place: &Place, weather: Weather) {
    let (delivery, attempts) = (&detail.delivery, &detail.attempts);
    let id = delivery.id;
    let numbers: Vec<u16> = attempts.iter().map(|attempt| attempt.number).collect();
    found.unless(numbers.iter().copied().eq(1..=delivery.attempts), || {
        format!("{id}: {} attempts are recorded, numbered {numbers:?}", delivery.attempts)
    });
    for pair in attempts.windows(2) {
        retry(found, &pair[0], &pair[1], place, weather);
    }
    for attempt in attempts {
        let delivered = attempt.verdict == Verdict::Delivered;
        found.unless(delivered == attempt.exchange.is_success(), || {
            format!(
                "{id}: attempt {} was judged {:?} after {}",
                attempt.number,
                attempt.verdict,
                attempt.exchange.summary()
            )
        });
    }
    let last = attempts.last().map(|attempt| attempt.verdict);
    let fits = match delivery.state {
        DeliveryState::Pending { .. } => false,
        DeliveryState::Delivered { .. } => last == Some(Verdict::Delivered),
        DeliveryState::Exhausted { .. } => last == Some(Verdict::Exhausted) && is_whole_schedule(attempts, place, weather),
        DeliveryState::Cancelled {
            why: CancelReason::Gone, ..
        } => last == Some(Verdict::Cancel(CancelReason::Gone)) || matches!(last, None | Some(Verdict::RetryAt(_))),
        DeliveryState::Cancelled { .. } => matches!(last, None | Some(Verdict::RetryAt(_))),
    };
    found.unless(fits, || format!("{id}: ended as {:?} after {last:?}", delivery.state));
}

/// Whether a schedule that there may have been at the last attempt has no more of them. A longer one may have been cut meanwhile.
fn is_whole_schedule(attempts: &[Attempt], place: &Place, weather: Weather) -> bool {
    let Some(last) = attempts.last() else {
        return false;
    };
    let ended = (last.started_at + TIMEOUT_MAX).as_millis();
    let from = if weather.skew { i64::MIN } else { last.started_at.as_millis() };
    let mut possible = place
        .settings(from, if weather.skew { i64::MAX } else { ended }, weather.heard_ms())
        .into_iter();
    possible.any(|settings| attempts.len() >= settings.retry_schedule.attempts())
}

/// One attempt after another: not before its time, which lies on a schedule that there may have been.
fn retry(found: &mut Found, before: &Attempt, after: &Attempt, place: &Place, weather: Weather) {
    let what = format!("{}: attempt {}", before.delivery, after.number);
    let Verdict::RetryAt(due) = before.verdict else {
        return found.unless(false, || format!("{what} was made after {:?}", before.verdict));
    };
    if weather.skew {
        return; // the two may have been made by clocks that are apart
    }
    found.unless(after.started_at >= due, || {
        format!("{what} was made at {}, and due at {due}", after.started_at)
    });
    let possible = place.settings(
        before.started_at.as_millis(),
        (before.started_at + TIMEOUT_MAX).as_millis(),
        weather.heard_ms(),
    );
    let on_schedule = possible.iter().any(|settings| is_on_schedule(before, after.number, due, settings));
    found.unless(on_schedule, || {
        format!("{what} was due at {due}, which is on none of the schedules that there may have been: {possible:?}")
    });
}

fn is_on_schedule(before: &Attempt, number: u16, due: Timestamp, settings: &Settings) -> bool {
    let Some(step) = settings.retry_schedule.delay_before(number) else {
        return false;
    };
    let spread = step * u32::try_from(RETRY_JITTER_PERCENT).unwrap_or(0) / 100;
    let (earliest, latest) = (
        before.started_at + step.saturating_sub(spread),
        before.started_at + TIMEOUT_MAX + step.max(RETRY_AFTER_MAX) + spread,
    );
    (earliest..=latest).contains(&due)
}
