//! What a figure was, what it is, and whether that is allowed.
//!
//! The tolerances are for what chance there is in scheduling, hash tables and the allocator. Over five runs of one build, three on an idle machine and two
//! beside three busy processes on its two processors, the largest and the smallest figure of a section differed by at most 1.4 % in instructions, 0.2 % in
//! bytes, 0.05 allocations, and 0.35 system calls, mostly futex: whether a thread sleeps already when it is woken.

use super::cost::Cost;

/// Instructions and bytes may rise by this part unnoticed, and are worth writing down when they fall by more.
const PART: f64 = 0.10;
/// Allocations and calls may rise by this many: one more for each event is never within it.
const LESS_THAN_ONE: f64 = 0.6;
/// Waits for the disk may rise by this many.
const HARDLY_EVER: f64 = 0.05;

/// How much a figure may rise.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tolerance {
    Part,
    Count(f64),
}

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) was: Option<f64>,
    pub(super) is: f64,
    tolerance: Tolerance,
}

/// What is to be said of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    New,
    AsBefore,
    Better,
    Worse,
}

impl Figure {
    /// The most that it may be.
    pub(super) fn allowed(&self) -> Option<f64> {
        let was = self.was?;
        Some(match self.tolerance {
            Tolerance::Part => was + was.abs() * PART,
            Tolerance::Count(more) => was + more,
        })
    }

    pub(super) fn verdict(&self) -> Verdict {
        match self.was.zip(self.allowed()) {
            None => Verdict::New,
            Some((_, allowed)) if self.is > allowed => Verdict::Worse,
            Some((was, allowed)) if self.is < was - was.abs() * PART && self.is < was - (allowed - was) => Verdict::Better,
            Some(_) => Verdict::AsBefore,
        }
    }
}

/// A section of the file beside what was measured.
pub(super) struct Comparison {
    pub(super) section: &'static str,
    pub(super) figures: Vec<Figure>,
    /// Calls by name.
    pub(super) calls: Vec<Figure>,
}

impl Comparison {
    pub(super) fn new(section: &'static str, was: Option<&Cost>, is: &Cost) -> Self {
        let figure = |name: &str, value: fn(&Cost) -> f64, tolerance| Figure {
            name: name.to_owned(),
            was: was.map(value),
            is: value(is),
            tolerance,
        };
        let mut names: Vec<_> = was.into_iter().chain([is]).flat_map(|cost| cost.syscalls.keys()).collect();
        names.sort();
        names.dedup();
        let calls = names.into_iter().map(|name| Figure {
            name: name.clone(),
            was: was.map(|cost| cost.calls(name)),
            is: is.calls(name),
            tolerance: Tolerance::Count(LESS_THAN_ONE),
        });
        Self {
            section,
            calls: calls.collect(),
            figures: vec![
                figure("instructions", |cost| cost.instructions, Tolerance::Part),
                figure("allocations", |cost| cost.allocations, Tolerance::Count(LESS_THAN_ONE)),
                figure("bytes allocated", |cost| cost.allocated_bytes, Tolerance::Part),
                figure("system calls", Cost::all_calls, Tolerance::Count(LESS_THAN_ONE)),
                figure("waits for the disk", Cost::syncs, Tolerance::Count(HARDLY_EVER)),
            ],
        }
    }

    pub(super) fn is_worse(&self) -> bool {
        self.has(Verdict::Worse)
    }

    pub(super) fn is_better(&self) -> bool {
        self.has(Verdict::Better)
    }

    pub(super) fn is_new(&self) -> bool {
        self.has(Verdict::New)
    }

    fn has(&self, verdict: Verdict) -> bool {
        self.figures.iter().any(|figure| figure.verdict() == verdict)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn cost(instructions: f64, allocations: f64, fsyncs: f64) -> Cost {
        Cost {
            instructions,
            allocations,
            allocated_bytes: 4_000.0,
            syscalls: BTreeMap::from([("fsync".to_owned(), fsyncs)]),
        }
    }

    fn verdicts(is: &Cost) -> Vec<Verdict> {
        let was = cost(100_000.0, 50.0, 1.0);
        let compared = Comparison::new("accept", Some(&was), is);
        compared.figures.iter().map(Figure::verdict).collect()
    }

    #[test]
    fn chance_is_not_noticed() {
        assert_eq!(verdicts(&cost(109_000.0, 50.4, 1.02)), [Verdict::AsBefore; 5]);
    }

    #[test]
    fn an_allocation_a_call_or_a_tenth_of_the_instructions_more_is_worse() {
        use Verdict::{AsBefore, Worse};
        assert_eq!(
            verdicts(&cost(111_000.0, 50.0, 1.0)),
            [Worse, AsBefore, AsBefore, AsBefore, AsBefore]
        );
        assert_eq!(
            verdicts(&cost(100_000.0, 51.0, 1.0)),
            [AsBefore, Worse, AsBefore, AsBefore, AsBefore]
        );
        assert_eq!(verdicts(&cost(100_000.0, 50.0, 2.0)), [AsBefore, AsBefore, AsBefore, Worse, Worse]);
    }

    #[test]
    fn a_tenth_less_is_better_and_a_section_that_nobody_wrote_down_is_new() {
        assert_eq!(verdicts(&cost(80_000.0, 50.0, 1.0))[0], Verdict::Better);
        assert!(Comparison::new("accept", None, &cost(1.0, 1.0, 1.0)).is_new());
    }
}
