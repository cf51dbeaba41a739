//! The one room that asks the operating system for time, for chance, or to run a task.
//!
//! Owns: [`Clock`], [`Entropy`], [`Shutdown`], [`TaskSet`] and [`Blocking`]. Everything above takes them as arguments, so that tests and the simulator can decide what
//! time it is and how the dice fall.
//!
//! Never knows: what the tasks do.

mod blocking;
mod clock;
mod entropy;
mod shutdown;

pub use blocking::{Blocking, Crowded};
pub use clock::{Clock, ManualClock, Stopwatch, SystemClock, TimedOut, within};
pub use entropy::{Entropy, SeededEntropy, SystemEntropy};
pub use shutdown::{OnError, Shutdown, TaskSet};
