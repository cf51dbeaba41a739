//! One play of a seed: the world, what is done in it, and how it ends.

mod events;
mod faults;
mod hooks;
mod places;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::Mutex;
use tidings_model::{Environment, EnvironmentId, Settings, Timestamp};
use tidings_runtime::{Clock as _, ManualClock};
use tidings_store::{MemStore, Store as _};
use tokio::runtime::Builder;

use crate::check;
use crate::clock::NodeClock;
use crate::dice::Dice;
use crate::model::{HEARD_LATE_MS, HEARD_MS, Model, Place};
use crate::network::Network;
use crate::node::Node;
use crate::store::{FaultyStore, Grave, Mood};
use crate::trace::Trace;

/// When every world begins.
const START: Timestamp = Timestamp::from_seconds(1_700_000_000);
/// Times that every task gets to run before time goes on.
const ROUNDS: usize = 24;
/// Things that are done before the faults end.
const DEEDS: u64 = 120;
/// Webhooks that there are from the beginning.
const HOOKS_AT_FIRST: usize = 4;
/// What the world waits for everything to settle after the faults have ended: longer than any schedule.
const PATIENCE: Duration = Duration::from_secs(9 * 24 * 3_600);

/// A way in which the store is broken on purpose, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sabotage {
    /// It is not broken.
    Nothing,
    /// An event is now and then stored without one of its deliveries.
    LosesTargets,
    /// A failed attempt is recorded as a delivery.
    CallsFailuresDelivered,
    /// Attempts are recorded under the number of the next.
    SkipsNumbers,
    /// Retries are due before their time.
    RetriesTooSoon,
    /// A tenant's webhooks are routed as everybody's.
    MixesTenants,
    /// Webhooks that are off are routed as if they were on.
    SendsToTheDisabled,
    /// Retention removes what is half a day too young.
    PrunesTooSoon,
    /// A rotated secret is routed as it was before.
    KeepsOldSecrets,
    /// What is left of a deleted environment is never asked for.
    ForgetsTheDeleted,
}

/// How a play ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Everything that happened, a line each.
    pub trace: String,
    /// What cannot be right; empty when all promises were kept.
    pub broken: Vec<String>,
    /// What it came to.
    pub figures: Figures,
}

/// What a play came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Nodes.
    pub nodes: u64,
    /// Events that were accepted.
    pub accepted: u64,
    /// Deliveries in the store at the end.
    pub deliveries: u64,
    /// Requests that reached a receiver.
    pub arrivals: u64,
    /// Crashes of nodes.
    pub crashes: u64,
    /// Events that retention had removed by then, and that were checked before.
    pub pruned: u64,
}

impl Figures {
    /// The sum of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            nodes: self.nodes + other.nodes,
            accepted: self.accepted + other.accepted,
            deliveries: self.deliveries + other.deliveries,
            arrivals: self.arrivals + other.arrivals,
            crashes: self.crashes + other.crashes,
            pruned: self.pruned + other.pruned,
        }
    }
}

/// The dice that say how often nodes beat.
const BEATS: u64 = 100;

/// What may go wrong in a world, thrown at its beginning: many worlds are spared some of it, so that what is stricter without can be checked too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) nodes: usize,
    pub(crate) crashes: bool,
    pub(crate) store_faults: bool,
    pub(crate) skew: bool,
    pub(crate) crowds: bool,
}

impl Weather {
    /// Within how many milliseconds every node hears of what another has changed: later where stores fail or clocks jump.
    pub(crate) const fn heard_ms(self) -> i64 {
        if self.store_faults || self.skew { HEARD_LATE_MS } else { HEARD_MS }
    }

    fn of(dice: &Dice) -> Self {
        Self {
            nodes: 1 + usize::try_from(dice.below(3)).unwrap_or(0),
            crashes: dice.in_thousand(600),
            store_faults: dice.in_thousand(500),
            skew: dice.in_thousand(300),
            crowds: dice.in_thousand(20),
        }
    }
}

/// Plays a seed to its end. The same seed and sabotage give the same trace.
///
/// # Errors
/// When the world cannot be made at all.
pub fn play(seed: u64, sabotage: Sabotage) -> anyhow::Result<Outcome> {
    let runtime = Builder::new_current_thread().build().context("no runtime")?;
    runtime.block_on(async {
        let mut world = World::new(seed, sabotage).await?;
        for _ in 0..HOOKS_AT_FIRST {
            world.make_hook();
        }
        for _ in 0..DEEDS {
            world.act().await?;
        }
        world.heal().await?;
        world.settle().await;
        world.end().await
    })
}

struct World {
    dice: Dice,
    weather: Weather,
    clock: ManualClock,
    trace: Trace,
    store: Arc<MemStore>,
    network: Arc<Network>,
    nodes: Vec<Node>,
    grave: Arc<Mutex<Grave>>,
    model: Arc<Mutex<Model>>,
    crashes: u64,
}

impl World {
    async fn new(seed: u64, sabotage: Sabotage) -> anyhow::Result<Self> {
        let dice = Dice::new(seed, 0);
        let weather = Weather::of(&dice);
        let clock = ManualClock::at(START);
        let trace = Trace::new(clock.clone());
        trace.note(format_args!("seed {seed}: {weather:?}"));
        let store = Arc::new(MemStore::new());
        let network = Arc::new(Network::new(clock.clone(), Dice::new(seed, 1), trace.clone()));
        let grave = Arc::default();
        let mut nodes = Vec::new();
        let beat_every = Duration::from_secs(2 + Dice::new(seed, BEATS).below(20)); // seldom, because worlds last for days
        for number in 0..weather.nodes {
            let dice = Dice::new(seed, 2 + number as u64);
            let faulty = Arc::new(FaultyStore::new(
                Arc::clone(&store),
                Arc::clone(&grave),
                clock.clone(),
                dice,
                sabotage,
            ));
            let clock = NodeClock::new(clock.clone());
            let mut node = Node::new(number, clock, faulty, Arc::clone(&network), seed, beat_every);
            node.start().await?;
            nodes.push(node);
        }
        let model = Model {
            heard_ms: weather.heard_ms(),
            ..Model::default()
        };
        let mut world = Self {
            dice,
            weather,
            clock,
            trace,
            store,
            network,
            nodes,
            grave,
            model: Arc::new(Mutex::new(model)),
            crashes: 0,
        };
        world.add_environment().await?;
        Ok(world)
    }

    /// A second environment beside the first, with a schedule of its own.
    async fn add_environment(&mut self) -> anyhow::Result<()> {
        let id = EnvironmentId::from_chance([9; 16]);
        let settings = Settings {
            retry_schedule: vec![0, 5, 30, 600].try_into().context("a good schedule")?,
            ..Settings::default()
        };
        let environment = Environment {
            id,
            name: "Other".to_owned(),
            settings,
            created_at: START,
        };
        self.store.create_environment(&environment).await?.context("its name is free")?;
        for environment in self.store.environments().await? {
            self.model.lock().places.push(Place {
                id: environment.id,
                made_ms: START.as_millis(),
                first: environment.settings,
                story: Vec::new(),
                deleted: None,
            });
        }
        self.pass(Duration::from_secs(61)).await; // all nodes have heard of it
        Ok(())
    }

    /// Lets every task run until all of them wait, or nearly so: how often is the same for the same seed.
    async fn run_tasks(&self) {
        for _ in 0..ROUNDS {
            tokio::task::yield_now().await;
        }
    }

    /// Lets time pass, and everybody act when their time has come.
    async fn pass(&self, duration: Duration) {
        self.run_tasks().await;
        let until = self.clock.now() + duration;
        while self.clock.now() < until {
            let next = self.clock.next_wake().map_or(until, |wake| wake.min(until));
            self.clock.advance(next.since(self.clock.now()).max(Duration::from_millis(1)));
            self.run_tasks().await;
        }
    }

    /// Does one thing by chance, and lets some time pass.
    async fn act(&mut self) -> anyhow::Result<()> {
        match self.dice.below(1_000) {
            0..460 => self.publish(),
            460..520 => self.publish_batch(),
            520..600 => self.make_hook(),
            600..650 => self.change_hook(),
            650..695 => self.switch_hook(),
            695..715 => self.rotate_hook(),
            715..735 => self.delete_hook(),
            735..785 => self.resend().await?,
            785..870 => self.change_temper(),
            870..900 => self.crash_or_start().await?,
            900..930 => self.change_mood(),
            930..945 => self.jump(),
            945..955 => self.make_place(),
            955..967 => self.tune_place(),
            967..971 => self.delete_place(),
            _ => {
                let hours = Duration::from_secs(60 * self.dice.below(600));
                self.trace.note(format_args!("{} s pass", hours.as_secs()));
                self.pass(hours).await;
            }
        }
        let longest = [0, 30, 2_000, 20_000][usize::try_from(self.dice.below(4)).unwrap_or(0)];
        self.pass(Duration::from_millis(self.dice.below(longest + 1))).await;
        let mut model = self.model.lock();
        let webhooks = model.hooks.len();
        let crowded = self.nodes.iter().filter_map(|node| node.holds_too_much(webhooks));
        model.broken.extend(crowded);
        Ok(())
    }

    /// Ends all faults: from now on everything has to come to its end.
    async fn heal(&mut self) -> anyhow::Result<()> {
        self.trace.note(format_args!("the faults end"));
        self.network.heal();
        for number in 0..self.nodes.len() {
            self.nodes[number].store.set_mood(Mood::default());
            self.nodes[number].clock.set_skew(0);
            if !self.nodes[number].is_alive() {
                self.start(number).await?;
            }
        }
        Ok(())
    }

    /// Lets time pass until nothing waits any more, or patience ends.
    async fn settle(&self) {
        let until = self.clock.now() + PATIENCE;
        self.pass(Duration::from_secs(120)).await;
        while self.clock.now() < until {
            let waiting = self.store.due_webhooks().await.is_ok_and(|due| !due.is_empty());
            if !waiting {
                self.pass(Duration::from_secs(120)).await; // retention has its turn with what is left
                return;
            }
            self.pass(Duration::from_secs(1_800)).await;
        }
    }

    async fn end(&mut self) -> anyhow::Result<Outcome> {
        let scene = check::Scene {
            store: &self.store,
            network: &self.network,
            grave: &std::mem::take(&mut *self.grave.lock()),
            model: &std::mem::take(&mut *self.model.lock()),
            weather: self.weather,
            now: self.clock.now(),
        };
        let found = check::everything(&scene).await?;
        self.nodes.iter_mut().for_each(Node::crash);
        self.run_tasks().await;
        Ok(Outcome {
            trace: self.trace.text(),
            broken: found.broken,
            figures: Figures {
                nodes: self.nodes.len() as u64,
                crashes: self.crashes,
                ..found.figures
            },
        })
    }
}
