//! Where a trial happens: the real server as a process, its receivers and webhooks, producers that do not give up, and the ledger.
//!
//! Never knows: what is done to the server.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use http::{Method, header};
use tidings_model::EventId;
use tidings_runtime::{Clock, SystemClock, TimedOut, within};
use tidings_testkit::TestServer;
use tidings_testkit::server::{Answer, Refused, TestClient};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::ledger::{Audit, Ledger, payload};
use crate::receivers::{KEYS, Manner, Receivers};

/// A request that has no answer by then counts as one without.
const ANSWER: Duration = Duration::from_secs(30);
/// What is to come has time while anything moves; this long after the last movement, it is not coming.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long a producer waits before it asks again after a refusal.
const AGAIN: Duration = Duration::from_millis(200);
/// Seconds before each attempt: short, so that what fails comes to its end within a trial. All of it outlasts the span of a flapping receiver.
const SCHEDULE: &str = "[0,1,1,2,2,3,3,4,4,5]";
/// The shortest deadline of an attempt that can be set, in milliseconds.
const DEADLINE_MS: u64 = 1_000;

/// See the module. Everything ends when this is dropped.
pub(crate) struct Site {
    /// The server.
    pub(crate) server: TestServer,
    /// What the client knows.
    pub(crate) ledger: Arc<Ledger>,
    /// The machine's clock.
    pub(crate) clock: SystemClock,
    /// Ids of the webhooks, in the order of [`Manner::ALL`].
    pub(crate) webhooks: Vec<String>,
    receivers: Receivers,
    keys: Arc<[String]>,
    /// Where producers find the server, while it is up.
    doors: watch::Sender<Option<TestClient>>,
    producers: JoinSet<()>,
    enough: Arc<AtomicBool>,
    /// Names the producers' idempotency keys apart from those of other trials on the same data.
    name: u64,
}

impl Site {
    /// Starts a server on a folder, or on one of its own, with a webhook for every manner of receiver.
    pub(crate) async fn open(binary: &Path, folder: Option<&Path>) -> anyhow::Result<Self> {
        let server = match folder {
            Some(folder) => TestServer::start_in(binary, folder).await,
            None => TestServer::start(binary).await,
        };
        let environment = server.environment().await;
        let settings = format!(r#"{{"settings":{{"retrySchedule":{SCHEDULE},"timeoutMs":{DEADLINE_MS}}}}}"#);
        taken(&server.patch(&format!("/v1/environments/{environment}"), &settings).await)?;
        let types = server.get("/v1/event-types").await;
        let keys = types.json["data"].as_array().into_iter().flatten();
        let keys: Arc<[String]> = keys
            .filter_map(|kind| Some(kind["key"].as_str()?.to_owned()))
            .take(KEYS as usize)
            .collect();
        ensure!(keys.len() == KEYS as usize, "too few event types: {}", types.json);
        let ledger = Arc::new(Ledger::default());
        let receivers = Receivers::start(Arc::clone(&ledger)).await?;
        let mut site = Self {
            doors: watch::Sender::new(Some(server.client())),
            server,
            ledger,
            clock: SystemClock::new(),
            webhooks: Vec::new(),
            receivers,
            keys,
            producers: JoinSet::new(),
            enough: Arc::default(),
            name: fastrand::u64(..),
        };
        for manner in Manner::ALL {
            let keys: Vec<_> = (0..KEYS)
                .filter(|key| manner.gets(*key))
                .map(|key| &site.keys[key as usize])
                .collect();
            let webhook = serde_json::json!({"url": site.receivers.url(manner), "eventKeys": keys, "secret": "correct-horse"});
            let created = site.server.post("/v1/webhooks", &webhook.to_string()).await;
            let id = taken(&created)?.json["id"].as_str().context("a webhook has an id")?;
            site.webhooks.push(id.to_owned());
        }
        Ok(site)
    }

    /// Sets that many producers to work, each of which rests that long between two events.
    pub(crate) fn produce(&mut self, producers: u64, rest: Duration) {
        self.enough.store(false, Ordering::SeqCst);
        for _ in 0..producers {
            let producer = Producer {
                doors: self.doors.subscribe(),
                ledger: Arc::clone(&self.ledger),
                clock: self.clock,
                keys: Arc::clone(&self.keys),
                enough: Arc::clone(&self.enough),
                rest,
                name: self.name,
            };
            self.producers.spawn(producer.work());
        }
    }

    /// Has the producers begin nothing more, and waits until what they began is answered.
    pub(crate) async fn finish_producing(&mut self) -> anyhow::Result<()> {
        self.enough.store(true, Ordering::SeqCst);
        let answered = async { while self.producers.join_next().await.is_some() {} };
        let patience = 2 * PATIENCE;
        let ended = within(&self.clock, patience, answered).await;
        ensure!(
            ended != Err(TimedOut),
            "requests were not answered 202 within {} s",
            patience.as_secs()
        );
        Ok(())
    }

    /// kill -9.
    pub(crate) async fn kill(&mut self) {
        self.doors.send_replace(None);
        self.server.kill().await;
    }

    /// SIGTERM, and its end. The exit status.
    pub(crate) async fn terminate(&mut self) -> Option<i32> {
        self.doors.send_replace(None);
        self.server.terminate().await
    }

    /// Starts the server again, and lets the producers in.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        self.try_start()
            .await
            .map_err(|refused| anyhow::anyhow!("the start was refused: {}", refused.said))?;
        self.open_doors();
        Ok(())
    }

    /// Starts the server again, which may be refused, and lets nobody in.
    pub(crate) async fn try_start(&mut self) -> Result<(), Refused> {
        self.server.try_restart().await
    }

    /// Lets the producers in.
    pub(crate) fn open_doors(&self) {
        self.doors.send_replace(Some(self.server.client()));
    }

    /// Where the server is found, while it is up.
    pub(crate) fn doors(&self) -> watch::Receiver<Option<TestClient>> {
        self.doors.subscribe()
    }

    /// The URL of a receiver.
    pub(crate) fn url(&self, manner: Manner) -> String {
        self.receivers.url(manner)
    }

    /// The ids of the stored events, as far as they are newer than `after`, by the server's own list.
    pub(crate) async fn stored(&self, after: Option<EventId>) -> anyhow::Result<BTreeSet<EventId>> {
        let mut stored = BTreeSet::new();
        let mut cursor = String::new();
        loop {
            let page = self.server.get(&format!("/v1/events?limit=200{cursor}")).await;
            for event in taken(&page)?.json["data"].as_array().context("a list has rows")? {
                let id: EventId = event["id"].as_str().unwrap_or_default().parse().context("an event has an id")?;
                if after.is_some_and(|after| id <= after) {
                    return Ok(stored);
                }
                ensure!(stored.insert(id), "{id} is listed twice");
            }
            match page.json["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(stored),
            }
        }
    }

    /// Ends the producers, waits for everything that has to arrive, and holds the ledger against the server's list.
    pub(crate) async fn close_the_books(&mut self) -> anyhow::Result<Audit> {
        self.finish_producing().await?;
        self.ledger.everything_arrives(&self.clock, PATIENCE).await;
        let stored = self.stored(None).await?;
        Ok(self.ledger.audit(&stored))
    }
}

/// An answer that is a success.
pub(crate) fn taken(answer: &Answer) -> anyhow::Result<&Answer> {
    ensure!(answer.status < 300, "answered {}: {}", answer.status, answer.json);
    Ok(answer)
}

/// Sends events one after the other, each under a key of its own, again and again until it is answered 202.
struct Producer {
    doors: watch::Receiver<Option<TestClient>>,
    ledger: Arc<Ledger>,
    clock: SystemClock,
    keys: Arc<[String]>,
    enough: Arc<AtomicBool>,
    rest: Duration,
    name: u64,
}

impl Producer {
    async fn work(mut self) {
        while !self.enough.load(Ordering::SeqCst) {
            let number = self.ledger.begin();
            if !self.send(number).await {
                return;
            }
            self.clock.sleep(self.rest).await;
        }
    }

    /// False: the trial is over.
    async fn send(&mut self, number: u64) -> bool {
        let key = &self.keys[(number % KEYS) as usize];
        let body = format!(r#"{{"eventKey":"{key}","payload":{}}}"#, payload(number));
        let promise = format!("{:x}-{number}", self.name);
        loop {
            let Ok(Some(client)) = self.doors.wait_for(Option::is_some).await.map(|client| client.clone()) else {
                return false;
            };
            let headers = [("idempotency-key", promise.as_str())];
            let asking = client.ask_with(Method::POST, "/v1/events", &body, &headers);
            match within(&self.clock, ANSWER, asking).await {
                Ok(Some(answer)) if self.note(number, &answer) => return true,
                Ok(None) => self.clock.sleep(AGAIN / 10).await, // it is ending, or has ended
                Ok(Some(_)) | Err(TimedOut) => self.clock.sleep(AGAIN).await,
            }
        }
    }

    /// Writes an answer into the ledger. False: it has to be sent again.
    fn note(&self, number: u64, answer: &Answer) -> bool {
        let id = answer.json["id"].as_str().and_then(|id| id.parse().ok());
        match (answer.status, id) {
            (202, Some(id)) => {
                self.ledger.accepted(number, id, answer.json["repeated"].as_bool() == Some(true));
                return true;
            }
            (503, _) if answer.headers.contains_key(header::RETRY_AFTER) => self.ledger.refused(),
            (status, _) => self
                .ledger
                .answered_wrongly(format!("event {number} was answered {status}: {}", answer.json)),
        }
        false
    }
}
