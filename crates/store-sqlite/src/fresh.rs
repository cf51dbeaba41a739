//! What was leased with its append and is not settled yet: the happy path of a delivery, which has no row of its own.
//!
//! The database tells the same, only slower: a target without a row and without an attempt. After a crash that is how they are found again
//! ([`crate::recover`]). A change becomes visible when the transaction that made it is committed.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tidings_model::{DeliveryId, EventId, Timestamp, Trigger, WebhookId};
use tidings_store::LeaseGrant;

/// Deliveries that were appended after one that is still fresh, at most: beyond it the old one gets a row, so that a slow receiver
/// does not hold up what recovery has to look through.
/// Tests have it small, so that every promise of the store is also tried beyond it.
const LAG: usize = if cfg!(test) { 3 } else { 16_384 };

/// A delivery in the hands of the node that appended its event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// Where it goes.
    pub(crate) webhook: WebhookId,
    /// The short id of its environment.
    pub(crate) environment: i64,
    /// Why it exists.
    pub(crate) trigger: Trigger,
    /// When it was due.
    pub(crate) due_at: Timestamp,
    /// The lease.
    pub(crate) grant: LeaseGrant,
}

impl Held {
    /// When somebody else may have it.
    pub(crate) fn free_at(&self) -> Timestamp {
        self.due_at.max(self.grant.until)
    }
}

/// As of the last commit.
#[derive(Debug, Default)]
struct Committed {
    by_webhook: HashMap<WebhookId, BTreeMap<DeliveryId, Held>>,
    /// In the order of their appends, with some in between that are settled by now.
    line: VecDeque<(DeliveryId, WebhookId)>,
    /// No lease ends before this.
    first_end: Option<Timestamp>,
}

impl Committed {
    fn get(&self, webhook: WebhookId, id: DeliveryId) -> Option<Held> {
        self.by_webhook.get(&webhook)?.get(&id).copied()
    }

    fn insert(&mut self, id: DeliveryId, held: Held) {
        self.by_webhook.entry(held.webhook).or_default().insert(id, held);
        self.line.push_back((id, held.webhook));
        self.first_end = Some(self.first_end.map_or(held.grant.until, |end| end.min(held.grant.until)));
    }

    fn remove(&mut self, webhook: WebhookId, id: DeliveryId) {
        let Some(of_webhook) = self.by_webhook.get_mut(&webhook) else {
            return;
        };
        of_webhook.remove(&id);
        if of_webhook.is_empty() {
            self.by_webhook.remove(&webhook);
        }
    }
}

/// What readers see of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FreshView(Arc<Mutex<Committed>>);

impl FreshView {
    /// All of them, or those of one webhook.
    pub(crate) fn list(&self, webhook: Option<WebhookId>) -> Vec<(DeliveryId, Held)> {
        let committed = self.0.lock();
        match webhook {
            Some(webhook) => committed.by_webhook.get(&webhook).map(copied).unwrap_or_default(),
            None => committed.by_webhook.values().flat_map(copied).collect(),
        }
    }
}

fn copied(of_webhook: &BTreeMap<DeliveryId, Held>) -> Vec<(DeliveryId, Held)> {
    of_webhook.iter().map(|(id, held)| (*id, *held)).collect()
}

/// The writer's side: what is committed, and what the open transaction does to it.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    committed: FreshView,
    added: Vec<(DeliveryId, Held)>,
    added_by_id: HashMap<DeliveryId, Held>,
    gone: HashSet<(WebhookId, DeliveryId)>,
    /// True when what had ended was taken out: when the next lease ends has to be found anew.
    look_again: bool,
}

impl Fresh {
    /// What readers see of it.
    pub(crate) fn view(&self) -> FreshView {
        self.committed.clone()
    }

    /// A delivery was appended under a lease.
    pub(crate) fn add(&mut self, id: DeliveryId, held: Held) {
        self.added.push((id, held));
        self.added_by_id.insert(id, held);
    }

    /// A delivery is settled, or has a row now.
    pub(crate) fn remove(&mut self, webhook: WebhookId, id: DeliveryId) {
        self.gone.insert((webhook, id));
    }

    /// The delivery, when it is fresh.
    pub(crate) fn get(&self, webhook: WebhookId, id: DeliveryId) -> Option<Held> {
        if self.gone.contains(&(webhook, id)) {
            return None;
        }
        let added = self.added_by_id.get(&id).filter(|held| held.webhook == webhook).copied();
        added.or_else(|| self.committed.0.lock().get(webhook, id))
    }

    /// What a webhook has.
    pub(crate) fn of(&self, webhook: WebhookId) -> Vec<(DeliveryId, Held)> {
        let mut all = self.committed.list(Some(webhook));
        all.extend(self.added.iter().filter(|(_, held)| held.webhook == webhook));
        all.retain(|(id, _)| !self.gone.contains(&(webhook, *id)));
        all
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<(DeliveryId, Held)> {
        let mut all = self.committed.list(None);
        all.extend(&self.added);
        all.retain(|(id, held)| !self.gone.contains(&(held.webhook, *id)));
        all
    }

    /// Those whose lease has ended `at`.
    pub(crate) fn ended(&mut self, at: Timestamp) -> Vec<(DeliveryId, Held)> {
        let committed = self.committed.0.lock();
        let some = committed.first_end.is_some_and(|end| end <= at);
        self.look_again |= some;
        let old = committed.by_webhook.values().filter(|_| some).flat_map(copied);
        let new = self.added.iter().copied();
        let ended = old.chain(new).filter(|(_, held)| held.grant.until <= at);
        ended.filter(|(id, held)| !self.gone.contains(&(held.webhook, *id))).collect()
    }

    /// Those that hold up too many others.
    pub(crate) fn late(&self) -> Vec<(DeliveryId, Held)> {
        let committed = self.committed.0.lock();
        let much = (committed.line.len() + self.added.len()).saturating_sub(LAG);
        let front = committed
            .line
            .iter()
            .take(much)
            .filter(|(id, webhook)| !self.gone.contains(&(*webhook, *id)));
        let late = front.filter_map(|(id, webhook)| committed.get(*webhook, *id).map(|held| (*id, held)));
        late.collect()
    }

    /// The oldest event that has a fresh delivery.
    pub(crate) fn oldest(&self) -> Option<EventId> {
        let committed = self.committed.0.lock();
        let live =
            |(id, webhook): &(DeliveryId, WebhookId)| !self.gone.contains(&(*webhook, *id)) && committed.get(*webhook, *id).is_some();
        let old = committed.line.iter().find(|entry| live(entry)).map(|(id, _)| id.event);
        let new = self.added.iter().find(|(id, held)| !self.gone.contains(&(held.webhook, *id)));
        old.or_else(|| new.map(|(id, _)| id.event))
    }

    /// The transaction is durable: what it did is so.
    pub(crate) fn committed(&mut self) {
        if self.added.is_empty() && self.gone.is_empty() && !self.look_again {
            return;
        }
        let look_again = std::mem::take(&mut self.look_again);
        let mut committed = self.committed.0.lock();
        for (id, held) in self.added.drain(..) {
            committed.insert(id, held);
        }
        for (webhook, id) in self.gone.drain() {
            committed.remove(webhook, id);
        }
        self.added_by_id.clear();
        while let Some((id, webhook)) = committed.line.front().copied()
            && committed.get(webhook, id).is_none()
        {
            committed.line.pop_front();
        }
        if look_again {
            let ends = committed
                .by_webhook
                .values()
                .flat_map(BTreeMap::values)
                .map(|held| held.grant.until);
            committed.first_end = ends.min();
        }
    }

    /// The transaction came to nothing.
    pub(crate) fn rolled_back(&mut self) {
        self.added.clear();
        self.added_by_id.clear();
        self.gone.clear();
    }
}
