//! Where a trial of several nodes happens: real servers beside one database, their receivers and webhooks, producers, and the ledger.
//!
//! Never knows: what is done to the nodes and to the database.

pub(crate) mod changers;
pub(crate) mod faults;

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use tidings_runtime::{Clock, SystemClock, SystemEntropy, TimedOut, within};
use tidings_store::{AsOf, Place as Row, Store as _};
use tidings_store_postgres::{PostgresConfig, PostgresOptions, PostgresStore};
use tidings_testkit::TestServer;
use tidings_testkit::server::TestClient;

use crate::ledger::{Audit, Ledger, Moment};
use crate::producers::{Courier, Entrance, Producers};
use crate::receivers::{KEYS, Manner, Receivers};
use crate::site::{Furniture, PATIENCE, furnish, stored, taken, webhook};
use changers::{Changers, Lives};
use faults::{Explained, Faults};

/// A producer that has no answer by then asks another node.
const ANSWER: Duration = Duration::from_secs(5);
/// Deadline of an attempt: longer than the machine keeps anybody waiting who answers.
const DEADLINE: Duration = Duration::from_secs(3);
/// What is to come may wait for the end of a lease, which is three minutes: an append that was committed and not answered is leased to a node that does not
/// know of it.
pub(crate) const LEASED: Duration = Duration::from_secs(210);
/// The status of a start that finds no database.
const NO_DATABASE: i32 = 69;
/// Between two looks.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Rows that one step of looking the store through looks at.
const STEP_ROWS: usize = 2_000;
/// The file of a data folder that all nodes have the same of.
const MASTER_KEY: &str = "master.key";
/// The key of the events whose first attempt is held, the first that no producer uses.
const HELD_KEY: u64 = KEYS;
/// One that no webhook is subscribed to.
pub(crate) const SPARE_KEY: u64 = KEYS + 5;
/// And those of the webhooks that are changed.
const CHANGING_KEYS: [(u64, u64); 2] = [(KEYS + 1, KEYS + 2), (KEYS + 3, KEYS + 4)];

/// Where a node is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The database's URL, as the node sees it.
    pub(crate) database: String,
    /// The address that it listens on.
    pub(crate) listen: IpAddr,
    /// A program that runs it, with its arguments.
    pub(crate) under: Vec<String>,
}

/// See the module. Everything ends when this is dropped.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<TestServer>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clock: SystemClock,
    pub(crate) faults: Faults,
    pub(crate) courier: Courier,
    entrance: Entrance,
    producers: Producers,
    changers: Changers,
}

/// What a trial of nodes came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the ledger says.
    pub audit: Audit,
    /// What is known of the deliveries that came more than once.
    pub explained: Explained,
    /// How long after the last event was accepted everything had arrived.
    pub(crate) arrived: Duration,
    /// What became of the webhooks that were changed meanwhile.
    pub(crate) lives: Lives,
}

impl Cluster {
    /// Starts a node at each of the places, with a webhook for every manner of receiver. Receivers listen at that address, and nodes may send to that network.
    pub(crate) async fn open(binary: &Path, places: &[Place], receivers: IpAddr, allowed: &str) -> anyhow::Result<Self> {
        let clock = SystemClock::new();
        let ledger = Arc::new(Ledger::default());
        let receivers = Arc::new(Receivers::start(receivers, Arc::clone(&ledger), clock).await?);
        let mut nodes = Vec::new();
        for place in places {
            let mut node = TestServer::stopped(binary, &["--egress-allow", allowed, "--database", &place.database]);
            node.listen_on(place.listen);
            node.run_under(&place.under.iter().map(String::as_str).collect::<Vec<_>>());
            nodes.push(node);
        }
        let (first, others) = nodes.split_first_mut().context("a cluster has a node")?;
        first.restart().await;
        let Furniture { keys, .. } = furnish(first, &receivers, DEADLINE).await?;
        let held = webhook(&receivers, Manner::Held, &[&*keys[HELD_KEY as usize]]);
        taken(&first.post("/v1/webhooks", &held).await)?;
        for node in others {
            fs::copy(first.data().join(MASTER_KEY), node.data().join(MASTER_KEY))?;
            node.restart().await;
        }
        let entrance = Entrance::closed(nodes.len());
        for (node, server) in nodes.iter().enumerate() {
            entrance.open(node, server.client());
        }
        let courier = Courier::new(entrance.doors(), Arc::clone(&ledger), clock, keys, ANSWER);
        Ok(Self {
            nodes,
            clock,
            faults: Faults::default(),
            entrance,
            producers: Producers::of(courier.clone()),
            changers: Changers::of(courier.clone(), receivers),
            courier,
            ledger,
        })
    }

    /// Sets producers to work, each of which rests that long between two events, and somebody who changes webhooks for each pair of keys.
    pub(crate) fn produce(&mut self, producers: u64, rest: Duration) {
        self.producers.work(producers, rest);
        for keys in CHANGING_KEYS {
            self.changers.work(keys);
        }
    }

    /// kill -9.
    pub(crate) async fn kill(&mut self, node: usize) {
        self.entrance.close(node);
        self.nodes[node].kill().await;
    }

    /// Starts a node again, and lets the producers in. While the database is away, it is tried again.
    pub(crate) async fn start(&mut self, node: usize) -> anyhow::Result<()> {
        let server = &mut self.nodes[node];
        let starting = async {
            while let Err(refused) = server.try_restart().await {
                let away = refused.status == Some(NO_DATABASE);
                ensure!(away, "the start was refused with {:?}: {}", refused.status, refused.said);
                self.clock.sleep(LOOK_AGAIN).await;
            }
            Ok(())
        };
        match within(&self.clock, PATIENCE, starting).await {
            Ok(started) => started?,
            Err(TimedOut) => bail!("a node could not be started within {} s", PATIENCE.as_secs()),
        }
        self.entrance.open(node, self.nodes[node].client());
        Ok(())
    }

    /// Where a node is found.
    pub(crate) fn client(&self, node: usize) -> TestClient {
        self.nodes[node].client()
    }

    /// Has a node accept an event and begin its delivery, which gets no answer: what it does next, another has to do if it is gone.
    pub(crate) async fn hold(&mut self, node: usize) -> anyhow::Result<u64> {
        let holding = async {
            loop {
                let number = self.ledger.begin_apart(Some(Manner::Held));
                let accepted = self.courier.send(number, HELD_KEY, Some(node)).await;
                if accepted == Some(node) && self.ledger.is_held(&self.clock, ANSWER, number).await {
                    return number;
                }
            }
        };
        let held = within(&self.clock, PATIENCE, holding).await;
        held.map_err(|TimedOut| anyhow::anyhow!("node {node} did not begin a delivery within {} s", PATIENCE.as_secs()))
    }

    /// Has a node accept that many more such events, whose deliveries it begins when it can. Gives those that it accepted itself.
    pub(crate) async fn pile_up(&mut self, node: usize, events: usize) -> anyhow::Result<Vec<u64>> {
        let mut piled = Vec::new();
        for _ in 0..events {
            let number = self.ledger.begin_apart(Some(Manner::Held));
            let accepted = self.courier.send(number, HELD_KEY, Some(node)).await;
            if accepted.context("nodes are up")? == node {
                piled.push(number);
            }
        }
        Ok(piled)
    }

    /// Waits until somebody else has sent what was held.
    pub(crate) async fn taken_over(&self, held: u64) -> anyhow::Result<Moment> {
        let came = self.ledger.arrives(&self.clock, PATIENCE, held).await;
        let moment = self.ledger.came(Manner::Held, held).filter(|_| came);
        moment.with_context(|| format!("nobody took event {held} over within {} s", PATIENCE.as_secs()))
    }

    /// Microseconds of the clock that everything is written down by.
    pub(crate) fn at_us(&self) -> u64 {
        self.clock.monotonic_us()
    }

    /// The number by which the others know a node, as it says itself; nothing while it does not answer.
    pub(crate) async fn number(&self, node: usize) -> Option<u64> {
        let roll = roll(&self.client(node), &self.clock).await?;
        let own = roll.iter().find(|node| node["answers"] == true)?;
        own["number"].as_u64()
    }

    /// Waits until a node that was taken for dead, and had that number, has another.
    pub(crate) async fn begins_anew(&self, node: usize, before: u64) -> anyhow::Result<()> {
        let beginning = async {
            while self.number(node).await.is_none_or(|number| number <= before) {
                self.clock.sleep(LOOK_AGAIN).await;
            }
        };
        let began = within(&self.clock, PATIENCE, beginning).await;
        began.map_err(|TimedOut| anyhow::anyhow!("node {node}, which was taken for dead, did not begin anew"))
    }

    /// Ends the producers, waits for everything that has to arrive, and holds everything against everything.
    pub(crate) async fn close_the_books(&mut self, database: &str) -> anyhow::Result<Outcome> {
        let lives = self.changers.finish().await?;
        self.producers.finish().await?;
        let ended = self.at_us();
        self.ledger.everything_arrives(&self.clock, LEASED).await;
        let arrived = Duration::from_micros(self.at_us() - ended);
        let stored = stored(&self.client(0), None).await?;
        let explained = self.faults.explain(&self.ledger.again(), &self.client(0)).await?;
        for event in &explained.unexplained {
            self.ledger
                .broken(format!("{event} came again though nobody was killed, stopped or cut off"));
        }
        let audit = self.ledger.audit(&stored);
        self.agree().await?;
        verify(database).await?;
        Ok(Outcome {
            audit,
            explained,
            arrived,
            lives,
        })
    }

    /// Waits until every node says that the nodes are these and no others.
    async fn agree(&self) -> anyhow::Result<()> {
        let agreeing = async {
            loop {
                let mut rolls = BTreeSet::new();
                let mut own = BTreeSet::new();
                for node in 0..self.nodes.len() {
                    let roll = roll(&self.client(node), &self.clock).await.unwrap_or_default();
                    rolls.insert(roll.iter().map(|node| node["number"].as_u64()).collect::<Vec<_>>());
                    own.insert(
                        roll.iter()
                            .find(|node| node["answers"] == true)
                            .and_then(|node| node["number"].as_u64()),
                    );
                }
                if rolls.len() == 1 && rolls.first().is_some_and(|roll| own.iter().eq(roll)) && own.len() == self.nodes.len() {
                    return;
                }
                self.clock.sleep(LOOK_AGAIN).await;
            }
        };
        let agreed = within(&self.clock, PATIENCE, agreeing).await;
        agreed.map_err(|TimedOut| anyhow::anyhow!("the nodes do not agree who they are"))
    }
}

/// The roll of nodes as one of them says it.
async fn roll(client: &TestClient, clock: &SystemClock) -> Option<Vec<Value>> {
    let asking = client.ask(http::Method::GET, "/v1/nodes", "");
    let answer = within(clock, ANSWER, asking).await.ok()??;
    answer.json["data"].as_array().cloned()
}

/// Looks the whole store through.
async fn verify(database: &str) -> anyhow::Result<()> {
    let clock = Arc::new(SystemClock::new());
    let options = PostgresOptions::new(clock.clone(), Arc::new(SystemEntropy));
    let store = PostgresStore::open(&PostgresConfig::new(database), options).await?;
    let mut place = Some(Row::start());
    while let Some(here) = place {
        let as_of = AsOf {
            at: clock.now(),
            served_since: None,
        };
        let step = store.verify(&here, as_of, STEP_ROWS).await?;
        ensure!(step.findings.is_empty(), "what is stored is not sound: {:?}", step.findings);
        place = step.next;
    }
    store.close().await;
    Ok(())
}

impl Outcome {
    /// Fails unless every promise was kept.
    pub fn hold(&self) -> anyhow::Result<()> {
        self.audit.hold()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ({}), the last to arrive {} s after the load ended; {}",
            self.audit,
            self.explained,
            self.arrived.as_secs(),
            self.lives
        )
    }
}
