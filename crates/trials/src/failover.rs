//! Nodes beside a database that three servers keep: the one that leads dies as its machine would, again and again, under load.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use tidings_runtime::Clock;
use tokio::task::block_in_place;

use crate::cluster::faults::Cause;
use crate::cluster::{Cluster, Outcome, Place};
use crate::patroni::{LEADS_SECONDS, Patroni};
use crate::say;
use crate::site::PATIENCE;
use crate::spans::Spans;

/// Nodes of the cluster.
const NODES: usize = 3;
const PRODUCERS: u64 = 6;
/// How long a producer rests between two events.
const REST: Duration = Duration::from_millis(40);
/// Events that are accepted between two failovers, at least.
const EVENTS_MIN: usize = 200;
/// How long a server that was killed stays dead after the failover, at most, in milliseconds.
const DEAD_MS: u64 = 5_000;
/// Longest wait for the next 202.
const RECOVERS: Duration = Duration::from_secs(120);

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Failover {
    /// How often.
    pub rounds: u32,
    /// Decides the moments.
    pub seed: u64,
}

/// How long it took after a leader died.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Until another leads and takes a commit.
    pub writes: Spans,
    /// Until a node answers 202 to an event that was sent afterwards.
    pub accepts: Spans,
}

/// Kills the server that leads again and again, and gives what the ledger says, and how long it took until the next 202.
pub async fn failover(binary: &Path, plan: Failover) -> anyhow::Result<(Outcome, Recovered)> {
    say(&format!("failover: {} rounds, seed {}", plan.rounds, plan.seed));
    let mut dice = Rng::with_seed(plan.seed);
    let mut patroni = Patroni::start().await?;
    say("failover: one server leads, another confirms its commits, a third follows");
    let here: IpAddr = Ipv4Addr::LOCALHOST.into();
    let place = Place {
        database: patroni.url(),
        listen: here,
        under: Vec::new(),
    };
    let mut cluster = Cluster::open(binary, &vec![place; NODES], here, "127.0.0.0/8").await?;
    cluster.produce(PRODUCERS, REST);
    let mut recovered = Recovered::default();
    for round in 1..=plan.rounds {
        patroni.whole().await?;
        let goes_on = cluster.ledger.accepts_more(&cluster.clock, PATIENCE, EVENTS_MIN).await;
        ensure!(goes_on, "nothing is accepted though all servers are there");
        cluster.clock.sleep(Duration::from_millis(dice.u64(1..DEAD_MS))).await;
        let leader = patroni.leader().await.context("no server leads")?;
        let at = cluster.at_us();
        block_in_place(|| patroni.kill(leader))?;
        let next = cluster.ledger.next();
        let (ledger, clock) = (&cluster.ledger, cluster.clock);
        let writing = async { patroni.writes().await.map(|()| clock.monotonic_us() - at) };
        let accepting = async {
            let accepted = ledger.accepts_from(&clock, RECOVERS, next).await;
            accepted.then(|| clock.monotonic_us() - at)
        };
        let (writes, accepts) = tokio::join!(writing, accepting);
        let accepts = accepts.with_context(|| format!("nothing was accepted within {} s after the leader died", RECOVERS.as_secs()))?;
        cluster.faults.note(Cause::Database, at, at + accepts);
        recovered.accepts.add(accepts);
        recovered.writes.add(writes?);
        cluster.clock.sleep(Duration::from_millis(dice.u64(1..DEAD_MS))).await;
        patroni.start_again(leader)?;
        say(&format!(
            "{round} of {} failovers, {} events accepted, {} requests received; {recovered}",
            plan.rounds,
            cluster.ledger.accepted_count(),
            cluster.ledger.arrivals_count(),
        ));
    }
    patroni.whole().await?;
    let outcome = cluster.close_the_books(&patroni.url()).await?;
    say(&format!(
        "{} failovers, a dead leader noticed after {LEADS_SECONDS} s at the latest: {outcome}; {recovered}",
        plan.rounds
    ));
    outcome.hold()?;
    Ok((outcome, recovered))
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { writes, accepts } = self;
        write!(f, "another server takes commits {writes}, the next 202 {accepts}")
    }
}
