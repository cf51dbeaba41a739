//! Three nodes beside one database under load: nodes are killed and started again, nodes are stopped until the others take them for dead and go on then, and
//! the database is restarted.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use fastrand::Rng;
use tidings_runtime::Clock;
use tidings_testkit::EphemeralPostgres;
use tokio::task::block_in_place;

use crate::cluster::faults::Cause;
use crate::cluster::{Cluster, Outcome, Place};
use crate::receivers::Manner;
use crate::say;
use crate::spans::Spans;

/// Nodes of the cluster.
const NODES: usize = 3;
const PRODUCERS: u64 = 12;
/// How long a producer rests between two events.
const REST: Duration = Duration::from_millis(20);
/// Nodes that are killed in a round.
const KILLS: u32 = 2;
/// How long a node stays dead, at most, in milliseconds.
const DEAD_MS: u64 = 1_500;
/// How long a node is stopped, in milliseconds: longer than the others wait before they take it for dead.
const STOPPED_MS: (u64, u64) = (7_000, 9_000);
/// How long after that the first node is killed, and how long between two kills, at most, in milliseconds.
const BETWEEN_MS: u64 = 2_000;
/// Every so many rounds the database is restarted as well.
const RESTARTS: u32 = 3;
/// How long the database stays away, at most, in milliseconds.
const AWAY_MS: u64 = 2_000;
/// Nothing is done to anybody for so long after a round.
const CALM: Duration = Duration::from_secs(2);
/// Every kill of a process and every restart of the database is met with a disk that is written through to.
const SETTINGS: [(&str, &str); 2] = [("fsync", "on"), ("full_page_writes", "on")];

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Nodes {
    /// How often.
    pub rounds: u32,
    /// Decides the moments and the nodes.
    pub seed: u64,
}

/// What was done.
#[derive(Default)]
struct Done {
    kills: u32,
    stops: u32,
    taken_for_dead: u32,
    restarts: u32,
    after_kills: Spans,
    after_stops: Spans,
}

/// Torments the nodes and their database, and gives what it came to.
pub async fn nodes(binary: &Path, plan: Nodes) -> anyhow::Result<Outcome> {
    say(&format!("nodes: {} rounds, seed {}", plan.rounds, plan.seed));
    let mut dice = Rng::with_seed(plan.seed);
    let server = block_in_place(|| EphemeralPostgres::start(&SETTINGS));
    let database = server.url_of(&server.database().await);
    let here: IpAddr = Ipv4Addr::LOCALHOST.into();
    let place = Place {
        database: database.clone(),
        listen: here,
        under: Vec::new(),
    };
    let mut cluster = Cluster::open(binary, &vec![place; NODES], here, "127.0.0.0/8").await?;
    cluster.produce(PRODUCERS, REST);
    let mut done = Done::default();
    for round in 1..=plan.rounds {
        let restart = (round % RESTARTS == 0).then_some(&server);
        play(&mut cluster, restart, &mut dice, &mut done).await?;
        cluster.clock.sleep(CALM).await;
        say(&format!(
            "{round} of {} rounds, {} events accepted, {} requests received; {done}",
            plan.rounds,
            cluster.ledger.accepted_count(),
            cluster.ledger.arrivals_count(),
        ));
    }
    let outcome = cluster.close_the_books(&database).await?;
    say(&format!("{} rounds: {outcome}; {done}", plan.rounds));
    outcome.hold()?;
    Ok(outcome)
}

/// One round: a node is stopped, and while it is, the others are killed one after the other, and the database may be restarted.
async fn play(cluster: &mut Cluster, restart: Option<&EphemeralPostgres>, dice: &mut Rng, done: &mut Done) -> anyhow::Result<()> {
    let stopped = dice.usize(0..NODES);
    let number = cluster.number(stopped).await.context("a node says its number")?;
    let held = cluster.hold(stopped).await?;
    let stopped_at = cluster.at_us();
    cluster.nodes[stopped].pause().await;
    let until = stopped_at + dice.u64(STOPPED_MS.0..STOPPED_MS.1) * 1_000;

    let mut takeovers = Vec::new();
    for _ in 0..KILLS {
        cluster.clock.sleep(Duration::from_millis(dice.u64(1..BETWEEN_MS))).await;
        let others: Vec<_> = (0..NODES).filter(|node| *node != stopped).collect();
        let victim = others[dice.usize(0..others.len())];
        let held = cluster.hold(victim).await?;
        let at = cluster.at_us();
        cluster.kill(victim).await;
        cluster.faults.note(Cause::Killed, at, cluster.at_us());
        takeovers.push((held, at));
        done.kills += 1;
        cluster.clock.sleep(Duration::from_millis(dice.u64(1..DEAD_MS))).await;
        cluster.start(victim).await?;
    }
    if let Some(server) = restart {
        let from = cluster.at_us();
        let in_order = dice.bool();
        block_in_place(|| if in_order { server.stop_in_order() } else { server.stop() });
        cluster.clock.sleep(Duration::from_millis(dice.u64(1..AWAY_MS))).await;
        block_in_place(|| server.start_again());
        cluster.faults.note(Cause::Database, from, cluster.at_us());
        done.restarts += 1;
    }
    let left = until.saturating_sub(cluster.at_us());
    cluster.clock.sleep(Duration::from_micros(left)).await;
    let taken_over = cluster.ledger.came(Manner::Held, held);
    cluster.nodes[stopped].resume().await;
    cluster.faults.note(Cause::Stopped, stopped_at, cluster.at_us());
    done.stops += 1;
    for (held, at) in takeovers {
        let moment = cluster.taken_over(held).await?;
        done.after_kills.add(moment.at_us.saturating_sub(at));
    }
    cluster.taken_over(held).await?;
    if let Some(moment) = taken_over {
        done.after_stops.add(moment.at_us.saturating_sub(stopped_at));
        cluster.begins_anew(stopped, number).await?;
        done.taken_for_dead += 1;
    }
    Ok(())
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills, taken over {}; {} stops, {} taken for dead, taken over {}; {} restarts of the database",
            self.kills, self.after_kills, self.stops, self.taken_for_dead, self.after_stops, self.restarts
        )
    }
}
