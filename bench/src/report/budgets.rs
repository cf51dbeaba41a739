//! What the figures of a report are held against: one table.
//!
//! Limits are in the units of the figures: microseconds, bytes, parts of one. Where a budget is not met, `docs/performance.md` says what the floor is.

use serde::Serialize;

use super::record::Figure;

const MICROSECOND: f64 = 1.0;
const MILLISECOND: f64 = 1_000.0;
const SECOND: f64 = 1_000_000.0;
const MEGABYTE: f64 = 1_000_000.0;

/// On which side of the limit a figure has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Comparison {
    /// The limit or less.
    AtMost,
    /// The limit or more.
    AtLeast,
}

/// What it means when it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A promise is broken, on any machine: the report fails.
    Invariant,
    /// A goal for two processors that do nothing else is missed: the report says so.
    Goal,
    /// Something is wrong even for a busy machine: a short report, which holds nothing against goals, fails.
    Floor,
}

/// One limit.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Budget {
    /// The id of the figure.
    pub(crate) figure: &'static str,
    /// Which side of the limit is good.
    pub(crate) comparison: Comparison,
    /// The limit.
    pub(crate) limit: f64,
    /// What it means when it is broken.
    pub(crate) kind: Kind,
    /// Where it comes from.
    pub(crate) why: &'static str,
}

const fn at_most(figure: &'static str, limit: f64, kind: Kind, why: &'static str) -> Budget {
    Budget {
        figure,
        comparison: Comparison::AtMost,
        limit,
        kind,
        why,
    }
}

const fn at_least(figure: &'static str, limit: f64, kind: Kind, why: &'static str) -> Budget {
    Budget {
        comparison: Comparison::AtLeast,
        ..at_most(figure, limit, kind, why)
    }
}

/// Commits of background ticks that found nothing to write: there is nothing to make durable.
const TICKS: f64 = 10.0;

const LOSS: &str = "an accepted event is delivered to every webhook that it matches";
const OWN_FSYNC: &str = "202 means fsynced, always";
const FLOORS: &str =
    "the floors of HTTP in and out, signing and SQLite add up to 35 to 40 µs; a relay that stores nothing costs 28 to 41 µs";
const ONE_HOP: &str = "one fsync and one hop more than the relay";
const LANES: &str = "a dead webhook costs bounded slots, never its neighbours' time";
const BY_KEY: &str = "matching is by key, not by scan";
const WAITS: &str = "what waits, waits in the store: nothing waits in memory only";
const PIECES: &str = "old data goes a bounded piece at a time";
const PAGE: &str = "a page costs what it shows, not what is stored";
const BUSY: &str = "far below what a busy machine shows: whoever breaks it has broken something";

/// All of them.
pub(crate) const BUDGETS: &[Budget] = &[
    at_most("throughput.tidings.cpu", 50.0 * MICROSECOND, Kind::Goal, FLOORS),
    at_least("throughput.ratio", 0.6, Kind::Goal, FLOORS),
    at_least("throughput.ratio", 0.1, Kind::Floor, BUSY),
    at_most("throughput.lost", 0.0, Kind::Invariant, LOSS),
    at_most("throughput.unaccepted", 0.0, Kind::Invariant, LOSS),
    at_most("fanout.lost", 0.0, Kind::Invariant, LOSS),
    at_most("fanout.unaccepted", 0.0, Kind::Invariant, LOSS),
    at_most("latency.200.beyond.p50", 2.0 * MILLISECOND, Kind::Goal, ONE_HOP),
    at_most("latency.200.beyond.p99", 10.0 * MILLISECOND, Kind::Goal, ONE_HOP),
    at_most("latency.200.beyond.p50", 100.0 * MILLISECOND, Kind::Floor, BUSY),
    at_most("latency.lost", 0.0, Kind::Invariant, LOSS),
    at_most("latency.unaccepted", 0.0, Kind::Invariant, LOSS),
    at_most("isolation.hanging.ratio", 1.5, Kind::Goal, LANES),
    at_most("isolation.failing.ratio", 1.5, Kind::Goal, LANES),
    at_most("isolation.hanging.p50", 500.0 * MILLISECOND, Kind::Floor, BUSY),
    at_most("isolation.failing.p50", 500.0 * MILLISECOND, Kind::Floor, BUSY),
    at_most("isolation.lost", 0.0, Kind::Invariant, LOSS),
    at_most("isolation.unaccepted", 0.0, Kind::Invariant, LOSS),
    at_most("durability.unproven", 0.0, Kind::Invariant, OWN_FSYNC),
    at_least("durability.one.per_accepted", 1.0, Kind::Invariant, OWN_FSYNC),
    at_most("durability.one.bare", TICKS, Kind::Invariant, OWN_FSYNC),
    at_most("durability.many.bare", TICKS, Kind::Invariant, OWN_FSYNC),
    at_most("webhooks.many.ratio", 1.1, Kind::Goal, BY_KEY),
    at_most("webhooks.most.ratio", 1.1, Kind::Goal, BY_KEY),
    at_most("webhooks.many.start", 2.0 * SECOND, Kind::Goal, "a start is not noticed"),
    at_most("webhooks.most.start", 2.0 * SECOND, Kind::Goal, "a start is not noticed"),
    at_most("webhooks.lost", 0.0, Kind::Invariant, LOSS),
    at_most("webhooks.unaccepted", 0.0, Kind::Invariant, LOSS),
    at_most("backlog.idle.memory", 30.0 * MEGABYTE, Kind::Goal, WAITS),
    at_most("backlog.full.memory", 150.0 * MEGABYTE, Kind::Goal, WAITS),
    at_most("backlog.again.memory", 150.0 * MEGABYTE, Kind::Goal, WAITS),
    at_most("backlog.first_retry", 2.0 * SECOND, Kind::Goal, "a crash is the ordinary path"),
    at_most("retention.removing.ack.p99", 50.0 * MILLISECOND, Kind::Goal, PIECES),
    at_most("retention.lost", 0.0, Kind::Invariant, LOSS),
    at_most("retention.unaccepted", 0.0, Kind::Invariant, LOSS),
    at_most("history.many.webhook.p99", 20.0 * MILLISECOND, Kind::Goal, PAGE),
    at_most("history.many.webhook.delivered.p99", 20.0 * MILLISECOND, Kind::Goal, PAGE),
    at_most("history.many.webhook.exhausted.p99", 20.0 * MILLISECOND, Kind::Goal, PAGE),
    at_most("history.many.webhook.pending.p99", 20.0 * MILLISECOND, Kind::Goal, PAGE),
    at_most("history.many.key.p99", 20.0 * MILLISECOND, Kind::Goal, PAGE),
    at_most("history.many.key.rare.p99", 20.0 * MILLISECOND, Kind::Goal, PAGE),
    at_most("history.many.tenant.unknown.p99", 20.0 * MILLISECOND, Kind::Goal, PAGE),
    at_most("history.many.time.p99", 20.0 * MILLISECOND, Kind::Goal, PAGE),
    at_most("history.many.events.p99", 20.0 * MILLISECOND, Kind::Goal, PAGE),
    at_most("history.many.events.rare.p99", 20.0 * MILLISECOND, Kind::Goal, PAGE),
];

impl Budget {
    /// Whether a figure keeps it.
    pub(crate) fn is_met(&self, figure: &Figure) -> bool {
        let value = figure.spread.median;
        match self.comparison {
            Comparison::AtMost => value <= self.limit,
            Comparison::AtLeast => value >= self.limit,
        }
    }

    /// Whether the report fails when it is broken.
    pub(crate) const fn is_fatal(&self) -> bool {
        matches!(self.kind, Kind::Invariant | Kind::Floor)
    }
}

/// What a figure is held against in a report: goals belong to the full one, floors to the short one.
pub(crate) fn of(figure: &str, short: bool) -> Option<&'static Budget> {
    BUDGETS.iter().find(|budget| {
        let holds = match budget.kind {
            Kind::Invariant => true,
            Kind::Goal => !short,
            Kind::Floor => short,
        };
        holds && budget.figure == figure
    })
}

#[cfg(test)]
mod tests {
    use super::super::record::{Findings, Unit};
    use super::*;

    fn figure(value: f64) -> Figure {
        let mut findings = Findings::default();
        findings.add("x", "", Unit::Count, [value]);
        findings.figures.remove(0)
    }

    #[test]
    fn a_limit_itself_is_kept() {
        let most = at_most("x", 50.0, Kind::Goal, "");
        assert_eq!([49.9, 50.0, 50.1].map(|value| most.is_met(&figure(value))), [true, true, false]);
        let least = at_least("x", 0.6, Kind::Goal, "");
        assert_eq!([0.59, 0.6, 0.61].map(|value| least.is_met(&figure(value))), [false, true, true]);
    }

    #[test]
    fn a_short_report_is_held_to_floors_and_a_full_one_to_goals_and_both_to_promises() {
        let limit = |figure, short| of(figure, short).map(|budget| (budget.limit, budget.kind));
        assert_eq!(limit("throughput.ratio", false), Some((0.6, Kind::Goal)));
        assert_eq!(limit("throughput.ratio", true), Some((0.1, Kind::Floor)));
        assert_eq!(limit("throughput.lost", true), Some((0.0, Kind::Invariant)));
        assert_eq!(limit("throughput.lost", false), Some((0.0, Kind::Invariant)));
        assert_eq!(limit("throughput.tidings.cpu", true), None);
    }

    #[test]
    fn no_figure_has_two_limits_in_one_report() {
        for budget in BUDGETS {
            let same = BUDGETS
                .iter()
                .filter(|other| other.figure == budget.figure && other.kind == budget.kind);
            assert_eq!(same.count(), 1, "{}", budget.figure);
            let promise = BUDGETS
                .iter()
                .any(|other| other.figure == budget.figure && other.kind == Kind::Invariant);
            assert!(budget.kind == Kind::Invariant || !promise, "{}", budget.figure);
        }
    }
}
