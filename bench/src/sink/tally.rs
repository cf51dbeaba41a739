//! What came, counted: per path, and how long it took from end to end.
//!
//! Never knows: HTTP.

use std::collections::HashMap;
use std::sync::LazyLock;

use hdrhistogram::Histogram;
use memchr::memmem::Finder;

use super::seen::{Arrival, Seen};
use crate::figures::{PathFigures, Quantiles, SinkFigures};

/// What comes before the sequence number in a body.
static SEQUENCE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"benchSequence\":"));
/// What comes before the time at which it was sent.
static SENT_US: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"benchSentUs\":"));

/// Everything that a sink remembers.
pub(crate) struct Tally {
    paths: HashMap<Box<str>, Path>,
    first_us: u64,
    last_us: u64,
    end_to_end: Histogram<u64>,
}

#[derive(Default)]
struct Path {
    figures: PathFigures,
    seen: Seen,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            paths: HashMap::new(),
            first_us: 0,
            last_us: 0,
            end_to_end: Quantiles::histogram(),
        }
    }
}

impl Tally {
    /// Notes a request. A body that is not the generator's is only counted; `at_once` says that the path answers with 2xx at once.
    pub(super) fn note(&mut self, path: &str, body: &[u8], at_once: bool, now_us: u64) {
        if self.first_us == 0 {
            self.first_us = now_us;
        }
        self.last_us = now_us;
        let path = match self.paths.get_mut(path) {
            Some(path) => path,
            None => self.paths.entry(path.into()).or_default(),
        };
        path.figures.received += 1;
        let Some(sequence) = number_after(&SEQUENCE, body) else { return };
        match path.seen.note(sequence) {
            Arrival::Next => path.figures.distinct += 1,
            Arrival::Late => {
                path.figures.distinct += 1;
                path.figures.reordered += 1;
            }
            Arrival::Again => {
                path.figures.duplicates += 1;
                return;
            }
        }
        if at_once && let Some(sent_us) = number_after(&SENT_US, body) {
            self.end_to_end.saturating_record(now_us.saturating_sub(sent_us));
        }
    }

    /// What came until now.
    pub(crate) fn figures(&self, with_paths: bool) -> SinkFigures {
        let mut total = PathFigures::default();
        for Path { figures, .. } in self.paths.values() {
            total.received += figures.received;
            total.duplicates += figures.duplicates;
            total.reordered += figures.reordered;
            total.distinct += figures.distinct;
        }
        let paths = self.paths.iter().filter(|_| with_paths);
        SinkFigures {
            total,
            paths: paths.map(|(name, path)| (name.to_string(), path.figures)).collect(),
            first_us: self.first_us,
            last_us: self.last_us,
            end_to_end: Quantiles::of(&self.end_to_end),
        }
    }
}

/// The number that follows the first occurrence of a name. Much cheaper than reading the JSON, and the generator writes it in just this way.
fn number_after(name: &Finder<'_>, body: &[u8]) -> Option<u64> {
    let digits = &body[name.find(body)? + name.needle().len()..];
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(None, |number, digit| {
        Some(number.unwrap_or(0_u64).wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sequence: u64, sent_us: u64) -> Vec<u8> {
        format!("{{\"eventKey\":\"x\",\"benchSequence\":{sequence},\"benchSentUs\":{sent_us}}}").into_bytes()
    }

    #[test]
    fn a_duplicate_and_a_reordering_are_counted_for_their_path_alone() {
        let mut tally = Tally::default();
        for (path, sequence) in [("/ok/a", 0), ("/ok/a", 2), ("/ok/a", 1), ("/ok/a", 2), ("/ok/b", 2), ("/ok/b", 3)] {
            tally.note(path, &event(sequence, 1), true, 5);
        }
        let figures = tally.figures(true);
        let a = PathFigures {
            received: 4,
            duplicates: 1,
            reordered: 1,
            distinct: 3,
        };
        let b = PathFigures {
            received: 2,
            duplicates: 0,
            reordered: 0,
            distinct: 2,
        };
        assert_eq!((figures.paths["/ok/a"], figures.paths["/ok/b"]), (a, b));
        assert_eq!(
            (figures.total.received, figures.total.distinct, figures.total.duplicates),
            (6, 5, 1)
        );
        assert!(tally.figures(false).paths.is_empty());
    }

    #[test]
    fn the_time_from_end_to_end_is_that_of_first_arrivals_where_answers_are_prompt() {
        let mut tally = Tally::default();
        tally.note("/ok/a", &event(0, 1_000), true, 1_500);
        tally.note("/ok/a", &event(0, 1_000), true, 9_000_000);
        tally.note("/delay/9/a", &event(0, 1_000), false, 8_000_000);
        let figures = tally.figures(true);
        assert_eq!((figures.end_to_end.count, figures.end_to_end.max_us), (1, 500));
        assert_eq!((figures.first_us, figures.last_us), (1_500, 8_000_000));
    }

    #[test]
    fn a_body_that_is_not_the_generators_is_only_counted() {
        let mut tally = Tally::default();
        for body in ["", "{}", "\"benchSequence\":", "\"benchSequence\":null"] {
            tally.note("/ok/a", body.as_bytes(), true, 5);
        }
        let figures = tally.figures(true).total;
        assert_eq!((figures.received, figures.distinct, figures.duplicates), (4, 0, 0));
    }
}
