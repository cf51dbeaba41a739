//! A world of one engine on the in-memory store, with a clock that stands still and a network that does as it is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tidings_engine::{AcceptError, Accepted, Draft, Engine, EngineParts, Metrics, NodeParts, StartError};
use tidings_model::delivery::StatusFilter;
use tidings_model::{
    Catalog, Delivery, EndpointUrl, Environment, EnvironmentId, Exchange, Failure, FailureKind, OutboundRequest, Reply, SealedSecretSet,
    Settings, Subscription, Timestamp, Transport, Trigger, Webhook, WebhookId, WebhookState,
};
use tidings_runtime::{Clock, Entropy, ManualClock, Shutdown, TaskSet};
use tidings_signing::{MasterKey, Vault};
use tidings_store::{DeliveryDetail, DeliveryFilter, MemStore, NewEvent, Page, Start, Store, Target};
use tokio::sync::Semaphore;

/// When every world begins.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

/// Seldom, because days pass here.
pub(crate) const BEAT_EVERY: Duration = Duration::from_secs(30);

/// Dice that always fall in the middle: retries come exactly on their step.
struct MiddleEntropy;

impl Entropy for MiddleEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for (byte, value) in buffer.iter_mut().zip(1_000_u32.to_le_bytes().into_iter().cycle()) {
            *byte = value;
        }
    }
}

/// What a receiver does with the next request.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    Answers(u16),
    AnswersWith(u16, &'static str, &'static str),
    Breaks,
    Hangs,
}

/// Receivers by URL: what they do, in order, the last for ever; and what they got.
pub(crate) struct Network {
    scripts: Mutex<BTreeMap<String, Vec<Does>>>,
    got: Mutex<Vec<(String, Timestamp, OutboundRequest)>>,
    released: Semaphore,
    clock: ManualClock,
}

#[async_trait]
impl Transport for Network {
    async fn send(&self, request: &OutboundRequest) -> Exchange {
        let url = request.url.to_string();
        self.got.lock().push((url.clone(), self.clock.now(), request.clone()));
        let does = {
            let mut scripts = self.scripts.lock();
            let script = scripts.entry(url).or_insert_with(|| vec![Does::Answers(200)]);
            if script.len() > 1 { script.remove(0) } else { script[0].clone() }
        };
        let reply = |status, headers| Exchange {
            reply: Some(Reply {
                status,
                headers,
                body: Bytes::new(),
                body_truncated: false,
            }),
            ..Exchange::default()
        };
        match does {
            Does::Answers(status) => reply(status, Vec::new()),
            Does::AnswersWith(status, name, value) => reply(status, vec![(name.to_owned(), value.to_owned())]),
            Does::Breaks => Exchange::failed(FailureKind::Connect, "connection refused"),
            Does::Hangs => {
                self.released.acquire().await.unwrap().forget();
                Exchange::failed(FailureKind::Timeout, "no complete reply in time")
            }
        }
    }

    async fn vet(&self, _: EnvironmentId, _: &EndpointUrl) -> Result<(), Failure> {
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<MemStore>,
    pub(crate) clock: ManualClock,
    pub(crate) network: Arc<Network>,
    pub(crate) environment: EnvironmentId,
    pub(crate) shutdown: Shutdown,
    next: u16,
}

/// Another node on the same store, with a clock of its own.
pub(crate) struct Neighbour {
    pub(crate) clock: ManualClock,
    pub(crate) shutdown: Shutdown,
    /// Kept alive.
    pub(crate) engine: Arc<Engine>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = ManualClock::at(START);
        let store = Arc::new(MemStore::new());
        let environment = EnvironmentId::from_chance([7; 16]);
        let settings = Settings::default();
        store
            .create_environment(&Environment {
                id: environment,
                name: "Test".to_owned(),
                settings,
                created_at: START,
            })
            .await
            .unwrap()
            .unwrap();
        let network = Arc::new(Network {
            scripts: Mutex::default(),
            got: Mutex::default(),
            released: Semaphore::new(0),
            clock: clock.clone(),
        });
        let shutdown = Shutdown::new();
        let engine = start(&store, &clock, &network, &shutdown).await;
        Self {
            engine,
            store,
            clock,
            network,
            environment,
            shutdown,
            next: 1,
        }
    }

    /// The process dies and another one starts on the same store.
    pub(crate) async fn crash(&mut self) {
        self.shutdown.force();
        settle().await;
        self.shutdown = Shutdown::new();
        self.engine = start(&self.store, &self.clock, &self.network, &self.shutdown).await;
    }

    /// Another node of the same store, which sees what time it is now, and then goes its own way.
    pub(crate) async fn neighbour(&self) -> Neighbour {
        let (clock, shutdown) = (ManualClock::at(self.clock.now()), Shutdown::new());
        let engine = start(&self.store, &clock, &self.network, &shutdown).await;
        Neighbour { clock, shutdown, engine }
    }

    /// What starting again on the same store comes to with that master key.
    pub(crate) async fn start_with(&self, key: [u8; 32]) -> Result<Arc<Engine>, StartError> {
        let vault = Vault::new(&MasterKey::from_bytes(key), &[]);
        Engine::start(parts(&self.store, &self.clock, &self.network, &Shutdown::new(), vault)).await
    }

    /// A webhook for everything, straight into the store: the engine has not heard of it.
    pub(crate) async fn unannounced_webhook(&mut self, name: &str) -> WebhookId {
        self.create_webhook(name, None).await
    }

    async fn create_webhook(&mut self, name: &str, tenant: Option<&str>) -> WebhookId {
        let id = WebhookId::new(START, self.next);
        self.next += 1;
        let webhook = Webhook {
            id,
            environment: self.environment,
            tenant: tenant.map(|tenant| tenant.parse().unwrap()),
            name: name.to_owned(),
            description: String::new(),
            url: format!("https://{name}.test/"),
            secrets: SealedSecretSet::default(),
            subscription: Subscription::parse(["*"]).unwrap(),
            headers: None,
            state: WebhookState::Active,
            created_at: START,
            updated_at: START,
        };
        assert!(self.store.create_webhook(&webhook).await.unwrap().is_ok());
        id
    }

    pub(crate) async fn webhook(&mut self, name: &str, script: &[Does]) -> WebhookId {
        self.network.scripts.lock().insert(format!("https://{name}.test/"), script.to_vec());
        let id = self.unannounced_webhook(name).await;
        self.engine.changed(self.environment).await.unwrap();
        id
    }

    /// What a receiver does from now on.
    pub(crate) fn answer(&self, name: &str, script: &[Does]) {
        self.network.scripts.lock().insert(format!("https://{name}.test/"), script.to_vec());
    }

    /// Webhooks of a tenant, named by it and a number.
    pub(crate) async fn webhooks_of(&mut self, tenant: &str, count: usize, script: &[Does]) {
        for number in 0..count {
            self.webhook_of(tenant, &format!("{tenant}-{number}"), script).await;
        }
        self.engine.changed(self.environment).await.unwrap();
        settle().await;
    }

    /// A webhook of a tenant, of which the engine hears with the next ones.
    pub(crate) async fn webhook_of(&mut self, tenant: &str, name: &str, script: &[Does]) {
        self.network.scripts.lock().insert(format!("https://{name}.test/"), script.to_vec());
        self.create_webhook(name, Some(tenant)).await;
    }

    pub(crate) async fn publish(&self) -> Accepted {
        self.try_to_accept(None, 1).await.unwrap().remove(0)
    }

    /// Accepts so many events of a tenant at once.
    pub(crate) async fn publish_of(&self, tenant: &str, count: usize) {
        self.try_to_accept(Some(tenant), count).await.unwrap();
    }

    /// What comes of accepting so many events at once.
    pub(crate) async fn try_to_accept(&self, tenant: Option<&str>, count: usize) -> Result<Vec<Accepted>, AcceptError> {
        let draft = Draft {
            event_type: Arc::clone(Catalog::built_in().get("frontegg.user.created").unwrap()),
            tenant: tenant.map(|tenant| tenant.parse().unwrap()),
            user: None,
            application: None,
            body: Bytes::from_static(b"{\"eventKey\":\"frontegg.user.created\"}"),
            idempotency: None,
            for_webhooks: true,
        };
        let accepted = self.engine.accept(self.environment, vec![draft; count]).await;
        settle().await;
        Ok(accepted?.into_iter().map(Result::unwrap).collect())
    }

    /// Appends an event to the store, past the engine: with one delivery, to whichever webhook.
    pub(crate) async fn append(&self, environment: EnvironmentId, webhook: WebhookId, start: Start) {
        let event = NewEvent {
            environment,
            routing_version: self.store.routing(environment).await.unwrap().unwrap().version,
            key: "order.placed".parse().unwrap(),
            tenant: None,
            user: None,
            application: None,
            body: Bytes::from_static(b"{}"),
            at: START,
            idempotency: None,
            trigger: Trigger::Event,
            targets: vec![Target { webhook, start }],
        };
        self.store.append(vec![event]).await.unwrap()[0].unwrap();
    }

    /// Lets time pass and everybody act when their time has come.
    pub(crate) async fn pass(&self, duration: Duration) {
        pass(&self.clock, duration).await;
    }

    /// Lets time pass at once, as for a machine that slept.
    pub(crate) async fn leap(&self, duration: Duration) {
        self.clock.advance(duration);
        settle().await;
    }

    /// Lets those who hang time out.
    pub(crate) async fn release(&self, count: usize) {
        self.network.released.add_permits(count);
        settle().await;
    }

    /// When a receiver got requests, in milliseconds since the beginning.
    pub(crate) fn times(&self, name: &str) -> Vec<i64> {
        let url = format!("https://{name}.test/");
        self.network
            .got
            .lock()
            .iter()
            .filter(|(to, ..)| *to == url)
            .map(|(_, at, _)| at.as_millis() - START.as_millis())
            .collect()
    }

    /// Who got a request, in order.
    pub(crate) fn receivers(&self) -> Vec<String> {
        let name = |url: &str| url["https://".len()..url.len() - ".test/".len()].to_owned();
        self.network.got.lock().iter().map(|(to, ..)| name(to)).collect()
    }

    /// The requests that a receiver got.
    pub(crate) fn requests(&self, name: &str) -> Vec<OutboundRequest> {
        let url = format!("https://{name}.test/");
        self.network
            .got
            .lock()
            .iter()
            .filter(|(to, ..)| *to == url)
            .map(|(.., request)| request.clone())
            .collect()
    }

    pub(crate) async fn deliveries(&self, webhook: WebhookId, status: Option<StatusFilter>) -> Vec<Delivery> {
        let filter = DeliveryFilter {
            webhook: Some(webhook),
            status,
            ..DeliveryFilter::of(self.environment)
        };
        self.store.deliveries(&filter, Page::first(10_000), self.clock.now()).await.unwrap()
    }

    pub(crate) async fn only_delivery(&self, webhook: WebhookId) -> DeliveryDetail {
        let deliveries = self.deliveries(webhook, None).await;
        assert_eq!(deliveries.len(), 1);
        self.store
            .delivery(self.environment, deliveries[0].id, self.clock.now())
            .await
            .unwrap()
            .unwrap()
    }
}

async fn start(store: &Arc<MemStore>, clock: &ManualClock, network: &Arc<Network>, shutdown: &Shutdown) -> Arc<Engine> {
    let vault = Vault::new(&MasterKey::from_bytes([3; 32]), &[]);
    let engine = Engine::start(parts(store, clock, network, shutdown, vault)).await.unwrap();
    settle().await;
    engine
}

fn parts(store: &Arc<MemStore>, clock: &ManualClock, network: &Arc<Network>, shutdown: &Shutdown, vault: Vault) -> EngineParts {
    EngineParts {
        store: store.clone(),
        transport: network.clone(),
        vault: Arc::new(vault),
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(MiddleEntropy),
        tasks: TaskSet::new(shutdown.clone()),
        metrics: Metrics::register(&mut Registry::default()),
        node: NodeParts {
            beat_every: BEAT_EVERY,
            ..NodeParts::named("test")
        },
    }
}

/// Lets time pass on that clock alone, and those act whose clock it is.
pub(crate) async fn pass(clock: &ManualClock, duration: Duration) {
    let until = clock.now() + duration;
    while clock.now() < until {
        let next = clock.next_wake().map_or(until, |wake| wake.min(until));
        clock.advance(next.since(clock.now()).max(Duration::from_millis(1)));
        settle().await;
    }
}

/// Lets every task run until all of them wait: they share this thread, and none of them waits for the outside world.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
