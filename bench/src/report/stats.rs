//! Figures of several rounds made one: the median, with how far the rounds lay apart.
//!
//! Never knows: what is counted.

use serde::Serialize;

/// A median and the range around it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// Half of the rounds were at most this.
    pub(crate) median: f64,
    /// The lowest round.
    pub(crate) min: f64,
    /// The highest round.
    pub(crate) max: f64,
    /// How many rounds.
    pub(crate) rounds: usize,
}

impl Spread {
    /// Of these rounds; nothing when there was none.
    pub(crate) fn of(rounds: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = rounds.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self {
            median,
            min,
            max,
            rounds: sorted.len(),
        })
    }
}

/// Quantile of durations in any order: the smallest that so large a part of them does not exceed.
pub(crate) fn quantile(durations_us: &mut [u64], part: f64) -> u64 {
    durations_us.sort_unstable();
    let rank = (part * durations_us.len() as f64).ceil() as usize;
    durations_us.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// A part of a whole, or of nothing: then it is nothing too.
pub(crate) fn per(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(rounds: &[f64]) -> Option<(f64, f64, f64, usize)> {
        Spread::of(rounds.iter().copied()).map(|spread| (spread.median, spread.min, spread.max, spread.rounds))
    }

    #[test]
    fn the_median_of_an_odd_number_of_rounds_is_the_middle_one() {
        assert_eq!(parts(&[9.0, 1.0, 2.0]), Some((2.0, 1.0, 9.0, 3)));
        assert_eq!(parts(&[4.0]), Some((4.0, 4.0, 4.0, 1)));
    }

    #[test]
    fn the_median_of_an_even_number_of_rounds_lies_between_the_middle_two() {
        assert_eq!(parts(&[8.0, 1.0, 2.0, 4.0]), Some((3.0, 1.0, 8.0, 4)));
    }

    #[test]
    fn no_round_has_no_median() {
        assert_eq!(parts(&[]), None);
    }

    #[test]
    fn a_quantile_is_a_duration_that_was_measured() {
        let mut durations: Vec<u64> = (1..=200).rev().collect();
        assert_eq!(quantile(&mut durations, 0.5), 100);
        assert_eq!(quantile(&mut durations, 0.99), 198);
        assert_eq!(quantile(&mut durations, 1.0), 200);
        assert_eq!(quantile(&mut [], 0.5), 0);
    }

    #[test]
    fn a_part_of_nothing_is_nothing() {
        assert_eq!(per(3.0, 4.0).to_bits(), 0.75_f64.to_bits());
        assert_eq!(per(3.0, 0.0).to_bits(), 0.0_f64.to_bits());
    }
}
