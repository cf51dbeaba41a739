//! What a report holds: runs as they were, and the figures that are drawn from all rounds of them.
//!
//! Never knows: how anything was measured, or how it is shown.

use std::collections::BTreeMap;

use serde::Serialize;

use super::process::{Memory, Usage};
use super::stats::{Spread, per};
use crate::figures::{GenFigures, PathFigures, Quantiles};

/// What the record calls the PostgreSQL of a server, all its processes together.
pub(crate) const DATABASE: &str = "database";

/// Load against one subject, from the first event to the last delivery.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Run {
    /// What took the events: `raw`, `relay`, `tidings`, with what was special.
    pub(crate) subject: String,
    /// From 1.
    pub(crate) round: usize,
    /// Deliveries that had to come.
    pub(crate) expected: u64,
    /// Different ones that came.
    pub(crate) delivered: u64,
    /// From the first arrival to the last.
    pub(crate) seconds: f64,
    /// What the generator says.
    pub(crate) generator: GenFigures,
    /// What the sink says, over all paths.
    pub(crate) sink: PathFigures,
    /// From when an event was due or sent to its first arrival.
    pub(crate) end_to_end: Quantiles,
    /// What each process used meanwhile, by its name.
    pub(crate) processes: BTreeMap<&'static str, Usage>,
    /// Transactions that Tidings made durable meanwhile.
    pub(crate) commits: u64,
    /// Memory of the subject at the end.
    pub(crate) memory: Memory,
    /// How much of the machine others had meanwhile.
    pub(crate) others_percent: f64,
}

impl Run {
    /// Deliveries a second.
    pub(crate) fn rate(&self) -> f64 {
        per(self.delivered as f64, self.seconds)
    }

    /// CPU time of a process per delivery, in microseconds.
    pub(crate) fn cpu_us(&self, process: &str) -> f64 {
        per(self.used(process).cpu_us as f64, self.delivered as f64)
    }

    /// CPU time of a process per event, in microseconds.
    pub(crate) fn cpu_us_per_event(&self, process: &str) -> f64 {
        per(self.used(process).cpu_us as f64, self.generator.accepted as f64)
    }

    /// Bytes that a process wrote to the disk per event.
    pub(crate) fn written_by(&self, process: &str) -> f64 {
        per(self.used(process).written_bytes as f64, self.generator.accepted as f64)
    }

    /// Commits of Tidings, each with an fsync, per event.
    pub(crate) fn commits_per_event(&self) -> f64 {
        per(self.commits as f64, self.generator.accepted as f64)
    }

    /// Accepted and never delivered.
    pub(crate) const fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.delivered)
    }

    /// Sent and not accepted.
    pub(crate) fn unaccepted(&self) -> u64 {
        self.generator.failed + self.generator.refused.values().sum::<u64>()
    }

    fn used(&self, process: &str) -> Usage {
        self.processes.get(process).copied().unwrap_or_default()
    }
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// Things.
    Count,
    /// Things a second.
    PerSecond,
    /// A duration, in microseconds.
    Microseconds,
    /// A size, in bytes.
    Bytes,
    /// A part of something, 1 being all of it.
    Part,
    /// A multiple of something.
    Times,
}

/// One line of a report.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// What budgets and plots call it: `throughput.tidings.cpu`.
    pub(crate) id: String,
    /// What people call it.
    pub(crate) title: String,
    /// What it counts.
    pub(crate) unit: Unit,
    /// Whether it is of interest only to those who read report.json.
    pub(crate) detail: bool,
    /// Over the rounds.
    #[serde(flatten)]
    pub(crate) spread: Spread,
}

/// What a scenario found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Findings {
    /// The lines, in their order.
    pub(crate) figures: Vec<Figure>,
    /// Every run that they are drawn from.
    pub(crate) runs: Vec<Run>,
}

impl Findings {
    /// Adds a figure with a value for each round; one without rounds is left out.
    pub(crate) fn add(&mut self, id: impl Into<String>, title: impl Into<String>, unit: Unit, rounds: impl IntoIterator<Item = f64>) {
        self.figures.extend(Spread::of(rounds).map(|spread| Figure {
            id: id.into(),
            title: title.into(),
            unit,
            detail: false,
            spread,
        }));
    }

    /// Makes the figures after the first `from` details.
    pub(crate) fn demote(&mut self, from: usize) {
        self.figures[from..].iter_mut().for_each(|figure| figure.detail = true);
    }

    /// Adds a figure that each run of a subject has.
    pub(crate) fn add_of(&mut self, subject: &str, id: impl Into<String>, title: impl Into<String>, unit: Unit, of: impl Fn(&Run) -> f64) {
        let rounds: Vec<f64> = self.of(subject).map(of).collect();
        self.add(id, title, unit, rounds);
    }

    /// Adds a figure that each round has from the runs of two subjects in it.
    pub(crate) fn add_pairs(
        &mut self,
        (one, other): (&str, &str),
        id: impl Into<String>,
        title: impl Into<String>,
        unit: Unit,
        of: impl Fn(&Run, &Run) -> f64,
    ) {
        let pairs = self.of(one).filter_map(|run| {
            let other = self.of(other).find(|other| other.round == run.round)?;
            Some(of(run, other))
        });
        let rounds: Vec<f64> = pairs.collect();
        self.add(id, title, unit, rounds);
    }

    /// Adds what a PostgreSQL beside Tidings took, if there is one, what the disk had to do, and the memory of Tidings.
    pub(crate) fn add_store(&mut self, scenario: &str) {
        let has_database = self.of("tidings").any(|run| run.processes.contains_key(DATABASE));
        let mut add = |name: &str, title: &str, unit: Unit, of: &dyn Fn(&Run) -> f64| {
            self.add_of("tidings", format!("{scenario}.tidings.{name}"), title, unit, of);
        };
        let written = |who: &str| format!("{who}: written to the disk per event");
        if has_database {
            let time = "PostgreSQL: CPU per event";
            add("database", time, Unit::Microseconds, &|run| run.cpu_us_per_event(DATABASE));
            add("written", &written("PostgreSQL"), Unit::Bytes, &|run| run.written_by(DATABASE));
        } else {
            add("written", &written("Tidings"), Unit::Bytes, &|run| run.written_by("tidings"));
        }
        add(
            "fsyncs",
            "Tidings: commits, each with an fsync, per event",
            Unit::Count,
            &Run::commits_per_event,
        );
        add("memory", "Tidings: most memory under load", Unit::Bytes, &|run| {
            run.memory.peak_bytes as f64
        });
    }

    /// Adds what has to be nothing: deliveries that were lost, and events that were not accepted, over all runs.
    pub(crate) fn add_losses(&mut self, scenario: &str) {
        let lost: u64 = self.runs.iter().map(Run::lost).sum();
        let unaccepted: u64 = self.runs.iter().map(Run::unaccepted).sum();
        let mut add = |name: &str, title: &str, count: u64| self.add(format!("{scenario}.{name}"), title, Unit::Count, [count as f64]);
        add("lost", "Accepted and not delivered, all runs", lost);
        add("unaccepted", "Sent and not accepted, all runs", unaccepted);
    }

    /// The runs of a subject.
    pub(crate) fn of(&self, subject: &str) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.subject == subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(subject: &str, round: usize, delivered: u64, cpu_us: u64) -> Run {
        let used = Usage { cpu_us, written_bytes: 0 };
        Run {
            subject: subject.to_owned(),
            round,
            expected: 1_000,
            delivered,
            seconds: 2.0,
            processes: [("tidings", used)].into(),
            ..Run::default()
        }
    }

    fn medians(findings: &Findings) -> Vec<(&str, f64)> {
        let figures = findings.figures.iter();
        figures.map(|figure| (figure.id.as_str(), figure.spread.median)).collect()
    }

    #[test]
    fn a_ratio_is_taken_in_each_round_before_the_median_is() {
        let mut findings = Findings {
            runs: vec![
                run("relay", 1, 1_000, 0),
                run("tidings", 1, 500, 0),
                run("relay", 2, 400, 0),
                run("tidings", 2, 360, 0),
            ],
            ..Findings::default()
        };
        findings.add_pairs(("tidings", "relay"), "ratio", "", Unit::Part, |one, other| {
            one.rate() / other.rate()
        });
        assert_eq!(medians(&findings), [("ratio", 0.7)]);
    }

    #[test]
    fn what_is_lost_is_summed_over_all_runs_and_not_hidden_by_a_median() {
        let mut findings = Findings {
            runs: vec![run("tidings", 1, 1_000, 0), run("tidings", 2, 1_000, 0), run("tidings", 3, 997, 0)],
            ..Findings::default()
        };
        findings.add_losses("x");
        assert_eq!(medians(&findings), [("x.lost", 3.0), ("x.unaccepted", 0.0)]);
    }

    #[test]
    fn time_is_divided_by_what_was_delivered() {
        assert!((run("tidings", 1, 1_000, 47_000).cpu_us("tidings") - 47.0).abs() < 1e-9);
        assert!(run("tidings", 1, 0, 47_000).cpu_us("tidings").abs() < 1e-9);
        assert!((run("tidings", 1, 1_000, 0).rate() - 500.0).abs() < 1e-9);
    }

    #[test]
    fn a_figure_without_rounds_is_left_out() {
        let mut findings = Findings::default();
        findings.add_of("relay", "x", "", Unit::Count, Run::rate);
        assert!(findings.figures.is_empty());
    }
}
