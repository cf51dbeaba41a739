//! What happened, line by line: the same for the same seed, to the byte.

use std::fmt::Write as _;
use std::sync::Arc;

use parking_lot::Mutex;
use tidings_runtime::{Clock as _, ManualClock};

/// The lines so far, and the number of everything that happened. Clones share them.
#[derive(Clone)]
pub(crate) struct Trace {
    clock: ManualClock,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    text: String,
    happened: u64,
}

impl Trace {
    /// Nothing has happened.
    pub(crate) fn new(clock: ManualClock) -> Self {
        Self {
            clock,
            inner: Arc::default(),
        }
    }

    /// Something happened: its number, by which it is told what came before what.
    pub(crate) fn note(&self, what: std::fmt::Arguments<'_>) -> u64 {
        let mut inner = self.inner.lock();
        inner.happened += 1;
        let number = inner.happened;
        let written = writeln!(inner.text, "{number} {} {what}", self.clock.now().as_millis());
        debug_assert!(written.is_ok(), "a string takes every line");
        number
    }

    /// All lines.
    pub(crate) fn text(&self) -> String {
        self.inner.lock().text.clone()
    }
}
