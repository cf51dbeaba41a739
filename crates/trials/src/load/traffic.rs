//! What else goes on beside the events: lists are read, webhooks are edited, made and removed, deliveries sent again.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use http::Method;
use serde_json::json;
use tidings_runtime::{Clock, SystemClock};
use tidings_testkit::server::{Answer, TestClient};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::ledger::Ledger;
use crate::producers::Doors;
use crate::receivers::{Manner, SECRET};
use crate::site::Site;

/// Rest between two requests.
const REST: Duration = Duration::from_millis(100);
/// Lists of all kinds.
const LISTS: [&str; 8] = [
    "/v1/events?limit=50",
    "/v1/events?limit=200&eventKey=frontegg.user.created",
    "/v1/deliveries?limit=50",
    "/v1/deliveries?limit=50&status=delivered",
    "/v1/deliveries?limit=50&status=pending",
    "/v1/deliveries?limit=50&status=exhausted",
    "/v1/webhooks",
    "/v1/event-types",
];

/// See the module. It ends when this is dropped.
pub(super) struct Traffic {
    requests: Arc<Requests>,
    ending: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

#[derive(Default)]
struct Requests {
    lists: AtomicU64,
    edits: AtomicU64,
    resends: AtomicU64,
}

/// How much of it there was.
pub(super) struct Figures {
    lists: u64,
    edits: u64,
    resends: u64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "beside them {} lists read, {} edits, {} resends",
            self.lists, self.edits, self.resends
        )
    }
}

impl Traffic {
    /// Begins.
    pub(super) fn start(site: &Site) -> Self {
        let requests = Arc::new(Requests::default());
        let ending = watch::Sender::new(false);
        let somebody = || Somebody {
            doors: site.doors(),
            ending: ending.subscribe(),
            clock: site.clock,
            ledger: Arc::clone(&site.ledger),
            requests: Arc::clone(&requests),
            webhooks: site.webhooks.clone(),
            failing: site.url(Manner::Failing),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(somebody().work(1));
        tasks.spawn(somebody().work(2));
        Self { requests, ending, tasks }
    }

    /// Ends, and says how much there was.
    pub(super) async fn stop(mut self) -> Figures {
        self.ending.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Figures {
            lists: count(&self.requests.lists),
            edits: count(&self.requests.edits),
            resends: count(&self.requests.resends),
        }
    }
}

/// Somebody who clicks through everything.
struct Somebody {
    doors: Doors,
    ending: watch::Receiver<bool>,
    clock: SystemClock,
    ledger: Arc<Ledger>,
    requests: Arc<Requests>,
    webhooks: Vec<String>,
    failing: String,
}

impl Somebody {
    async fn work(mut self, seed: u64) {
        let mut dice = Rng::with_seed(seed);
        while !*self.ending.borrow() {
            let Some((_, client)) = self.doors.any(None).await else { return };
            match dice.u8(0..10) {
                0..6 => self.read(&client, &mut dice).await,
                6..8 => self.edit(&client, &mut dice).await,
                8 => self.come_and_go(&client).await,
                _ => self.resend(&client).await,
            }
            self.clock.sleep(REST).await;
        }
    }

    async fn read(&self, client: &TestClient, dice: &mut Rng) {
        let path = dice.choice(LISTS).unwrap_or(LISTS[0]);
        self.ask(client, Method::GET, path, "", &self.requests.lists).await;
    }

    async fn edit(&self, client: &TestClient, dice: &mut Rng) {
        let Some(webhook) = dice.choice(&self.webhooks) else { return };
        let change = json!({"description": format!("changed for the {}th time", dice.u16(..))}).to_string();
        let path = format!("/v1/webhooks/{webhook}");
        self.ask(client, Method::PATCH, &path, &change, &self.requests.edits).await;
    }

    /// A webhook that is there for a moment, to a receiver that fails.
    async fn come_and_go(&self, client: &TestClient) {
        let webhook = json!({"url": self.failing, "eventKeys": ["*"], "secret": SECRET}).to_string();
        let Some(made) = self.ask(client, Method::POST, "/v1/webhooks", &webhook, &self.requests.edits).await else {
            return;
        };
        self.clock.sleep(REST).await;
        let path = format!("/v1/webhooks/{}", made.json["id"].as_str().unwrap_or_default());
        self.ask(client, Method::DELETE, &path, "", &self.requests.edits).await;
    }

    async fn resend(&self, client: &TestClient) {
        let list = "/v1/deliveries?limit=1&status=delivered";
        let Some(page) = self.ask(client, Method::GET, list, "", &self.requests.lists).await else {
            return;
        };
        if let Some(delivery) = page.json["data"][0]["id"].as_str() {
            let path = format!("/v1/deliveries/{delivery}/resend");
            self.ask(client, Method::POST, &path, "", &self.requests.resends).await;
        }
    }

    /// An answer that is a success; nothing of a server that is ending, or busy.
    async fn ask(&self, client: &TestClient, method: Method, path: &str, body: &str, counter: &AtomicU64) -> Option<Answer> {
        let answer = client.ask(method.clone(), path, body).await?;
        if answer.status >= 300 && answer.status != 503 {
            self.ledger
                .broken(format!("{method} {path} was answered {}: {}", answer.status, answer.json));
        }
        let taken = answer.status < 300;
        counter.fetch_add(u64::from(taken), Ordering::SeqCst);
        taken.then_some(answer)
    }
}
