//! What became of the requests of a run.
//!
//! Never knows: HTTP beyond a status.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::figures::{GenFigures, Quantiles};

/// Most characters of a refusal that are told.
const REASON_CHARS_MAX: usize = 500;

/// All requests so far.
pub(super) struct Tally {
    /// Begun, whether or not they have ended.
    sent: u64,
    accepted: u64,
    refused: BTreeMap<u16, u64>,
    failed: u64,
    first_us: u64,
    last_us: u64,
    ack: Histogram<u64>,
    /// Why the first one that went wrong did.
    reason: Option<String>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            sent: 0,
            accepted: 0,
            refused: BTreeMap::new(),
            failed: 0,
            first_us: 0,
            last_us: 0,
            ack: Quantiles::histogram(),
            reason: None,
        }
    }

    /// A request begins.
    pub(super) fn begin(&mut self, now_us: u64) {
        if self.sent == 0 {
            self.first_us = now_us;
        }
        self.sent += 1;
    }

    /// A request that was due then is accepted.
    pub(super) fn accepted(&mut self, due_us: u64, now_us: u64) {
        self.accepted += 1;
        self.answered(due_us, now_us);
    }

    /// A request that was due then is refused.
    pub(super) fn refused(&mut self, status: u16, due_us: u64, now_us: u64) {
        *self.refused.entry(status).or_default() += 1;
        self.answered(due_us, now_us);
    }

    fn answered(&mut self, due_us: u64, now_us: u64) {
        self.last_us = now_us;
        self.ack.saturating_record(now_us.saturating_sub(due_us));
    }

    /// A request gets no answer.
    pub(super) fn failed(&mut self, why: impl FnOnce() -> String) {
        self.failed += 1;
        self.explain(why);
    }

    /// Keeps the first reason why a request went wrong.
    pub(super) fn explain(&mut self, why: impl FnOnce() -> String) {
        self.reason
            .get_or_insert_with(|| why().chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect());
    }

    /// Why the first one that went wrong did.
    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Requests that ended, one way or the other.
    pub(super) fn ended(&self) -> u64 {
        self.ack.len() + self.failed
    }

    /// Requests that have begun and not ended.
    pub(super) fn under_way(&self) -> u64 {
        self.sent - self.ended()
    }

    /// What it comes to; what is under way has failed.
    pub(super) fn figures(&self) -> GenFigures {
        GenFigures {
            accepted: self.accepted,
            refused: self.refused.clone(),
            failed: self.failed + self.under_way(),
            seconds: self.last_us.saturating_sub(self.first_us) as f64 / 1e6,
            ack: Quantiles::of(&self.ack),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_at_the_end_has_failed() {
        let mut tally = Tally::new();
        for now_us in [10, 20, 30, 40] {
            tally.begin(now_us);
        }
        tally.accepted(10, 110);
        tally.refused(429, 20, 1_000_010);
        tally.failed(|| "the first".to_owned());
        assert_eq!((tally.ended(), tally.under_way()), (3, 1));
        let figures = tally.figures();
        assert_eq!((figures.accepted, figures.failed), (1, 2));
        assert_eq!(figures.refused, BTreeMap::from([(429, 1)]));
        assert!((figures.seconds - 1.0).abs() < f64::EPSILON);
    }
}
