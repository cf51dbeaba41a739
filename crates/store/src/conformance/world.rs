//! The small world in which the cases happen.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tidings_model::{
    Attempt, Credential, CredentialId, Delivery, DeliveryId, DisableReason, Environment, EnvironmentId, EventId, EventKey, Exchange, Reply,
    Scopes, SealedSecretSet, Settings, Subscription, TenantId, Timestamp, Timings, Trigger, Verdict, Webhook, WebhookId, WebhookState,
};

use crate::{
    Appended, AsOf, CustomEventType, DueBatch, DueWebhook, Finding, Idempotency, LeaseGrant, LeaseToken, LeasedDelivery, NewEvent, Page,
    Place, Settled, Settlement, Start, Store, StoreStats, Target,
};

/// When every case begins.
pub(super) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// How long the leases of the cases last.
pub(super) const LEASE: Duration = Duration::from_secs(60);

/// So many seconds after the start.
pub(super) const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(START.as_millis() + seconds * 1_000)
}

/// So many milliseconds after the start.
pub(super) const fn at_ms(millis: i64) -> Timestamp {
    Timestamp::from_millis(START.as_millis() + millis)
}

/// An answer that has to be good.
pub(super) trait Done<T> {
    /// The good answer; panics with the other.
    fn done(self) -> T;
}

impl<T, E: Debug> Done<T> for Result<T, E> {
    #[track_caller]
    fn done(self) -> T {
        match self {
            Ok(answer) => answer,
            Err(error) => panic!("the store was to do it, but answered {error:?}"),
        }
    }
}

impl<T> Done<T> for Option<T> {
    #[track_caller]
    fn done(self) -> T {
        match self {
            Some(found) => found,
            None => panic!("the store was to find it"),
        }
    }
}

pub(super) fn key(text: &str) -> EventKey {
    text.parse().expect("the cases write good keys")
}

pub(super) fn tenant(text: &str) -> TenantId {
    text.parse().expect("the cases write good tenants")
}

pub(super) fn environment_id(number: u8) -> EnvironmentId {
    EnvironmentId::from_chance([number; 16])
}

/// An environment of that name that nobody has configured.
pub(super) fn environment(number: u8, name: &str) -> Environment {
    Environment {
        id: environment_id(number),
        name: name.to_owned(),
        settings: Settings::default(),
        created_at: START,
    }
}

pub(super) fn event_type(text: &str) -> CustomEventType {
    CustomEventType {
        key: key(text),
        category: "Orders".to_owned(),
        display_name: "An order".to_owned(),
        description: "Something about an order.".to_owned(),
        example: Some(r#"{"order":1}"#.to_owned()),
        schema: Some(r#"{"type":"object"}"#.to_owned()),
        created_at: START,
    }
}

pub(super) fn credential(number: u8, environment: EnvironmentId) -> Credential {
    Credential {
        id: CredentialId::from_chance([number; 16]),
        environment,
        name: format!("Credential {number}"),
        scopes: Scopes::READ_WRITE,
        secret_hash: vec![number; 32],
        created_at: START,
    }
}

/// An active webhook of no tenant, made so many milliseconds after the start.
pub(super) fn webhook(environment: EnvironmentId, number: u16) -> Webhook {
    let created_at = at_ms(i64::from(number));
    Webhook {
        id: WebhookId::new(created_at, number),
        environment,
        tenant: None,
        name: format!("Webhook {number}"),
        description: String::new(),
        url: format!("https://receiver.example/{number}"),
        secrets: SealedSecretSet::default(),
        subscription: Subscription::parse(["*"]).expect("a good pattern"),
        headers: None,
        state: WebhookState::Active,
        created_at,
        updated_at: created_at,
    }
}

pub(super) fn idempotency(text: &str, fingerprint: u8, expires_at: Timestamp) -> Idempotency {
    Idempotency {
        key: text.to_owned(),
        fingerprint: [fingerprint; 32],
        expires_at,
    }
}

/// What came of a whole reply.
pub(super) fn replied(status: u16) -> Exchange {
    Exchange {
        reply: Some(Reply {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            body_truncated: false,
        }),
        failure: None,
        address: None,
        timings: Timings {
            total_us: 1_000,
            ..Timings::default()
        },
    }
}

/// The next attempt of a leased delivery, ended at that time, with the status that goes with the verdict.
pub(super) fn settlement(leased: &LeasedDelivery, verdict: Verdict, ended_at: Timestamp) -> Settlement {
    let status = match verdict {
        Verdict::Delivered => 200,
        Verdict::Cancel(_) => 410,
        Verdict::RetryAt(_) | Verdict::Exhausted => 503,
    };
    Settlement {
        webhook: leased.webhook,
        lease: leased.lease.token,
        attempt: Attempt {
            delivery: leased.id,
            number: leased.attempts + 1,
            started_at: ended_at,
            url: "https://receiver.example/".to_owned(),
            request_headers: Vec::new(),
            exchange: replied(status),
            verdict,
        },
        ended_at,
    }
}

/// One environment of a store, and short ways to do what the cases do often.
pub(super) struct World {
    pub(super) store: Arc<dyn Store>,
    pub(super) environment: EnvironmentId,
    /// For leases that collide neither with each other nor with those of another world.
    next_token: AtomicI64,
}

impl World {
    /// The first environment of an empty store.
    pub(super) async fn new(store: &Arc<dyn Store>) -> Self {
        Self::numbered(store, 1).await
    }

    /// Another environment of the same store.
    pub(super) async fn beside(&self, number: u8) -> Self {
        Self::numbered(&self.store, number).await
    }

    async fn numbered(store: &Arc<dyn Store>, number: u8) -> Self {
        let environment = environment(number, &format!("Environment {number}"));
        store.create_environment(&environment).await.done().done();
        let next_token = AtomicI64::new(i64::from(number) * 1_000_000);
        Self {
            store: Arc::clone(store),
            environment: environment.id,
            next_token,
        }
    }

    /// Adds a plain webhook.
    pub(super) async fn webhook(&self, number: u16) -> WebhookId {
        self.add(webhook(self.environment, number)).await
    }

    /// Adds a webhook.
    pub(super) async fn add(&self, webhook: Webhook) -> WebhookId {
        assert!(self.store.create_webhook(&webhook).await.done().is_ok());
        webhook.id
    }

    /// The webhook as it is now.
    pub(super) async fn read(&self, id: WebhookId) -> Webhook {
        self.store.webhook(self.environment, id).await.done().done().webhook
    }

    /// Disables a webhook, as its owner would.
    pub(super) async fn disable(&self, id: WebhookId) {
        let why = DisableReason::Operator;
        assert!(self.store.disable_webhook(id, why, at(0)).await.done());
    }

    /// The routing version of the environment.
    pub(super) async fn version(&self) -> u64 {
        self.store.routing(self.environment).await.done().done().version
    }

    /// A lease that nobody has had.
    pub(super) fn grant(&self, from: Timestamp) -> LeaseGrant {
        LeaseGrant {
            token: LeaseToken(self.next_token.fetch_add(1, Ordering::Relaxed)),
            until: from + LEASE,
        }
    }

    /// An event that names the current routing.
    pub(super) async fn event(&self, accepted: Timestamp, targets: &[(WebhookId, Start)]) -> NewEvent {
        NewEvent {
            environment: self.environment,
            routing_version: self.version().await,
            key: key("order.placed"),
            tenant: None,
            user: None,
            application: None,
            body: Bytes::from_static(b"{}"),
            at: accepted,
            idempotency: None,
            trigger: Trigger::Event,
            targets: targets
                .iter()
                .map(|(webhook, start)| Target {
                    webhook: *webhook,
                    start: *start,
                })
                .collect(),
        }
    }

    /// Appends one event that is not to be refused.
    pub(super) async fn append(&self, event: NewEvent) -> Appended {
        let answers = self.store.append(vec![event]).await.done();
        assert_eq!(answers.len(), 1);
        answers[0].done()
    }

    /// Appends an event that is due for each of the webhooks.
    pub(super) async fn publish(&self, accepted: Timestamp, webhooks: &[WebhookId]) -> EventId {
        let targets: Vec<_> = webhooks.iter().map(|webhook| (*webhook, Start::Due)).collect();
        self.append(self.event(accepted, &targets).await).await.event
    }

    /// Leases what a webhook has due.
    pub(super) async fn lease(&self, webhook: WebhookId, from: Timestamp, want: usize) -> DueBatch {
        self.store.lease_due(webhook, from, want, self.grant(from)).await.done()
    }

    /// Leases the one delivery that a webhook has due.
    pub(super) async fn lease_one(&self, webhook: WebhookId, from: Timestamp) -> LeasedDelivery {
        let batch = self.lease(webhook, from, 10).await;
        assert_eq!(batch.deliveries.len(), 1, "one delivery was to be due: {batch:?}");
        batch.deliveries.into_iter().next().done()
    }

    /// Settles one attempt.
    pub(super) async fn settle(&self, settlement: Settlement) -> Settled {
        let answers = self.store.settle(vec![settlement].into()).await.done();
        assert_eq!(answers.len(), 1);
        answers[0]
    }

    /// Leases the one delivery that a webhook has due, and settles an attempt of it.
    pub(super) async fn attempt(&self, webhook: WebhookId, verdict: Verdict, when: Timestamp) -> Settled {
        let leased = self.lease_one(webhook, when).await;
        self.settle(settlement(&leased, verdict, when)).await
    }

    /// The delivery as the log shows it.
    pub(super) async fn delivery(&self, id: DeliveryId, when: Timestamp) -> Delivery {
        self.store.delivery(self.environment, id, when).await.done().done().delivery
    }

    /// What is pending, by webhook.
    pub(super) async fn due(&self) -> Vec<DueWebhook> {
        let mut due = self.store.due_webhooks().await.done();
        due.sort_by_key(|due| due.webhook);
        due
    }

    /// Everything that is not as it should be, found so many rows at a time.
    pub(super) async fn verify(&self, as_of: AsOf, limit: usize) -> Vec<Finding> {
        verify(&*self.store, as_of, limit).await
    }

    /// The figures of the store.
    pub(super) async fn stats(&self, when: Timestamp) -> StoreStats {
        self.store.stats(when).await.done()
    }
}

/// Everything that is not as it should be in a store, found so many rows at a time.
pub(super) async fn verify(store: &dyn Store, as_of: AsOf, limit: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut place = Some(Place::start());
    while let Some(here) = place {
        let verified = store.verify(&here, as_of, limit).await.done();
        assert_ne!(verified.next.as_ref(), Some(&here), "a verification does not stand still");
        findings.extend(verified.findings);
        place = verified.next;
    }
    findings
}

/// The n-th delivery of an event.
pub(super) const fn nth(event: EventId, ordinal: u32) -> DeliveryId {
    DeliveryId { event, ordinal }
}

/// A part of a list.
pub(super) const fn page<C: Copy>(before: Option<C>, skip: usize, limit: usize) -> Page<C> {
    Page { before, skip, limit }
}
