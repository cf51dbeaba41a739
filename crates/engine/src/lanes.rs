//! All lanes: fair turns, bounded memory, and the hands that carry out what a lane wants.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use tidings_model::{Timestamp, WebhookId};
use tidings_store::{DueBatch, LeaseGrant, LeasedDelivery, NodeNumber};
use tokio::sync::Notify;

use crate::directory::Owner;
use crate::lane::{LEASE, Lane, Signal, Step};
use crate::metrics::Metrics;
use crate::turns::Turns;

/// Attempts of all webhooks under way at the same time, at most.
pub const IN_FLIGHT_MAX: usize = 2_048;
/// Those of them that webhooks share whose last attempt did not go well, or who have not had any: however many hang, the others have the rest.
pub const UNPROVEN_MAX: usize = IN_FLIGHT_MAX / 2;
/// Attempts that have ended and are not recorded yet, at most; beyond it nothing more is sent.
const UNRECORDED_MAX: usize = 4_096;
/// Bytes of bodies that all lanes hold in memory, at most; what is more waits in the store.
pub const QUEUED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What the engine has to do next.
#[derive(Debug)]
pub(crate) enum Work {
    Send(Box<LeasedDelivery>),
    Refill {
        webhook: WebhookId,
        want: usize,
        grant: LeaseGrant,
    },
    Release(Vec<LeasedDelivery>),
}

#[derive(Debug)]
struct Inner {
    lanes: BTreeMap<WebhookId, Lane>,
    /// Lanes that want a turn. Those that have not shown that they answer step aside while [`UNPROVEN_MAX`] attempts of such lanes are under way.
    turns: Turns,
    /// Lanes that want to be looked at later.
    alarms: BTreeSet<(Timestamp, WebhookId)>,
    queued_bytes: usize,
    in_flight: usize,
    unproven: usize,
    unrecorded: usize,
    stopped: bool,
    /// Whose leases they are.
    node: NodeNumber,
    /// Leases that this node has taken under its number.
    leases: u64,
    /// From then on others may think that this node is gone, and send what it has leased.
    trusted_until: Timestamp,
    /// Something was to be done, and was not because of it.
    held_back: bool,
    /// Nodes among which each webhook's concurrency is shared.
    nodes: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Lanes {
    inner: Mutex<Inner>,
    /// Rung when an alarm earlier than all others is set.
    pub(crate) alarm: Notify,
    /// Rung when the last attempt is recorded after the lanes were stopped.
    quiet: Notify,
    metrics: Metrics,
}

impl Lanes {
    /// No lane yet. Leases are that node's.
    pub(crate) fn new(node: NodeNumber, metrics: Metrics) -> Self {
        let inner = Inner {
            lanes: BTreeMap::new(),
            turns: Turns::default(),
            alarms: BTreeSet::new(),
            queued_bytes: 0,
            in_flight: 0,
            unproven: 0,
            unrecorded: 0,
            stopped: false,
            node,
            leases: 0,
            trusted_until: Timestamp::from_millis(0), // until the first beat
            held_back: false,
            nodes: 1,
        };
        Self {
            inner: Mutex::new(inner),
            alarm: Notify::new(),
            quiet: Notify::new(),
            metrics,
        }
    }

    /// A lease that nobody had before.
    pub(crate) fn grant(&self, at: Timestamp) -> LeaseGrant {
        self.inner.lock().grant(at)
    }

    /// What is leased may be sent until then. True: nothing was sent before, for want of trust.
    pub(crate) fn trust(&self, until: Timestamp) -> bool {
        let mut inner = self.inner.lock();
        inner.trusted_until = until;
        std::mem::take(&mut inner.held_back)
    }

    /// Whether what is leased may be sent at that time.
    pub(crate) fn is_trusted(&self, at: Timestamp) -> bool {
        at < self.inner.lock().trusted_until
    }

    /// So many nodes send to the same webhooks from now on.
    pub(crate) fn share(&self, nodes: usize) {
        self.inner.lock().nodes = nodes;
    }

    /// Forgets what is queued, which others have by now, and leases under another number from now on. Says how many deliveries that were.
    pub(crate) fn rejoin(&self, node: NodeNumber) -> usize {
        let mut inner = self.inner.lock();
        (inner.node, inner.leases) = (node, 0);
        let queued: Vec<_> = inner.lanes.values_mut().flat_map(Lane::drain).collect();
        self.forget_queued(&mut inner, &queued);
        queued.len()
    }

    /// Takes a place for a delivery that is about to be appended.
    pub(crate) fn reserve(&self, webhook: WebhookId, owner: &Owner, bytes: usize, at: Timestamp) -> bool {
        let mut inner = self.inner.lock();
        if inner.stopped || inner.queued_bytes + bytes > QUEUED_BYTES_MAX {
            return false;
        }
        let taken = inner.lane(webhook, Some(owner)).reserve(at);
        if taken {
            inner.queued_bytes += bytes;
        }
        taken
    }

    /// Gives a place back because nothing was appended.
    pub(crate) fn unreserve(&self, webhook: WebhookId, bytes: usize) {
        let mut inner = self.inner.lock();
        inner.queued_bytes -= bytes.min(inner.queued_bytes);
        if let Some(lane) = inner.lanes.get_mut(&webhook) {
            lane.unreserve();
        }
    }

    /// Queues a delivery for which a place was taken. It comes back when it was leased before this node had to begin anew: others may have it.
    pub(crate) fn hand_over(&self, delivery: LeasedDelivery) -> Option<LeasedDelivery> {
        let mut inner = self.inner.lock();
        let webhook = delivery.webhook;
        inner.lane(webhook, None).unreserve(); // it is there, and its owner known, since the place was taken
        if delivery.lease.token.node() != inner.node {
            inner.queued_bytes -= delivery.body.len().min(inner.queued_bytes);
            return Some(delivery);
        }
        inner.lane(webhook, None).push(delivery);
        self.metrics.queued.inc();
        inner.call(webhook);
        None
    }

    /// Something of a webhook waits in the store from that time on.
    pub(crate) fn note_due(&self, webhook: WebhookId, owner: Option<&Owner>, due: Timestamp, at: Timestamp) {
        let mut inner = self.inner.lock();
        inner.lane(webhook, owner).note_due(due);
        inner.call(webhook);
        self.look_later(&mut inner, webhook, at);
    }

    /// The next thing to do, or nothing until somebody calls.
    pub(crate) fn next(&self, at: Timestamp) -> Option<Work> {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        while inner.in_flight < IN_FLIGHT_MAX && inner.unrecorded < UNRECORDED_MAX && !inner.stopped {
            if at >= inner.trusted_until {
                inner.held_back = true;
                return None;
            }
            let free = IN_FLIGHT_MAX - inner.in_flight;
            let (owner, webhook) = inner.turns.next().or_else(|| inner.turns.next_crowded(free))?;
            let Some(lane) = inner.lanes.get_mut(&webhook) else {
                continue;
            };
            lane.crowded = None; // wherever it stood
            if !lane.is_proven() && inner.unproven >= UNPROVEN_MAX {
                inner.turns.step_aside(lane.owner, webhook);
                continue;
            }
            if !inner.turns.has_share(lane.owner, lane.in_flight(), free) {
                lane.crowded = Some(inner.turns.crowd(lane.owner, lane.in_flight(), webhook));
                continue;
            }
            lane.in_line = false;
            let step = lane.step(at, inner.nodes);
            if !matches!(step, Step::Rest) {
                inner.turns.used(owner);
            }
            match step {
                Step::Send(delivery) => {
                    inner.unproven += usize::from(!lane.is_proven());
                    inner.in_flight += 1;
                    inner.turns.took_place(lane.owner);
                    inner.queued_bytes -= delivery.body.len().min(inner.queued_bytes);
                    self.metrics.queued.dec();
                    self.metrics.in_flight.inc();
                    inner.call(webhook); // to the back of its owner's line: every webhook gets a turn
                    return Some(Work::Send(delivery));
                }
                Step::Refill(want) => {
                    inner.call(webhook);
                    return Some(Work::Refill {
                        webhook,
                        want,
                        grant: inner.grant(at),
                    });
                }
                Step::Release(leases) => {
                    self.forget_queued(inner, &leases);
                    self.look_later(inner, webhook, at);
                    return Some(Work::Release(leases));
                }
                Step::Rest => self.look_later(inner, webhook, at),
            }
        }
        None
    }

    /// What a refill brought. What was leased before this node had to begin anew comes back: others may have it.
    pub(crate) fn refilled(&self, webhook: WebhookId, batch: Result<DueBatch, Timestamp>, at: Timestamp) -> Vec<LeasedDelivery> {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let mut lost = Vec::new();
        let Some(lane) = inner.lanes.get_mut(&webhook) else {
            return lost;
        };
        match batch {
            Err(again_at) => lane.refill_failed(again_at),
            Ok(batch) => {
                lane.refilled(batch.next_due);
                for delivery in batch.deliveries {
                    if delivery.lease.token.node() == inner.node {
                        inner.queued_bytes += delivery.body.len();
                        self.metrics.queued.inc();
                        lane.push(delivery);
                    } else {
                        lost.push(delivery);
                    }
                }
            }
        }
        inner.call(webhook);
        self.look_later(inner, webhook, at);
        lost
    }

    /// An attempt has ended. Unless nothing was sent, it is to be recorded: [`Lanes::recorded`].
    pub(crate) fn finished(&self, webhook: WebhookId, signal: Signal, at: Timestamp) {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        inner.in_flight = inner.in_flight.saturating_sub(1);
        inner.unrecorded += usize::from(signal != Signal::Unused);
        self.metrics.in_flight.dec();
        if let Some(lane) = inner.lanes.get_mut(&webhook) {
            let (owner, held, before) = (lane.owner, lane.in_flight(), lane.unproven());
            let crowded = lane.crowded.take();
            lane.finished(signal, at);
            let after = lane.unproven();
            inner.unproven = (inner.unproven + after).saturating_sub(before);
            inner.call_back(); // first: what others left is not for who had more than a share
            if let Some(id) = crowded {
                inner.turns.uncrowd(owner, held, id, webhook);
            }
            inner.turns.gave_place_back(owner, IN_FLIGHT_MAX - inner.in_flight);
            inner.call(webhook);
            self.look_later(inner, webhook, at);
        }
        self.ring_when_quiet(inner);
    }

    /// An attempt is recorded, or never will be; a failed one may be due again later.
    pub(crate) fn recorded(&self, webhook: WebhookId, due_again: Option<Timestamp>, at: Timestamp) {
        let mut inner = self.inner.lock();
        inner.unrecorded = inner.unrecorded.saturating_sub(1);
        if let Some(due) = due_again {
            inner.lane(webhook, None).note_due(due);
            inner.call(webhook);
            self.look_later(&mut inner, webhook, at);
        }
        self.ring_when_quiet(&inner);
    }

    /// When the next alarm rings.
    pub(crate) fn next_alarm(&self) -> Option<Timestamp> {
        self.inner.lock().alarms.first().map(|(at, _)| *at)
    }

    /// Puts every lane whose alarm has rung in line.
    pub(crate) fn ring(&self, at: Timestamp) {
        let mut inner = self.inner.lock();
        while let Some((due, webhook)) = inner.alarms.first().copied().filter(|(due, _)| *due <= at) {
            inner.alarms.remove(&(due, webhook));
            inner.call(webhook);
        }
    }

    /// Forgets lanes of which nothing is in memory or known to wait.
    pub(crate) fn sweep(&self, at: Timestamp) {
        let mut inner = self.inner.lock();
        let Inner { lanes, turns, .. } = &mut *inner;
        lanes.retain(|_, lane| {
            let stays = lane.in_line || !lane.is_idle(at);
            if !stays {
                turns.leave(lane.owner);
            }
            stays
        });
        self.metrics.lanes.set(i64::try_from(inner.lanes.len()).unwrap_or(i64::MAX));
    }

    /// Takes nothing new and gives back everything that is queued, to be released.
    pub(crate) fn stop(&self) -> Vec<LeasedDelivery> {
        let mut inner = self.inner.lock();
        inner.stopped = true;
        let queued: Vec<_> = inner.lanes.values_mut().flat_map(Lane::drain).collect();
        self.forget_queued(&mut inner, &queued);
        queued
    }

    fn ring_when_quiet(&self, inner: &Inner) {
        if inner.stopped && inner.is_quiet() {
            self.quiet.notify_waiters();
        }
    }

    /// Waits until no attempt is under way or to be recorded. Only after [`Lanes::stop`].
    pub(crate) async fn quiet(&self) {
        loop {
            let rung = self.quiet.notified();
            if self.inner.lock().is_quiet() {
                return;
            }
            rung.await;
        }
    }

    /// Deliveries that one webhook has queued in memory: for tests and for people.
    pub fn queued(&self, webhook: WebhookId) -> usize {
        self.inner.lock().lanes.get(&webhook).map_or(0, Lane::queued)
    }

    fn forget_queued(&self, inner: &mut Inner, leases: &[LeasedDelivery]) {
        let bytes: usize = leases.iter().map(|delivery| delivery.body.len()).sum();
        inner.queued_bytes -= bytes.min(inner.queued_bytes);
        self.metrics.queued.dec_by(i64::try_from(leases.len()).unwrap_or(i64::MAX));
    }

    /// Lines a lane up now when it is due, sets its alarm when it is due later.
    fn look_later(&self, inner: &mut Inner, webhook: WebhookId, at: Timestamp) {
        let Some(wake) = inner.lanes.get(&webhook).and_then(Lane::wake_at) else {
            return;
        };
        if wake <= at {
            return; // a lane that is due now is in line, or waits for a refill or an attempt to end
        }
        let first = inner.alarms.first().is_none_or(|(earliest, _)| wake < *earliest);
        inner.alarms.insert((wake, webhook));
        if first {
            self.alarm.notify_one();
        }
    }
}

impl Inner {
    fn grant(&mut self, at: Timestamp) -> LeaseGrant {
        self.leases += 1;
        LeaseGrant {
            token: self.node.lease(self.leases),
            until: at + LEASE,
        }
    }

    const fn is_quiet(&self) -> bool {
        self.in_flight == 0 && self.unrecorded == 0
    }

    /// Has lanes that had to step aside wait in line again, as far as there is room for them.
    fn call_back(&mut self) {
        self.turns.call_back(UNPROVEN_MAX.saturating_sub(self.unproven));
    }

    /// The lane of a webhook, which is made when there is none.
    fn lane(&mut self, webhook: WebhookId, owner: Option<&Owner>) -> &mut Lane {
        match self.lanes.entry(webhook) {
            Entry::Vacant(place) => place.insert(Lane::new(self.turns.join(owner))),
            Entry::Occupied(place) => {
                let lane = place.into_mut();
                if let Some(owner) = owner {
                    let before = lane.owner;
                    lane.owner = self.turns.introduce(before, owner, lane.in_flight());
                    lane.crowded = lane.crowded.filter(|_| lane.owner == before);
                }
                lane
            }
        }
    }

    /// Puts a lane at the end of the line, once.
    fn call(&mut self, webhook: WebhookId) {
        if let Some(lane) = self.lanes.get_mut(&webhook)
            && !lane.in_line
        {
            lane.in_line = true;
            self.turns.call(lane.owner, webhook);
        }
    }
}
