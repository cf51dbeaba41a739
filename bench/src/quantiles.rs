//! Histograms of durations, and what is told of them.

use hdrhistogram::Histogram;

use crate::figures::Quantiles;

/// Longest duration that is told from longer ones: ten hours, in microseconds.
const LONGEST_US: u64 = 36_000_000_000;

impl Quantiles {
    /// An empty histogram of durations in microseconds, exact to three digits.
    pub(crate) fn histogram() -> Histogram<u64> {
        Histogram::new_with_max(LONGEST_US, 3).expect("the bounds are fine")
    }

    /// What a histogram holds.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            count: histogram.len(),
            p50_us: histogram.value_at_quantile(0.5),
            p90_us: histogram.value_at_quantile(0.9),
            p99_us: histogram.value_at_quantile(0.99),
            p999_us: histogram.value_at_quantile(0.999),
            max_us: histogram.max(),
        }
    }
}
