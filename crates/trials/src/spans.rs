//! How long something took, of many times.

use std::fmt;

/// See the module. In microseconds.
#[derive(Clone, Debug, Default)]
pub struct Spans(Vec<u64>);

impl Spans {
    /// Once more.
    pub(crate) fn add(&mut self, us: u64) {
        self.0.push(us);
    }
}

impl fmt::Display for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted: Vec<_> = self.0.iter().map(|us| us / 1_000).collect();
        sorted.sort_unstable();
        let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else {
            return f.write_str("never");
        };
        let middle = sorted[sorted.len() / 2];
        write!(f, "after {least} to {most} ms, {middle} in the middle")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_the_most_and_the_middle_are_told() {
        let mut spans = Spans::default();
        assert_eq!(spans.to_string(), "never");
        for us in [3_000, 1_000, 9_000] {
            spans.add(us);
        }
        assert_eq!(spans.to_string(), "after 1 to 9 ms, 3 in the middle");
    }
}
