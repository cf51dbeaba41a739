//! One store and what its caller has learned from it: two that have always answered alike have taught alike.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidings_model::{CredentialId, DeliveryId, EnvironmentId, EventId, EventKey, TenantId, Timestamp, WebhookId};

use super::op::{ENVIRONMENTS, Op, WEBHOOKS};
use crate::conformance::world::{Done, LEASE, START, environment_id, key, tenant};
use crate::{LeaseGrant, LeaseToken, Store};

/// A lease that was once given, to settle or release with.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub(super) delivery: DeliveryId,
    pub(super) webhook: WebhookId,
    pub(super) token: LeaseToken,
    pub(super) attempts: u16,
}

pub(super) struct Actor {
    pub(super) store: Arc<dyn Store>,
    pub(super) now: Timestamp,
    /// The environment that was last made in each slot; it may be deleted.
    pub(super) environments: [EnvironmentId; ENVIRONMENTS],
    /// The webhook that was last made in each slot; it may be deleted.
    pub(super) webhooks: [Option<WebhookId>; WEBHOOKS],
    pub(super) credentials: Vec<CredentialId>,
    pub(super) events: Vec<(EnvironmentId, EventId)>,
    pub(super) leases: Vec<Held>,
    pub(super) versions: BTreeMap<EnvironmentId, u64>,
    /// Sessions that somebody wanted.
    pub(super) sessions: u8,
    /// What is numbered is never numbered alike.
    number: u8,
    token: i64,
}

impl Actor {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            now: START,
            environments: [environment_id(254), environment_id(255)],
            webhooks: [None; WEBHOOKS],
            credentials: Vec::new(),
            events: Vec::new(),
            leases: Vec::new(),
            versions: BTreeMap::new(),
            sessions: 0,
            number: 0,
            token: 0,
        }
    }

    /// Does it, and puts the answer into words.
    pub(super) async fn perform(&mut self, op: &Op) -> String {
        match op {
            Op::Move(millis) => {
                let by = Duration::from_millis(millis.unsigned_abs());
                self.now = if *millis < 0 { self.now - by } else { self.now + by };
                String::new()
            }
            Op::Configure(configure) => self.configure(configure).await,
            Op::Person(person) => self.person(*person).await,
            Op::History(history) => self.history(history).await,
            Op::Road(road) => self.road(road).await,
            Op::Read(read) => self.read(read).await,
        }
    }

    pub(super) const fn next_number(&mut self) -> u8 {
        self.number += 1;
        self.number
    }

    pub(super) fn next_grant(&mut self) -> LeaseGrant {
        self.token += 1;
        LeaseGrant {
            token: LeaseToken(self.token),
            until: self.now + LEASE,
        }
    }

    /// Whether an environment has not been deleted.
    pub(super) async fn lives(&self, environment: EnvironmentId) -> bool {
        self.store.routing(environment).await.done().is_some()
    }

    /// An event that was appended, counted from the newest.
    pub(super) fn newest(&self, place: usize) -> Option<(EnvironmentId, EventId)> {
        self.events.iter().rev().nth(place).copied()
    }

    /// So many milliseconds before now.
    pub(super) fn ago(&self, millis: i64) -> Timestamp {
        Timestamp::from_millis(self.now.as_millis() - millis)
    }
}

pub(super) fn event_key(number: u8) -> EventKey {
    key(["order.placed", "order.paid", "user.left"][usize::from(number)])
}

pub(super) fn tenant_id(number: u8) -> TenantId {
    tenant(["acme", "rival", "nobody"][usize::from(number)])
}
