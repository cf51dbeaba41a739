//! Databases, nodes beside them, and the few things that a test needs there.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tidings_model::{
    Attempt, DeliveryId, Environment, EnvironmentId, EventId, Exchange, Reply, SealedSecretSet, Settings, Subscription, Timestamp, Timings,
    Trigger, Verdict, Webhook, WebhookId, WebhookState,
};
use tidings_runtime::{Clock, SystemClock, SystemEntropy};
use tidings_store::{Idempotency, LeaseGrant, LeaseToken, NewEvent, Settlement, Start, Store, Target};
use tidings_store_postgres::{PostgresConfig, PostgresOptions, PostgresStore};
use tidings_testkit::TestDatabase;

/// A node beside a database.
pub(crate) async fn open(database: &TestDatabase) -> PostgresStore {
    open_with(&database.url(), options()).await
}

/// A node beside the database of a URL.
pub(crate) async fn open_with(url: &str, options: PostgresOptions) -> PostgresStore {
    PostgresStore::open(&config(url), options).await.unwrap()
}

/// A few connections to the database of a URL.
pub(crate) fn config(url: &str) -> PostgresConfig {
    PostgresConfig {
        connections: 4,
        ..PostgresConfig::new(url)
    }
}

/// What a node is given.
pub(crate) fn options() -> PostgresOptions {
    with_clock(Arc::new(SystemClock::new()))
}

/// What a node is given, with that clock.
pub(crate) fn with_clock(clock: Arc<dyn Clock>) -> PostgresOptions {
    PostgresOptions::new(clock, Arc::new(SystemEntropy))
}

/// So many seconds after everything begins.
pub(crate) const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000)
}

/// How long leases last here.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// A lease that nobody has had.
pub(crate) fn grant(from: Timestamp) -> LeaseGrant {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    LeaseGrant {
        token: LeaseToken(NEXT.fetch_add(1, Ordering::Relaxed)),
        until: from + LEASE,
    }
}

pub(crate) fn webhook(environment: EnvironmentId, number: u16) -> Webhook {
    Webhook {
        id: WebhookId::new(at(0), number),
        environment,
        tenant: None,
        name: format!("Webhook {number}"),
        description: String::new(),
        url: format!("https://receiver.example/{number}"),
        secrets: SealedSecretSet::default(),
        subscription: Subscription::parse(["*"]).unwrap(),
        headers: None,
        state: WebhookState::Active,
        created_at: at(0),
        updated_at: at(0),
    }
}

/// Makes an environment with a webhook.
pub(crate) async fn furnish(store: &dyn Store) -> (EnvironmentId, WebhookId) {
    let environment = Environment {
        id: EnvironmentId::from_chance([1; 16]),
        name: "Production".to_owned(),
        settings: Settings::default(),
        created_at: at(0),
    };
    store.create_environment(&environment).await.unwrap().unwrap();
    let webhook = webhook(environment.id, 1);
    assert!(store.create_webhook(&webhook).await.unwrap().is_ok());
    (environment.id, webhook.id)
}

/// An event that names the current routing and is due to the webhooks.
pub(crate) async fn event(store: &dyn Store, environment: EnvironmentId, webhooks: &[WebhookId]) -> NewEvent {
    NewEvent {
        environment,
        routing_version: store.routing(environment).await.unwrap().unwrap().version,
        key: "order.placed".parse().unwrap(),
        tenant: None,
        user: None,
        application: None,
        body: Bytes::from_static(b"{}"),
        at: at(1),
        idempotency: None,
        trigger: Trigger::Event,
        targets: webhooks
            .iter()
            .map(|webhook| Target {
                webhook: *webhook,
                start: Start::Due,
            })
            .collect(),
    }
}

/// The same event, under a key.
pub(crate) fn keyed(event: &NewEvent, key: String) -> NewEvent {
    NewEvent {
        idempotency: Some(Idempotency {
            key,
            fingerprint: [7; 32],
            expires_at: at(9_000),
        }),
        ..event.clone()
    }
}

/// Appends one event that is not to be refused.
pub(crate) async fn append(store: &dyn Store, event: NewEvent) -> EventId {
    store.append(vec![event]).await.unwrap()[0].unwrap().event
}

/// The first attempt of a delivery.
pub(crate) fn settlement(delivery: DeliveryId, webhook: WebhookId, lease: LeaseToken, verdict: Verdict) -> Settlement {
    let reply = Reply {
        status: 200,
        headers: Vec::new(),
        body: Bytes::new(),
        body_truncated: false,
    };
    Settlement {
        webhook,
        lease,
        attempt: Attempt {
            delivery,
            number: 1,
            started_at: at(2),
            url: "https://receiver.example/".to_owned(),
            request_headers: Vec::new(),
            exchange: Exchange {
                reply: Some(reply),
                failure: None,
                address: None,
                timings: Timings::default(),
            },
            verdict,
        },
        ended_at: at(2),
    }
}
