//! What the parts of the bench tell each other: the generator prints a [`GenFigures`] as one line of JSON, the sink answers `GET /figures` with
//! [`SinkFigures`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Quantiles of a duration, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    /// How many were measured.
    pub(crate) count: u64,
    /// Half of them took at most this.
    pub(crate) p50_us: u64,
    /// Nine of ten.
    pub(crate) p90_us: u64,
    /// Ninety-nine of a hundred.
    pub(crate) p99_us: u64,
    /// All but one in a thousand.
    pub(crate) p999_us: u64,
    /// The longest.
    pub(crate) max_us: u64,
}

/// What the generator did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct GenFigures {
    /// Requests answered 2xx. Sequence numbers were given from the first on without a gap, each to one request, whatever became of it.
    pub(crate) accepted: u64,
    /// Requests answered otherwise, by status.
    pub(crate) refused: BTreeMap<u16, u64>,
    /// Requests without an answer.
    pub(crate) failed: u64,
    /// From the first request to the last answer.
    pub(crate) seconds: f64,
    /// From when a request was due (open loop) or begun (closed loop) to its answer.
    pub(crate) ack: Quantiles,
}

/// What the sink saw at one path, which stands for one webhook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PathFigures {
    /// Requests, duplicates included.
    pub(crate) received: u64,
    /// Sequence numbers that came more than once, counted each time after the first.
    pub(crate) duplicates: u64,
    /// Sequence numbers that came after a higher one.
    pub(crate) reordered: u64,
    /// Different sequence numbers.
    pub(crate) distinct: u64,
}

/// What the sink saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SinkFigures {
    /// Over all paths.
    pub(crate) total: PathFigures,
    /// By path.
    pub(crate) paths: BTreeMap<String, PathFigures>,
    /// Microseconds (since 1970) of the first and the last arrival.
    pub(crate) first_us: u64,
    pub(crate) last_us: u64,
    /// From when the generator's request was due or begun to the first arrival here, over the paths that answer at once with 2xx.
    pub(crate) end_to_end: Quantiles,
}
