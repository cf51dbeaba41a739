//! What was done to nodes and database, and when: by that, a delivery that came twice is explained.
//!
//! It may come again when its answer could not be recorded: the node was killed or stopped in between, or the database was away. Or its answer came too
//! late, which the log of its attempts says.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use http::Method;
use tidings_model::EventId;
use tidings_testkit::server::TestClient;

use crate::ledger::Again;
use crate::site::taken;

/// An answer is recorded by then, if nothing is in the way.
const RECORDED: Duration = Duration::from_secs(3);
/// Nodes connect to a database that is back by then.
const CONNECTED: Duration = Duration::from_secs(10);
/// What the log of attempts says of an answer that came too late.
const TOO_LATE: &str = "\"kind\":\"timeout\"";

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// A node was killed.
    Killed,
    /// A node was stopped, and went on.
    Stopped,
    /// A node was cut off from the database.
    CutOff,
    /// The database was away for all of them.
    Database,
    /// Nothing, but the answer came too late.
    Late,
}

impl Cause {
    const fn words(self) -> &'static str {
        match self {
            Self::Killed => "where a node was killed",
            Self::Stopped => "where a node was stopped",
            Self::CutOff => "where a node was cut off",
            Self::Database => "where the database was away",
            Self::Late => "whose answer came too late",
        }
    }

    /// How long after its end it can be why an answer is not recorded.
    const fn lasts(self) -> Duration {
        match self {
            Self::Killed | Self::Late => Duration::ZERO,
            Self::Stopped => RECORDED,
            Self::CutOff | Self::Database => CONNECTED,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

#[derive(Clone, Copy, Debug)]
struct Fault {
    cause: Cause,
    from_us: u64,
    until_us: u64,
}

/// What is known of the deliveries that came more than once.
#[derive(Clone, Debug, Default)]
pub struct Explained {
    counts: BTreeMap<Cause, u64>,
    /// The events that nothing explains.
    pub unexplained: Vec<EventId>,
}

impl Faults {
    /// Something was done, and is over.
    pub(crate) fn note(&mut self, cause: Cause, from_us: u64, until_us: u64) {
        self.0.push(Fault { cause, from_us, until_us });
    }

    fn cause(&self, again: &Again) -> Option<Cause> {
        let why = |fault: &&Fault| {
            let (before, after) = (micros(RECORDED), micros(fault.cause.lasts()));
            (fault.from_us.saturating_sub(before)..=fault.until_us + after).contains(&again.before_us)
        };
        self.0.iter().filter(why).map(|fault| fault.cause).min()
    }

    /// Explains what came again; a node is asked for the attempts of what no fault explains.
    pub(crate) async fn explain(&self, again: &[Again], node: &TestClient) -> anyhow::Result<Explained> {
        let mut explained = Explained::default();
        for again in again {
            let cause = match self.cause(again) {
                None if came_too_late(again.event, node).await? => Some(Cause::Late),
                cause => cause,
            };
            match cause {
                Some(cause) => *explained.counts.entry(cause).or_default() += 1,
                None => explained.unexplained.push(again.event),
            }
        }
        Ok(explained)
    }
}

/// Whether an attempt of an event got its answer too late.
async fn came_too_late(event: EventId, node: &TestClient) -> anyhow::Result<bool> {
    let list = node.get(&format!("/v1/deliveries?limit=200&eventId={event}")).await;
    for delivery in taken(&list)?.json["data"].as_array().context("a list has rows")? {
        let path = format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap_or_default());
        let Some(whole) = node.ask(Method::GET, &path, "").await else {
            continue;
        };
        if whole.json["attemptLog"].to_string().contains(TOO_LATE) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts.iter().map(|(cause, count)| format!("{count} {}", cause.words()));
        let nothing = (!self.unexplained.is_empty()).then(|| format!("{} without any cause", self.unexplained.len()));
        let words: Vec<_> = counts.chain(nothing).collect();
        f.write_str(&if words.is_empty() {
            "no duplicates".to_owned()
        } else {
            format!("duplicates: {}", words.join(", "))
        })
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tidings_model::Timestamp;

    use super::*;

    #[test]
    fn an_answer_is_lost_shortly_before_a_fault_in_it_or_shortly_after_it() {
        let mut faults = Faults::default();
        faults.note(Cause::Killed, 100_000_000, 100_000_000);
        faults.note(Cause::Database, 200_000_000, 203_000_000);
        let cause = |seconds: u64| {
            faults.cause(&Again {
                event: EventId::new(Timestamp::from_seconds(1), 1),
                before_us: seconds * 1_000_000,
            })
        };
        assert_eq!(
            [90, 98, 100, 101].map(cause),
            [None, Some(Cause::Killed), Some(Cause::Killed), None]
        );
        assert_eq!(
            [198, 202, 210, 220].map(cause),
            [Some(Cause::Database), Some(Cause::Database), Some(Cause::Database), None]
        );
    }
}
