//! Chance by seed.

use tidings_runtime::{Entropy, SeededEntropy};

/// Dice that fall the same way for the same seed and number, however many others are thrown.
pub(crate) struct Dice(SeededEntropy);

impl Dice {
    /// The dice with that number of a seed.
    pub(crate) const fn new(seed: u64, number: u64) -> Self {
        Self(entropy(seed, number))
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&self, end: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % end
    }

    /// True so many times in a thousand.
    pub(crate) fn in_thousand(&self, times: u64) -> bool {
        self.below(1_000) < times
    }

    /// One of several; nothing of none.
    pub(crate) fn pick<'a, T>(&self, of: &'a [T]) -> Option<&'a T> {
        let end = u64::try_from(of.len()).unwrap_or(u64::MAX);
        (end > 0).then(|| &of[usize::try_from(self.below(end)).unwrap_or(0)])
    }
}

/// Chance for the system under test, apart from all dice.
pub(crate) const fn entropy(seed: u64, number: u64) -> SeededEntropy {
    SeededEntropy::new((seed << 16) | number)
}
