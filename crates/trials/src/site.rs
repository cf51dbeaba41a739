//! Where a trial of one server happens: the real server as a process, its receivers and webhooks, producers, and the ledger.
//!
//! Never knows: what is done to the server.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tidings_model::EventId;
use tidings_runtime::SystemClock;
use tidings_testkit::TestServer;
use tidings_testkit::server::{Answer, Refused, TestClient};

use crate::ledger::{Audit, Ledger};
use crate::producers::{Courier, Doors, Entrance, Producers};
use crate::receivers::{KEYS, Manner, Receivers, SECRET};

/// A request that has no answer by then counts as one without.
const ANSWER: Duration = Duration::from_secs(30);
/// What is to come has time while anything moves; this long after the last movement, it is not coming.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Seconds before each attempt: short, so that what fails comes to its end within a trial. All of it outlasts the span of a flapping receiver.
const SCHEDULE: &str = "[0,1,1,2,2,3,3,4,4,5]";
/// The shortest deadline of an attempt that can be set.
const DEADLINE: Duration = Duration::from_secs(1);

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
    /// Where producers find the server, while it is up.
    entrance: Entrance,
    producers: Producers,
}

impl Site {
    /// Starts a server on a folder, or on one of its own, with a webhook for every manner of receiver.
    pub(crate) async fn open(binary: &Path, folder: Option<&Path>) -> anyhow::Result<Self> {
        let server = match folder {
            Some(folder) => TestServer::start_in(binary, folder).await,
            None => TestServer::start(binary).await,
        };
        let clock = SystemClock::new();
        let ledger = Arc::new(Ledger::default());
        let receivers = Receivers::start(Ipv4Addr::LOCALHOST.into(), Arc::clone(&ledger), clock).await?;
        let Furniture { keys, webhooks } = furnish(&server, &receivers, DEADLINE).await?;
        let entrance = Entrance::closed(1);
        entrance.open(0, server.client());
        let courier = Courier::new(entrance.doors(), Arc::clone(&ledger), clock, keys, ANSWER);
        Ok(Self {
            server,
            ledger,
            clock,
            webhooks,
            receivers,
            entrance,
            producers: Producers::of(courier),
        })
    }

    /// Sets that many producers to work, each of which rests that long between two events.
    pub(crate) fn produce(&mut self, producers: u64, rest: Duration) {
        self.producers.work(producers, rest);
    }

    /// Has the producers begin nothing more, and waits until what they began is answered.
    pub(crate) async fn finish_producing(&mut self) -> anyhow::Result<()> {
        self.producers.finish().await
    }

    /// kill -9.
    pub(crate) async fn kill(&mut self) {
        self.entrance.close(0);
        self.server.kill().await;
    }

    /// SIGTERM, and its end. The exit status.
    pub(crate) async fn terminate(&mut self) -> Option<i32> {
        self.entrance.close(0);
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
        self.entrance.open(0, self.server.client());
    }

    /// Where the server is found, while it is up.
    pub(crate) fn doors(&self) -> Doors {
        self.entrance.doors()
    }

    /// The URL of a receiver.
    pub(crate) fn url(&self, manner: Manner) -> String {
        self.receivers.url(manner)
    }

    /// The ids of the stored events, as far as they are newer than `after`, by the server's own list.
    pub(crate) async fn stored(&self, after: Option<EventId>) -> anyhow::Result<BTreeSet<EventId>> {
        stored(&self.server, after).await
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

/// What a trial needs in an environment.
pub(crate) struct Furniture {
    /// Every key of the catalogue. The first [`KEYS`] are those of the producers.
    pub(crate) keys: Arc<[String]>,
    /// Ids of the webhooks, in the order of [`Manner::ALL`].
    pub(crate) webhooks: Vec<String>,
}

/// Sets an environment up: short schedules, so that what fails comes to its end within a trial, and a webhook for every manner of receiver.
pub(crate) async fn furnish(server: &TestClient, receivers: &Receivers, deadline: Duration) -> anyhow::Result<Furniture> {
    let environment = server.environment().await;
    let deadline = deadline.as_millis();
    let settings = format!(r#"{{"settings":{{"httpAllowed":true,"retrySchedule":{SCHEDULE},"timeoutMs":{deadline}}}}}"#);
    taken(&server.patch(&format!("/v1/environments/{environment}"), &settings).await)?;
    let types = server.get("/v1/event-types").await;
    let keys = types.json["data"].as_array().into_iter().flatten();
    let keys: Arc<[String]> = keys.filter_map(|kind| Some(kind["key"].as_str()?.to_owned())).collect();
    ensure!(keys.len() >= KEYS as usize, "too few event types: {}", types.json);
    let mut webhooks = Vec::new();
    for manner in Manner::ALL {
        let subscribed: Vec<_> = (0..KEYS)
            .filter(|key| manner.subscribes(*key))
            .map(|key| &*keys[key as usize])
            .collect();
        let created = server.post("/v1/webhooks", &webhook(receivers, manner, &subscribed)).await;
        let id = taken(&created)?.json["id"].as_str().context("a webhook has an id")?;
        webhooks.push(id.to_owned());
    }
    Ok(Furniture { keys, webhooks })
}

/// The webhook of a receiver, as it is asked for.
pub(crate) fn webhook(receivers: &Receivers, manner: Manner, keys: &[&str]) -> String {
    let url = receivers.url(manner);
    serde_json::json!({"url": url, "eventKeys": keys, "secret": SECRET, "tenantId": manner.tenant()}).to_string()
}

/// The ids of the stored events, as far as they are newer than `after`, by a server's own list.
pub(crate) async fn stored(server: &TestClient, after: Option<EventId>) -> anyhow::Result<BTreeSet<EventId>> {
    let mut stored = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/v1/events?limit=200{cursor}")).await;
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
