//! Mixed traffic for a long time, with a kill -9 or a SIGTERM every few minutes: the ledger stays clean, and no lifetime of the server takes more and more.

mod sample;
mod traffic;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tidings_runtime::{Clock, Stopwatch};

use crate::ledger::Audit;
use crate::say;
use crate::site::Site;
use sample::{Sample, Verdict};

const PRODUCERS: u64 = 4;
/// How long a producer rests between two events: with four of them, up to two hundred events a second.
const REST: Duration = Duration::from_millis(20);
/// Looks at a lifetime, at least: a third of them has to say something.
const LOOKS_MIN: u32 = 12;
/// Time between two looks at the server, at most.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// All of it.
    pub duration: Duration,
    /// How long a server lives before it is killed, and the next one before it is told to stop, in turns.
    pub lifetime: Duration,
}

/// What one server took while it lived.
struct Lifetime {
    number: u32,
    ended: &'static str,
    looks: usize,
    verdict: Verdict,
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "lifetime {}, ended by {}, {} looks: {}",
            self.number, self.ended, self.looks, self.verdict
        )
    }
}

/// Keeps a server under load, and gives what the ledger says. Fails, too, when a lifetime leaked.
pub async fn load(binary: &Path, plan: Load) -> anyhow::Result<Audit> {
    let mut site = Site::open(binary, None).await?;
    let others = traffic::Traffic::start(&site);
    let all = Stopwatch::start(&site.clock);
    let mut lifetimes: Vec<Lifetime> = Vec::new();
    site.produce(PRODUCERS, REST);
    while all.elapsed_us(&site.clock) < micros(plan.duration) {
        let samples = live(&site, plan.lifetime).await?;
        let number = lifetimes.len() as u32 + 1;
        let ended = if number % 2 == 1 { "kill -9" } else { "SIGTERM" };
        if number % 2 == 1 {
            site.kill().await;
        } else {
            ensure!(site.terminate().await == Some(0), "the server did not stop in order");
        }
        let lifetime = Lifetime {
            number,
            ended,
            looks: samples.len(),
            verdict: Verdict::of(&samples).context("a lifetime was too short to be judged")?,
        };
        say(&format!("{lifetime}; {} events accepted so far", site.ledger.accepted_count()));
        lifetimes.push(lifetime);
        site.start().await?;
    }
    let figures = others.stop().await;
    let audit = site.close_the_books().await?;
    say(&format!(
        "{} min of load, {} lifetimes: {audit}; {figures}",
        plan.duration.as_secs() / 60,
        lifetimes.len()
    ));
    audit.hold()?;
    let leaks: Vec<_> = lifetimes
        .iter()
        .filter(|lifetime| lifetime.verdict.leaks())
        .map(ToString::to_string)
        .collect();
    ensure!(
        leaks.is_empty(),
        "a server took more and more at the same load:\n  {}",
        leaks.join("\n  ")
    );
    say("no lifetime took more and more");
    Ok(audit)
}

/// Looks at the server from time to time until its end.
async fn live(site: &Site, lifetime: Duration) -> anyhow::Result<Vec<Sample>> {
    let watch = Stopwatch::start(&site.clock);
    let between = LOOK_MAX.min(lifetime / LOOKS_MIN);
    let mut samples = Vec::new();
    while watch.elapsed_us(&site.clock) < micros(lifetime) {
        site.clock.sleep(between).await;
        samples.push(Sample::of(&site.server).await?);
    }
    Ok(samples)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
