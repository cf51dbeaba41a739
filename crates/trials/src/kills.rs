//! kill -9 at any moment: what was answered 202 arrives, and what was not answered is there once when it is sent again.

use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use tidings_runtime::Clock;

use crate::ledger::Audit;
use crate::say;
use crate::site::Site;

/// Producers at work.
const PRODUCERS: u64 = 6;
/// How long a producer rests between two events.
const REST: Duration = Duration::from_millis(2);
/// How long the server is left alone before it is killed, at most, in milliseconds.
const LIFE_MS: u64 = 600;
/// Rounds between two lines of progress.
const LINE: u32 = 20;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Kills {
    /// How often it is killed.
    pub rounds: u32,
    /// Decides the moments.
    pub seed: u64,
}

/// Kills a server under load again and again, and gives what the ledger says.
pub async fn kills(binary: &Path, plan: Kills) -> anyhow::Result<Audit> {
    say(&format!("kills: {} rounds, seed {}", plan.rounds, plan.seed));
    let mut dice = Rng::with_seed(plan.seed);
    let mut site = Site::open(binary, None).await?;
    site.produce(PRODUCERS, REST);
    for round in 1..=plan.rounds {
        site.clock.sleep(Duration::from_millis(dice.u64(1..LIFE_MS))).await;
        site.kill().await;
        site.start().await?;
        if round % LINE == 0 {
            let (accepted, arrived) = (site.ledger.accepted_count(), site.ledger.arrivals_count());
            say(&format!(
                "{round} of {} kills, {accepted} events accepted, {arrived} requests received",
                plan.rounds
            ));
        }
    }
    let audit = site.close_the_books().await?;
    say(&format!("{} kills: {audit}", plan.rounds));
    audit.hold()?;
    Ok(audit)
}
