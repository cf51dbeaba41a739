//! How things are said: times, counts, states. One home, so that every page says them in the same way. What takes a `Borrow` is called by templates,
//! which hand over references.

use std::borrow::Borrow;
use std::time::Duration;

use tidings_model::delivery::DeliveryStatus;
use tidings_model::{DeliveryState, DisableReason, Timestamp, Webhook, WebhookHealth, WebhookState};

use crate::icon::{Icon, icon};
use crate::markup::Markup;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A span of time, coarsely: `42 s`, `3 min`, `5 h`, `12 d`.
pub(crate) fn span(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..MINUTE => format!("{seconds} s"),
        seconds @ MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        seconds @ HOUR..DAY => match (seconds / HOUR, seconds % HOUR / MINUTE) {
            (hours, 0) => format!("{hours} h"),
            (hours, minutes) if hours < 10 => format!("{hours} h {minutes} min"),
            (hours, _) => format!("{hours} h"),
        },
        seconds => format!("{} d", seconds / DAY),
    }
}

/// How long something took: `820 µs`, `12.4 ms`, `3.20 s`.
pub(crate) fn took(micros: impl Borrow<u64>) -> String {
    let micros = *micros.borrow();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1_000.0),
        _ => format!("{:.2} s", micros as f64 / 1_000_000.0),
    }
}

/// A count with thin gaps between thousands.
pub(crate) fn count(number: impl Borrow<u64>) -> String {
    let digits = number.borrow().to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let groups = tail.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let parts: Vec<_> = std::iter::once(head.to_owned())
        .chain(groups)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("\u{202f}")
}

/// `1 event`, `2 events`.
pub(crate) fn counted(number: impl Borrow<u64>, word: &str) -> String {
    let number = *number.borrow();
    format!("{} {word}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A share in per cent; no share of nothing.
pub(crate) fn share(part: u64, whole: u64) -> Option<String> {
    (whole > 0).then(|| match part as f64 * 100.0 / whole as f64 {
        all if part == whole => format!("{all:.0}%"),
        nearly => format!("{:.1}%", nearly.min(99.9)),
    })
}

/// A time as people say it, with the exact one at hand.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    let words = if at <= now {
        match now.since(at) {
            recent if recent < Duration::from_secs(2) => "just now".to_owned(),
            past => format!("{} ago", span(past)),
        }
    } else {
        format!("in {}", span(at.since(now)))
    };
    Markup::of("<time datetime=\"")
        .text(at)
        .html("\" title=\"")
        .text(exact(at))
        .html("\">")
        .text(words)
        .html("</time>")
}

/// The exact time, for the title of a relative one: `2026-01-31 12:00:00.000 UTC`.
pub(crate) fn exact(at: Timestamp) -> String {
    at.to_string().replace('T', " ").replace('Z', " UTC")
}

/// The five ways in which something can stand; each has a colour, an icon and a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Waiting,
    Warning,
    Bad,
    Off,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Good => "badge good",
            Self::Waiting => "badge waiting",
            Self::Warning => "badge warning",
            Self::Bad => "badge bad",
            Self::Off => "badge off",
        }
    }

    const fn icon(self) -> Icon {
        match self {
            Self::Good => Icon::Check,
            Self::Waiting => Icon::Clock,
            Self::Warning => Icon::Retry,
            Self::Bad => Icon::Cross,
            Self::Off => Icon::Pause,
        }
    }
}

/// A state as colour, icon and word.
pub(crate) fn badge(tone: Tone, word: &str) -> Markup {
    Markup::of("<span class=\"")
        .text(tone.class())
        .html("\">")
        .with(&icon(tone.icon()))
        .text(word)
        .html("</span>")
}

/// How a delivery stands.
pub(crate) fn delivery_badge(status: DeliveryStatus) -> Markup {
    let tone = match status {
        DeliveryStatus::Delivered => Tone::Good,
        DeliveryStatus::Scheduled | DeliveryStatus::InFlight => Tone::Waiting,
        DeliveryStatus::Retrying => Tone::Warning,
        DeliveryStatus::Exhausted => Tone::Bad,
        DeliveryStatus::Cancelled => Tone::Off,
    };
    let word = match status {
        DeliveryStatus::InFlight => "in flight",
        other => other.as_str(),
    };
    badge(tone, word)
}

/// What comes next for a delivery, or how it ended.
pub(crate) fn next(state: &DeliveryState, now: impl Borrow<Timestamp>) -> Markup {
    let now = *now.borrow();
    match state {
        DeliveryState::Pending { next_attempt_at } if *next_attempt_at <= now => Markup::of("due now"),
        DeliveryState::Pending { next_attempt_at } => Markup::of("next attempt ").with(&ago(*next_attempt_at, now)),
        DeliveryState::Delivered { .. } | DeliveryState::Exhausted { .. } | DeliveryState::Cancelled { .. } => Markup::default(),
    }
}

/// How a webhook stands.
pub(crate) fn webhook_badge(webhook: &Webhook, health: &WebhookHealth) -> Markup {
    match (webhook.state, health.failing_since) {
        (
            WebhookState::Disabled {
                why: DisableReason::Operator,
                ..
            },
            _,
        ) => badge(Tone::Off, "disabled"),
        (WebhookState::Disabled { .. }, _) => badge(Tone::Bad, "disabled"),
        (WebhookState::Active, Some(_)) => badge(Tone::Warning, "failing"),
        (WebhookState::Active, None) => badge(Tone::Good, "active"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_coarsely_and_durations_finely() {
        let said = [0, 59, 60, 3_599, 3_600, 5_400, 86_399, 86_400, 864_000].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(said, ["0 s", "59 s", "1 min", "59 min", "1 h", "1 h 30 min", "23 h", "1 d", "10 d"]);
        assert_eq!(
            [820, 12_400, 3_200_000].map(|micros: u64| took(micros)),
            ["820 µs", "12.4 ms", "3.20 s"]
        );
    }

    #[test]
    fn counts_have_gaps_and_shares_never_round_up_to_all() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(|number: u64| count(number)),
            ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]
        );
        assert_eq!(
            (counted(1, "event"), counted(0, "event")),
            ("1 event".to_owned(), "0 events".to_owned())
        );
        assert_eq!(share(99_999, 100_000).as_deref(), Some("99.9%"));
        assert_eq!((share(3, 3).as_deref(), share(0, 0)), (Some("100%"), None));
    }

    #[test]
    fn times_are_relative_with_the_exact_one_at_hand() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let said = ago(now - Duration::from_secs(180), now).to_string();
        assert!(
            said.contains(">3 min ago<") && said.contains("title=\"2027-01-15 07:57:00.000 UTC\""),
            "{said}"
        );
        assert!(ago(now + Duration::from_secs(90), now).to_string().contains(">in 1 min<"));
    }
}
