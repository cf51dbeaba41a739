//! This node among the others of its store: it says that it lives, hears what others changed, and takes off the roll who does not live any more.
//!
//! A node is gone when it did not beat while this one did so [`MISSED_BEATS_MAX`] times. No two clocks are compared, and a store that was away for
//! everybody makes nobody look dead.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tidings_model::Timestamp;
use tidings_store::{BEAT_EVERY, MISSED_BEATS_MAX, NewNode, Node, NodeNumber, Pulse, Store, StoreError};
use tokio::sync::watch;

use crate::engine::Engine;

/// What is leased is sent until so many beats after the last: not much later others take it over.
const TRUSTED_BEATS: u32 = MISSED_BEATS_MAX - 1;

/// Who a node is among the others.
#[derive(Clone, Debug)]
pub struct NodeParts {
    /// Where people find it.
    pub name: String,
    /// How often it says that it lives.
    pub beat_every: Duration,
}

impl NodeParts {
    /// A node of that name that beats as nodes do.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            beat_every: BEAT_EVERY,
        }
    }
}

/// See the module.
pub(crate) struct Membership {
    parts: NodeParts,
    seen: Mutex<Seen>,
    changes: watch::Sender<u64>,
    /// Held while it joins anew: two who find that it is off the roll join once.
    rejoining: tokio::sync::Mutex<()>,
    /// Others took it off the roll, and it could not join anew yet.
    is_off: AtomicBool,
    /// It took itself off the roll, and stops.
    has_left: AtomicBool,
    /// Somebody may have left the roll with leases that were not ended yet.
    left_leases: AtomicBool,
}

struct Seen {
    own: NodeNumber,
    /// How often each of the others had beaten when it was seen last, and how many of our beats have passed since without one of its own.
    others: BTreeMap<NodeNumber, (u64, u32)>,
}

/// What a look at the roll comes to.
struct Look {
    /// Those that do not live any more, with their beats.
    gone: Vec<(Node, u64)>,
    /// Nodes that live, this one included.
    alive: usize,
    /// Whether there are others than before.
    other: bool,
}

impl Membership {
    /// Joins.
    pub(crate) async fn join(store: &dyn Store, parts: NodeParts, at: Timestamp) -> Result<Self, StoreError> {
        let own = store.join(&new_node(&parts, at)).await?;
        let seen = Mutex::new(Seen {
            own,
            others: BTreeMap::new(),
        });
        Ok(Self {
            parts,
            seen,
            changes: watch::Sender::new(0),
            rejoining: tokio::sync::Mutex::default(),
            is_off: AtomicBool::new(false),
            has_left: AtomicBool::new(false),
            left_leases: AtomicBool::new(true), // of whoever served before
        })
    }

    /// The number that this node has now.
    pub(crate) fn own(&self) -> NodeNumber {
        self.seen.lock().own
    }

    /// How long what is leased may be sent after a beat.
    pub(crate) fn trusted(&self) -> Duration {
        self.parts.beat_every * TRUSTED_BEATS
    }

    /// Whether others took it off the roll, and it could not join anew yet.
    pub(crate) fn is_off(&self) -> bool {
        self.is_off.load(Ordering::Relaxed)
    }

    /// Does not join anew any more.
    pub(crate) fn leave(&self) {
        self.has_left.store(true, Ordering::Relaxed);
    }

    fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Relaxed)
    }

    /// Whether this node does what is to be done once for all of them. Two may think so for a moment, and nothing is wrong with that.
    pub(crate) fn is_eldest(&self) -> bool {
        let seen = self.seen.lock();
        seen.others.keys().next().is_none_or(|first| seen.own < *first)
    }

    fn look(&self, nodes: Vec<Node>) -> Look {
        let mut seen = self.seen.lock();
        let (mut others, mut gone) = (BTreeMap::new(), Vec::new());
        let own = seen.own;
        for node in nodes.into_iter().filter(|node| node.number != own) {
            let missed = match seen.others.get(&node.number) {
                Some((beats, missed)) if *beats == node.beats => missed + 1,
                _ => 0,
            };
            others.insert(node.number, (node.beats, missed));
            if missed >= MISSED_BEATS_MAX {
                let beats = node.beats;
                gone.push((node, beats));
            }
        }
        let other = !others.keys().eq(seen.others.keys());
        seen.others = others;
        Look {
            alive: 1 + seen.others.len() - gone.len(),
            gone,
            other,
        }
    }
}

fn new_node(parts: &NodeParts, at: Timestamp) -> NewNode {
    NewNode {
        name: parts.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at,
    }
}

impl Engine {
    /// Which of the nodes of the store this one is.
    pub fn node(&self) -> NodeNumber {
        self.roll.own()
    }

    /// Makes sure that what other nodes changed before this call is known here, and says how often something was changed.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn catch_up(self: &Arc<Self>) -> Result<u64, StoreError> {
        if self.has_others() || self.roll.is_off() {
            self.hear().await?;
        }
        Ok(*self.roll.changes.borrow())
    }

    /// Whether others are on the roll, as it was read last.
    pub fn has_others(&self) -> bool {
        !self.roll.seen.lock().others.is_empty()
    }

    /// Whether the store took the last beats of this node: where it did not, others may have its deliveries by now.
    pub fn is_heard(&self) -> bool {
        self.lanes.is_trusted(self.clock.now())
    }

    /// Turns whenever something may have been changed that is kept in memory, also by another node: the value says how often that was.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.roll.changes.subscribe()
    }

    /// Beats, and looks who of the others does.
    pub async fn beat_tick(self: &Arc<Self>) -> Result<(), StoreError> {
        self.hear().await?;
        let Look { gone, alive, other } = self.roll.look(self.store.nodes().await?);
        self.metrics.nodes.set(i64::try_from(alive).unwrap_or(i64::MAX));
        self.lanes.share(alive);
        if other {
            self.roll.left_leases.store(true, Ordering::Relaxed);
        }
        for (node, beats) in gone {
            if self.store.strike_node(node.number, Some(beats)).await? {
                tracing::warn!(node = %node.joined.name, number = %node.number, "a node does not live any more: its deliveries are taken over");
                self.roll.left_leases.store(true, Ordering::Relaxed);
            }
        }
        // Kept until it is done: nobody is seen to leave twice.
        if self.roll.left_leases.load(Ordering::Relaxed) {
            self.store.end_lost_leases().await?;
            self.roll.left_leases.store(false, Ordering::Relaxed);
            self.reconcile.notify_one();
        }
        Ok(())
    }

    /// Beats, and reads anew what others changed.
    pub(crate) async fn hear(self: &Arc<Self>) -> Result<(), StoreError> {
        while !self.roll.has_left() {
            let (at, number) = (self.clock.now(), self.roll.own());
            let known = *self.roll.changes.borrow();
            let Some(changes) = self.store.beat(number, self.pulse(at)).await? else {
                self.rejoin(number, at).await?;
                continue; // what was changed meanwhile is not read yet
            };
            let read = self.read_changes(known, changes).await;
            // Last: what waited while nothing could be heard goes by what was changed meanwhile. What is damaged keeps nothing else from being sent.
            if !matches!(read, Err(StoreError::Unavailable(_))) && self.lanes.trust(at + self.roll.trusted()) {
                self.pump();
            }
            return read;
        }
        Ok(())
    }

    fn pulse(&self, at: Timestamp) -> Pulse {
        Pulse {
            at,
            queued: u64::try_from(self.metrics.queued.get()).unwrap_or(0),
            in_flight: u64::try_from(self.metrics.in_flight.get()).unwrap_or(0),
            lag_ms: self.lag_ms.swap(0, Ordering::Relaxed),
        }
    }

    /// Reads anew what was changed when the store said `changes`; before it was asked, `known` was the most that it had said.
    async fn read_changes(&self, known: u64, changes: u64) -> Result<(), StoreError> {
        if changes < known {
            self.directory.sync_anew().await?; // the store is one of before, and what it says of versions is not what was meant
            self.roll.changes.send_replace(changes);
        } else if changes > *self.roll.changes.borrow() {
            self.directory.sync().await?;
            self.roll.changes.send_if_modified(|latest| {
                let is_later = changes > *latest;
                *latest = changes.max(*latest);
                is_later
            });
        }
        Ok(())
    }

    /// Begins anew after others thought that this node is gone: they have its deliveries, and what it still sends is not recorded by it.
    async fn rejoin(self: &Arc<Self>, struck: NodeNumber, at: Timestamp) -> Result<(), StoreError> {
        let _once = self.roll.rejoining.lock().await;
        if self.roll.own() != struck || self.roll.has_left() {
            return Ok(());
        }
        let is_news = !self.roll.is_off.swap(true, Ordering::Relaxed);
        let joined = self.store.join(&new_node(&self.roll.parts, at)).await;
        let number = joined.inspect_err(|error| {
            if is_news {
                tracing::error!(%error, "this node was taken off the roll and cannot join anew: it takes and sends nothing until it can");
            }
        })?;
        if self.roll.has_left() {
            self.store.strike_node(number, None).await?; // it stopped meanwhile
            return Ok(());
        }
        let forgotten = {
            let mut seen = self.roll.seen.lock();
            seen.own = number;
            self.lanes.rejoin(number)
        };
        self.roll.is_off.store(false, Ordering::Relaxed);
        tracing::warn!(%number, forgotten, "this node was silent for too long and was taken for dead: it begins anew");
        self.store.end_lost_leases().await?; // what was appended meanwhile under the number before
        self.reconcile.notify_one();
        Ok(())
    }

    /// Beats until the end, at once when somebody says that something was changed.
    pub(crate) async fn beat(self: Arc<Self>) -> Result<(), StoreError> {
        let mut due = self.clock.now() + self.roll.parts.beat_every; // it has beaten when it joined
        let (mut seen, mut listens) = (0, true);
        loop {
            let now = self.clock.now();
            let wait = due.since(now).min(self.roll.parts.beat_every);
            let beat = tokio::select! {
                biased;
                () = self.tasks.shutdown().begun() => return Ok(()),
                () = self.clock.sleep(wait) => {
                    due = self.clock.now() + self.roll.parts.beat_every;
                    listens = true;
                    self.beat_tick().await
                }
                told = self.store.changed(seen), if listens => match told {
                    Ok(now) => {
                        seen = now;
                        self.hear().await
                    }
                    Err(_) => {
                        listens = false; // until the next beat, which says what is wrong
                        Ok(())
                    }
                },
            };
            match beat {
                Ok(()) => {}
                Err(StoreError::Unavailable(reason)) => tracing::debug!(%reason, "could not say that this node lives"), // the store says so itself
                Err(error) => tracing::warn!(%error, "could not say that this node lives"),
            }
        }
    }
}
