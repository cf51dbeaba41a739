//! Whether what a delivery says of itself follows from its attempts. Pure: every store reads the two in its own way and asks here.

use tidings_model::{DeliveryId, DeliveryState, Verdict};

use super::Finding;

/// What a store says of a delivery.
#[derive(Clone, Copy, Debug)]
pub struct ToldDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// Its state.
    pub state: DeliveryState,
    /// How many attempts it says that it made.
    pub attempts: u16,
    /// What the last of them was answered.
    pub last_status: Option<u16>,
}

/// What a store has of an attempt.
#[derive(Clone, Copy, Debug)]
pub struct MadeAttempt {
    /// Its number.
    pub number: u16,
    /// What followed from it.
    pub verdict: Verdict,
    /// What it was answered; `None` where the store does not know, as of attempts that are older than its schema.
    pub status: Option<Option<u16>>,
}

/// The first thing that is wrong with a delivery, whose attempts come oldest first.
pub fn judge(told: &ToldDelivery, made: &[MadeAttempt]) -> Option<Finding> {
    let delivery = told.id;
    let misnumbered = (1..).zip(made).find(|(expected, attempt)| attempt.number != *expected);
    if let Some((expected, attempt)) = misnumbered {
        return Some(Finding::AttemptsNotNumbered {
            delivery,
            expected,
            found: attempt.number,
        });
    }
    let found = u16::try_from(made.len()).unwrap_or(u16::MAX);
    if told.attempts != found {
        return Some(Finding::AttemptsDisagree {
            delivery,
            told: told.attempts,
            found,
        });
    }
    let disagrees = |what: String| Some(Finding::StateDisagrees { delivery, what });
    let early = made
        .iter()
        .rev()
        .skip(1)
        .find(|attempt| !matches!(attempt.verdict, Verdict::RetryAt(_)));
    if let Some(early) = early {
        return disagrees(format!("went on after its attempt {}, which {}", early.number, said(early.verdict)));
    }
    let last = made.last();
    if !follows(told.state, last.map(|attempt| attempt.verdict)) {
        let attempts = last.map_or_else(
            || "it has made no attempt".to_owned(),
            |attempt| format!("its last attempt {}", said(attempt.verdict)),
        );
        return disagrees(format!("{}, but {attempts}", is(told.state)));
    }
    match last.and_then(|attempt| attempt.status) {
        Some(status) if status != told.last_status => disagrees(format!(
            "says that it was last answered {}, and its last attempt says {}",
            answer(told.last_status),
            answer(status)
        )),
        _ => None,
    }
}

/// Whether a state is one that the last attempt leaves, or that it may come to by itself afterwards.
fn follows(state: DeliveryState, last: Option<Verdict>) -> bool {
    match (state, last) {
        (DeliveryState::Pending { .. } | DeliveryState::Cancelled { .. }, None)
        | (DeliveryState::Delivered { .. }, Some(Verdict::Delivered))
        | (DeliveryState::Exhausted { .. }, Some(Verdict::Exhausted))
        | (DeliveryState::Cancelled { .. }, Some(Verdict::RetryAt(_))) => true,
        (DeliveryState::Pending { next_attempt_at }, Some(Verdict::RetryAt(at))) => next_attempt_at == at,
        (DeliveryState::Cancelled { why, .. }, Some(Verdict::Cancel(reason))) => why == reason,
        _ => false,
    }
}

fn is(state: DeliveryState) -> String {
    match state {
        DeliveryState::Pending { next_attempt_at } => format!("is pending until {next_attempt_at}"),
        DeliveryState::Delivered { .. } => "is delivered".to_owned(),
        DeliveryState::Exhausted { .. } => "is exhausted".to_owned(),
        DeliveryState::Cancelled { why, .. } => format!("is cancelled ({why})"),
    }
}

fn said(verdict: Verdict) -> String {
    match verdict {
        Verdict::Delivered => "delivered it".to_owned(),
        Verdict::RetryAt(at) => format!("failed and is to be followed by another at {at}"),
        Verdict::Exhausted => "exhausted it".to_owned(),
        Verdict::Cancel(why) => format!("cancelled it ({why})"),
    }
}

fn answer(status: Option<u16>) -> String {
    status.map_or_else(|| "nothing".to_owned(), |status| status.to_string())
}

#[cfg(test)]
mod tests {
    use tidings_model::{CancelReason, EventId, Timestamp};

    use super::*;

    const AT: Timestamp = Timestamp::from_seconds(1_700_000_000);
    const LATER: Timestamp = Timestamp::from_seconds(1_700_000_005);

    fn told(state: DeliveryState, attempts: u16, last_status: Option<u16>) -> ToldDelivery {
        let id = DeliveryId {
            event: EventId::new(AT, 0),
            ordinal: 3,
        };
        ToldDelivery {
            id,
            state,
            attempts,
            last_status,
        }
    }

    fn made(verdicts: &[Verdict]) -> Vec<MadeAttempt> {
        let attempts = (1..).zip(verdicts).map(|(number, verdict)| MadeAttempt {
            number,
            verdict: *verdict,
            status: Some(Some(500)),
        });
        attempts.collect()
    }

    #[test]
    fn every_way_that_a_delivery_can_go_is_sound() {
        let pending = DeliveryState::Pending { next_attempt_at: LATER };
        let cancelled = |why| DeliveryState::Cancelled { at: AT, why };
        let retry = Verdict::RetryAt(LATER);
        for (state, verdicts) in [
            (pending, &[][..]),
            (pending, &[retry]),
            (pending, &[Verdict::RetryAt(AT), retry]),
            (DeliveryState::Delivered { at: AT }, &[retry, Verdict::Delivered]),
            (DeliveryState::Exhausted { at: AT }, &[retry, Verdict::Exhausted]),
            (cancelled(CancelReason::Gone), &[Verdict::Cancel(CancelReason::Gone)]),
            (cancelled(CancelReason::WebhookDeleted), &[retry]),
            (cancelled(CancelReason::WebhookDisabled), &[]),
        ] {
            let attempts = made(verdicts);
            let told = told(state, attempts.len() as u16, attempts.last().map(|_| 500));
            assert_eq!(judge(&told, &attempts), None, "{state:?} after {verdicts:?}");
        }
    }

    #[test]
    fn a_state_that_does_not_follow_is_told_with_what_the_last_attempt_says() {
        let pending = DeliveryState::Pending { next_attempt_at: LATER };
        for (state, verdicts) in [
            (pending, &[Verdict::Delivered][..]),
            (pending, &[Verdict::RetryAt(AT)]),
            (DeliveryState::Delivered { at: AT }, &[]),
            (DeliveryState::Delivered { at: AT }, &[Verdict::RetryAt(AT)]),
            (DeliveryState::Exhausted { at: AT }, &[Verdict::Delivered]),
            (DeliveryState::Delivered { at: AT }, &[Verdict::Exhausted, Verdict::Delivered]),
        ] {
            let attempts = made(verdicts);
            let told = told(state, attempts.len() as u16, attempts.last().map(|_| 500));
            let found = judge(&told, &attempts);
            assert!(
                matches!(found, Some(Finding::StateDisagrees { delivery, .. }) if delivery == told.id),
                "{found:?}"
            );
        }
    }

    #[test]
    fn gaps_counts_and_answers_are_held_too_and_unknown_answers_are_not() {
        let delivered = DeliveryState::Delivered { at: AT };
        let delivery = told(delivered, 1, Some(200)).id;
        let mut attempts = made(&[Verdict::Delivered]);
        attempts[0].number = 2;
        let gap = judge(&told(delivered, 1, Some(500)), &attempts);
        assert_eq!(
            gap,
            Some(Finding::AttemptsNotNumbered {
                delivery,
                expected: 1,
                found: 2
            })
        );
        attempts[0].number = 1;
        let count = judge(&told(delivered, 2, Some(500)), &attempts);
        assert_eq!(
            count,
            Some(Finding::AttemptsDisagree {
                delivery,
                told: 2,
                found: 1
            })
        );
        assert!(judge(&told(delivered, 1, Some(200)), &attempts).is_some());
        attempts[0].status = None;
        assert_eq!(judge(&told(delivered, 1, Some(200)), &attempts), None);
    }
}
