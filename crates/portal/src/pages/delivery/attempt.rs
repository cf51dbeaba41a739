//! One attempt, as the timeline shows it.

use tidings_model::{Attempt, Event, RetrySchedule, Trigger};

use super::{curl, rule};
use crate::advice;
use crate::json;
use crate::markup::Markup;

/// An attempt and what to make of it.
pub(super) struct AttemptView {
    pub(super) attempt: Attempt,
    /// What came of it: `HTTP 503`, `connection refused by …`.
    pub(super) summary: String,
    /// What to do about it.
    pub(super) advice: Option<&'static str>,
    /// The rule that decided what came next.
    pub(super) rule: String,
    /// The reply's body, coloured when it is JSON; `None` when it is empty.
    pub(super) reply: Option<Markup>,
    /// A command that sends the same again, while it is known.
    pub(super) curl: Option<String>,
    /// Headers whose values are not kept, so that the command lacks them.
    pub(super) masked: Vec<String>,
}

impl AttemptView {
    pub(super) fn of(attempt: Attempt, event: &Event, trigger: Trigger, schedule: &RetrySchedule) -> Self {
        let exchange = &attempt.exchange;
        let reply = exchange.reply.as_ref().filter(|reply| !reply.body.is_empty());
        Self {
            summary: exchange.summary(),
            advice: advice::on(exchange),
            rule: rule::told(&attempt, trigger, schedule),
            reply: reply.map(|reply| json::highlighted(&reply.body)),
            curl: event
                .body
                .whole()
                .map(|body| curl::command(&attempt.url, &attempt.request_headers, body)),
            masked: curl::masked(&attempt.request_headers),
            attempt,
        }
    }

    /// The class of its place in the timeline.
    pub(super) fn tone(&self) -> &'static str {
        if self.attempt.exchange.is_success() { "good" } else { "bad" }
    }
}
