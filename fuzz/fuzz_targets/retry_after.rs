//! Retry-After and what follows a failure: never more than a day beyond what was asked, never before the schedule, never in the past. An input is the
//! value of the header in a line, then the status, the number of the attempt, chance and the time.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tidings_fuzz::input::Input;
use tidings_model::limits::RETRY_AFTER_SECONDS_MAX;
use tidings_model::verdict::retry_after;
use tidings_model::{Exchange, Jitter, Reply, RetryPolicy, RetrySchedule, Timestamp, Trigger, Verdict, decide};

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let Some(value) = input.line() else { return };
    let status = u16::from_le_bytes(input.bytes()) % 600;
    let attempt = u16::from_le_bytes(input.bytes()) % 16;
    let chance = u32::from_le_bytes(input.bytes());
    let now = i64::from_le_bytes(input.bytes());
    // As far as times of stores go, with room for what is added to them.
    let at = Timestamp::from_millis(now.rem_euclid(Timestamp::MAX.as_millis() / 2));
    let wish = retry_after(value, at);
    let longest = Duration::from_secs(RETRY_AFTER_SECONDS_MAX);
    assert!(wish.is_none_or(|wish| wish <= longest));

    let policy = RetryPolicy {
        schedule: RetrySchedule::default(),
        trigger: Trigger::Event,
    };
    let exchange = Exchange {
        reply: Some(Reply {
            status,
            headers: vec![("retry-after".to_owned(), value.to_owned())],
            body: bytes::Bytes::new(),
            body_truncated: false,
        }),
        ..Exchange::default()
    };
    let step = policy.schedule.delay_before(attempt.saturating_add(1));
    match decide(&exchange, attempt, &policy, at, Jitter::from_chance(chance)) {
        Verdict::Delivered => assert!((200..300).contains(&status)),
        Verdict::Cancel(_) => assert_eq!(status, 410),
        Verdict::Exhausted => assert_eq!(step, None),
        Verdict::RetryAt(next) => {
            let waits = next.since(at);
            let step = step.expect("a retry has a step");
            assert!(next >= at && waits >= wish.unwrap_or_default() && waits >= step * 8 / 10);
            assert!(waits <= longest.max(step * 12 / 10));
        }
    }
});
