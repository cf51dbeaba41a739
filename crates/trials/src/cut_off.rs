//! A node that is cut off from the database in a network of its own, without being told: it says so, sends nothing that the others have taken over, and
//! comes back by itself.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tidings_runtime::{Clock, TimedOut, within};
use tidings_testkit::EphemeralPostgres;
use tokio::task::block_in_place;

use crate::cluster::faults::Cause;
use crate::cluster::{Cluster, LOOK_AGAIN, Outcome, Place, SPARE_KEY};
use crate::network::{ALLOWED, Network};
use crate::say;
use crate::site::PATIENCE;
use crate::spans::Spans;

const PRODUCERS: u64 = 6;
/// How long a producer rests between two events.
const REST: Duration = Duration::from_millis(40);
/// The node that is cut off; the others are beside the database.
const CUT: usize = 0;
const NODES: usize = 3;
/// Events that are accepted between two cuts, at least.
const EVENTS_MIN: usize = 100;
/// Events that wait for a receiver at the node that is cut off: more than it sends at once, so that it has something that it must not send.
const WAITING: usize = 100;
/// A node that hears nothing of the database sends for so long: what was leased before the last beat is trusted for four, and a beat may be just over.
const TRUSTED_US: u64 = 5_000_000;
/// How long after everybody has noticed the wire stays cut.
const CUT_FOR: Duration = Duration::from_secs(3);
/// Longest wait for a node to notice something.
const ANSWER: Duration = Duration::from_secs(60);

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct CutOff {
    /// How often.
    pub rounds: u32,
}

/// How long everything took.
#[derive(Clone, Debug, Default)]
pub struct Cuts {
    /// From the cut until the node answered 503.
    pub refuses: Spans,
    /// From the cut until its last request to a receiver.
    pub sends: Spans,
    /// From the cut until others sent what it held.
    pub taken_over: Spans,
    /// From the healing until it answered 202 again.
    pub back: Spans,
}

/// Cuts a node off again and again, and gives what the ledger says. Needs root.
pub async fn cut_off(binary: &Path, plan: CutOff) -> anyhow::Result<(Outcome, Cuts)> {
    say(&format!("cut off: {} rounds", plan.rounds));
    let network = Network::new()?;
    let server = block_in_place(|| EphemeralPostgres::listening_on(network.database(), &[("fsync", "on")]));
    let database = server.url_of(&server.database().await);
    let beside = Place {
        database: database.clone(),
        listen: Ipv4Addr::LOCALHOST.into(),
        under: Vec::new(),
    };
    let mut places = vec![beside; NODES];
    places[CUT].listen = network.there();
    places[CUT].under = network.under();
    let mut cluster = Cluster::open(binary, &places, network.here(), ALLOWED).await?;
    cluster.produce(PRODUCERS, REST);
    let mut cuts = Cuts::default();
    for round in 1..=plan.rounds {
        let goes_on = cluster.ledger.accepts_more(&cluster.clock, PATIENCE, EVENTS_MIN).await;
        ensure!(goes_on, "nothing is accepted though every node has its database");
        cut_once(&mut cluster, &network, &mut cuts).await?;
        say(&format!("{round} of {} cuts: {cuts}", plan.rounds));
    }
    let outcome = cluster.close_the_books(&database).await?;
    say(&format!("{} cuts: {outcome}; {cuts}", plan.rounds));
    outcome.hold()?;
    Ok((outcome, cuts))
}

async fn cut_once(cluster: &mut Cluster, network: &Network, cuts: &mut Cuts) -> anyhow::Result<()> {
    let node: IpAddr = network.there();
    let number = cluster.number(CUT).await.context("the node says its number")?;
    cluster.ledger.release(None);
    let mut held = vec![cluster.hold(CUT).await?];
    held.extend(cluster.pile_up(CUT, WAITING).await?);
    network.cut()?;
    let at = cluster.at_us();
    cluster.ledger.release(Some(at + TRUSTED_US)); // the others find a receiver that answers
    cuts.refuses.add(answers(cluster, 503).await? - at);
    for (position, held) in held.into_iter().enumerate() {
        let moment = cluster.taken_over(held).await?;
        ensure!(moment.from != node, "what a node held that is cut off was sent by itself");
        if position == 0 {
            cuts.taken_over.add(moment.at_us.saturating_sub(at));
        }
    }
    cluster.clock.sleep(CUT_FOR).await;
    let last = cluster.ledger.heard(node).unwrap_or(at);
    let sent_for = last.saturating_sub(at);
    ensure!(
        sent_for <= TRUSTED_US,
        "a node that was cut off sent something {} ms later",
        sent_for / 1_000
    );
    cuts.sends.add(sent_for);
    network.heal()?;
    let healed = cluster.at_us();
    cuts.back.add(answers(cluster, 202).await? - healed);
    cluster.faults.note(Cause::CutOff, at, cluster.at_us());
    cluster.begins_anew(CUT, number).await
}

/// Asks the node to accept an event until its answer is that status. Gives when that was; another node accepts the event if that one does not.
async fn answers(cluster: &mut Cluster, wanted: u16) -> anyhow::Result<u64> {
    let client = cluster.client(CUT);
    let number = cluster.ledger.begin_apart(None);
    let asking = async {
        while cluster.courier.send_once(number, SPARE_KEY, &client).await != Some(wanted) {
            cluster.clock.sleep(LOOK_AGAIN).await;
        }
        cluster.at_us()
    };
    let answered = within(&cluster.clock, ANSWER, asking).await;
    let at = answered.map_err(|TimedOut| anyhow::anyhow!("the node does not answer {wanted} within {} s", ANSWER.as_secs()))?;
    cluster.courier.send(number, SPARE_KEY, None).await.context("nodes are up")?;
    Ok(at)
}

impl fmt::Display for Cuts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            refuses,
            sends,
            taken_over,
            back,
        } = self;
        write!(
            f,
            "503 {refuses}, its last request {sends}, taken over {taken_over}, back {back} after the healing"
        )
    }
}
