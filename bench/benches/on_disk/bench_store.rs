//! A store in a folder of its own with one environment and some webhooks, and what is asked of it.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tidings_model::{
    Attempt, DeliveryId, Environment, EnvironmentId, Exchange, Reply, SealedSecretSet, Settings, Subscription, Timestamp, Timings, Trigger,
    Verdict, Webhook, WebhookId, WebhookState,
};
use tidings_runtime::SystemClock;
use tidings_store::{Appended, LeaseGrant, LeaseToken, LeasedDelivery, NewEvent, Settlement, Start, Store, Target};
use tidings_store_sqlite::{SqliteOptions, SqliteStore};
use tokio::runtime::{Builder, Runtime};

const START: Timestamp = Timestamp::from_seconds(1_700_000_000);
const LEASE: Duration = Duration::from_secs(3_600);
const EVENT_KEY: &str = "frontegg.user.created";
const BODY_BYTES: usize = 1_024;

/// See the module.
pub(crate) struct BenchStore {
    runtime: Runtime,
    store: SqliteStore,
    environment: EnvironmentId,
    routing_version: u64,
    webhooks: Vec<WebhookId>,
    next_token: Cell<i64>,
    body: Bytes,
    /// Removed after the store is closed.
    _folder: TempDir,
}

impl BenchStore {
    /// An empty one with that many webhooks, all of which every event goes to.
    pub(crate) fn open(webhooks: u16) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let folder = tempfile::tempdir().expect("the machine has room for a data folder");
        let options = SqliteOptions::new(Arc::new(SystemClock::new()));
        let environment = EnvironmentId::from_chance([1; 16]);
        let (store, routing_version) = runtime.block_on(async {
            let store = SqliteStore::open(folder.path(), options).expect("an empty folder can be opened");
            let routing_version = set_up(&store, environment, webhooks).await;
            (store, routing_version)
        });
        Self {
            runtime,
            store,
            environment,
            routing_version,
            webhooks: (0..webhooks).map(|number| WebhookId::new(START, number)).collect(),
            next_token: Cell::new(1),
            body: Bytes::from(vec![b'x'; BODY_BYTES]),
            _folder: folder,
        }
    }

    /// Events whose deliveries the caller sends at once.
    pub(crate) fn leased_events(&self, events: usize) -> Vec<NewEvent> {
        (0..events).map(|_| self.event(|| Start::Leased(self.grant()))).collect()
    }

    /// Events whose deliveries wait in the store.
    pub(crate) fn due_events(&self, events: usize) -> Vec<NewEvent> {
        (0..events).map(|_| self.event(|| Start::Due)).collect()
    }

    fn event(&self, start: impl Fn() -> Start) -> NewEvent {
        let target = |webhook: &WebhookId| Target {
            webhook: *webhook,
            start: start(),
        };
        NewEvent {
            environment: self.environment,
            routing_version: self.routing_version,
            key: EVENT_KEY.parse().expect("a good key"),
            tenant: Some("tenant-1".parse().expect("a good tenant")),
            user: Some("user-1".to_owned()),
            application: None,
            body: self.body.clone(),
            at: START,
            idempotency: None,
            trigger: Trigger::Event,
            targets: self.webhooks.iter().map(target).collect(),
        }
    }

    fn grant(&self) -> LeaseGrant {
        let token = self.next_token.get();
        self.next_token.set(token + 1);
        LeaseGrant {
            token: LeaseToken(token),
            until: START + LEASE,
        }
    }

    /// Appends; gives back the first delivery of each event with its lease.
    pub(crate) fn append(&self, events: Vec<NewEvent>) -> Vec<(DeliveryId, Start)> {
        let starts: Vec<_> = events.iter().map(|event| event.targets[0].start).collect();
        let answers = self.runtime.block_on(self.store.append(events)).expect("the store appends");
        let first = |appended: Appended| DeliveryId {
            event: appended.event,
            ordinal: 0,
        };
        let ids = answers.into_iter().map(|answer| first(answer.expect("nothing is refused")));
        ids.zip(starts).collect()
    }

    /// What is to be recorded when those deliveries have arrived.
    pub(crate) fn delivered(&self, leased: &[(DeliveryId, Start)]) -> Arc<[Settlement]> {
        let granted = leased.iter().filter_map(|(id, start)| match start {
            Start::Leased(grant) => Some((*id, grant.token)),
            Start::Due | Start::Skipped(_) => None,
        });
        granted.map(|(id, token)| settlement(self.webhooks[0], id, token)).collect()
    }

    pub(crate) fn settle(&self, settlements: Arc<[Settlement]>) {
        self.runtime.block_on(self.store.settle(settlements)).expect("the store settles");
    }

    /// Leases so many deliveries, which are there.
    pub(crate) fn lease(&self, want: usize) -> Vec<LeasedDelivery> {
        let leasing = self.store.lease_due(self.webhooks[0], START, want, self.grant());
        let batch = self.runtime.block_on(leasing).expect("the store leases");
        assert_eq!(batch.deliveries.len(), want, "so many are due");
        batch.deliveries
    }

    pub(crate) fn release(&self, leased: Vec<LeasedDelivery>) {
        if !leased.is_empty() {
            let leases = leased.into_iter().map(|delivery| (delivery.id, delivery.lease.token)).collect();
            self.runtime.block_on(self.store.release(leases)).expect("the store releases");
        }
    }
}

/// An environment with webhooks. Gives back the version of its routing.
async fn set_up(store: &SqliteStore, environment: EnvironmentId, webhooks: u16) -> u64 {
    let made = Environment {
        id: environment,
        name: "Bench".to_owned(),
        settings: Settings::default(),
        created_at: START,
    };
    let created = store.create_environment(&made).await.expect("the store is there");
    created.expect("the name is free");
    for number in 0..webhooks {
        let webhook = Webhook {
            id: WebhookId::new(START, number),
            environment,
            tenant: None,
            name: format!("Webhook {number}"),
            description: String::new(),
            url: format!("https://receiver.example/{number}"),
            secrets: SealedSecretSet::default(),
            subscription: Subscription::parse([EVENT_KEY]).expect("a good pattern"),
            headers: None,
            state: WebhookState::Active,
            created_at: START,
            updated_at: START,
        };
        assert!(store.create_webhook(&webhook).await.expect("the store is there").is_ok());
    }
    let routing = store.routing(environment).await.expect("the store is there");
    routing.expect("the environment was made").version
}

/// A first attempt that a receiver answered with 200, as the engine records it.
fn settlement(webhook: WebhookId, delivery: DeliveryId, lease: LeaseToken) -> Settlement {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Settlement {
        webhook,
        lease,
        attempt: Attempt {
            delivery,
            number: 1,
            started_at: START,
            url: "https://receiver.example/0".to_owned(),
            request_headers: vec![
                header("content-type", "application/json"),
                header("user-agent", "Tidings/0.1.0"),
                header("webhook-id", "evt_1hf8wz3m60000"),
                header("webhook-timestamp", "1700000000"),
                header("webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
                header("x-webhook-secret", &"j".repeat(200)),
            ],
            exchange: Exchange {
                reply: Some(Reply {
                    status: 200,
                    headers: vec![header("content-length", "2"), header("date", "Tue, 14 Nov 2023 22:15:20 GMT")],
                    body: Bytes::from_static(b"ok"),
                    body_truncated: false,
                }),
                failure: None,
                address: "192.0.2.1:443".parse().ok(),
                timings: Timings {
                    first_byte_us: Some(900),
                    total_us: 1_000,
                    ..Timings::default()
                },
            },
            verdict: Verdict::Delivered,
        },
        ended_at: START,
    }
}
