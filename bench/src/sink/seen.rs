//! Which sequence numbers came to one webhook: a bitmap that grows by what it holds, so that it is small for a webhook that gets everything and for one of
//! a hundred thousand that gets little.

use std::collections::BTreeMap;

/// How a sequence number relates to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// For the first time, and above all before it.
    Next,
    /// For the first time, after a higher one.
    Late,
    /// Not for the first time.
    Again,
}

/// The sequence numbers that came.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// 64 numbers each, by the first of them divided by 64.
    words: BTreeMap<u64, u64>,
    /// One more than the highest.
    above: u64,
}

impl Seen {
    /// Notes a number.
    pub(super) fn note(&mut self, sequence: u64) -> Arrival {
        let (word, bit) = (self.words.entry(sequence / 64).or_default(), 1 << (sequence % 64));
        if *word & bit != 0 {
            return Arrival::Again;
        }
        *word |= bit;
        if sequence < self.above {
            return Arrival::Late;
        }
        self.above = sequence.saturating_add(1);
        Arrival::Next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_next_late_or_again() {
        let mut seen = Seen::default();
        let arrivals = [0, 1, 1, 64, 63, 64, 1_000_000, 2].map(|sequence| seen.note(sequence));
        use Arrival::{Again, Late, Next};
        assert_eq!(arrivals, [Next, Next, Again, Next, Late, Again, Next, Late]);
    }
}
