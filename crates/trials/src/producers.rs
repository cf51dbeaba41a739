//! Producers that do not give up: an event is sent under one key until a node answers 202, whichever it is.
//!
//! Never knows: what is done to the nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use http::{Method, header};
use serde_json::json;
use serde_json::value::RawValue;
use tidings_runtime::{Clock, SystemClock, TimedOut, within};
use tidings_testkit::server::{Answer, TestClient};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::ledger::{Ledger, payload};
use crate::receivers::{KEYS, tenant_of};
use crate::site::PATIENCE;

/// How long a producer waits before it asks again after a refusal.
const AGAIN: Duration = Duration::from_millis(200);

/// Where the nodes are found, as those who start and end them say.
pub(crate) struct Entrance(watch::Sender<Vec<Option<TestClient>>>);

impl Entrance {
    /// Of so many nodes, none of which is up.
    pub(crate) fn closed(nodes: usize) -> Self {
        Self(watch::Sender::new(vec![None; nodes]))
    }

    /// A node is up.
    pub(crate) fn open(&self, node: usize, client: TestClient) {
        self.0.send_modify(|doors| doors[node] = Some(client));
    }

    /// A node is down.
    pub(crate) fn close(&self, node: usize) {
        self.0.send_modify(|doors| doors[node] = None);
    }

    /// For those who look for nodes.
    pub(crate) fn doors(&self) -> Doors {
        Doors(self.0.subscribe())
    }
}

/// Where nodes are found, while they are up.
#[derive(Clone)]
pub(crate) struct Doors(watch::Receiver<Vec<Option<TestClient>>>);

impl Doors {
    /// A node that is up, by chance, waited for if there is none; another than that, where there is one. Nothing: the trial is over.
    pub(crate) async fn any(&mut self, but: Option<usize>) -> Option<(usize, TestClient)> {
        let doors = self.0.wait_for(|doors| doors.iter().any(Option::is_some)).await.ok()?;
        let open: Vec<_> = doors
            .iter()
            .enumerate()
            .filter_map(|(node, door)| Some((node, door.clone()?)))
            .collect();
        let others: Vec<_> = open.iter().filter(|(node, _)| Some(*node) != but).collect();
        fastrand::choice(others).or(open.first()).cloned()
    }

    /// That node, if it is up.
    fn at(&self, node: usize) -> Option<TestClient> {
        self.0.borrow().get(node)?.clone()
    }
}

/// Sends events, each under a key of its own, again and again until it is answered 202.
#[derive(Clone)]
pub(crate) struct Courier {
    pub(crate) doors: Doors,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clock: SystemClock,
    pub(crate) keys: Arc<[String]>,
    /// A request that has no answer by then counts as one without.
    pub(crate) answer: Duration,
    /// Names idempotency keys apart from those of other trials on the same data.
    name: u64,
}

impl Courier {
    /// Sends events with these keys to whoever is found there.
    pub(crate) fn new(doors: Doors, ledger: Arc<Ledger>, clock: SystemClock, keys: Arc<[String]>, answer: Duration) -> Self {
        let name = fastrand::u64(..);
        Self {
            doors,
            ledger,
            clock,
            keys,
            answer,
            name,
        }
    }

    /// Sends an event under one of the keys, to that node first if it is up. Gives the node that answered 202; nothing: the trial is over.
    pub(crate) async fn send(&mut self, number: u64, key: u64, first: Option<usize>) -> Option<usize> {
        let mut chosen = first.and_then(|node| Some((node, self.doors.at(node)?)));
        loop {
            let (node, client) = match chosen.take() {
                Some(chosen) => chosen,
                None => self.doors.any(None).await?,
            };
            match within(&self.clock, self.answer, self.send_once(number, key, &client)).await {
                Ok(Some(202)) => return Some(node),
                Ok(None) => self.clock.sleep(AGAIN / 10).await, // it is ending, or has ended
                Ok(Some(_)) | Err(TimedOut) => self.clock.sleep(AGAIN).await,
            }
            chosen = Some(self.doors.any(Some(node)).await?);
        }
    }

    /// Sends an event under one of the keys, and gives the status of the answer, if there was one. Anything but 202: it has to be sent again.
    pub(crate) async fn send_once(&self, number: u64, key: u64, client: &TestClient) -> Option<u16> {
        let payload: Box<RawValue> = RawValue::from_string(payload(number)).ok()?;
        let body = json!({"eventKey": self.keys[key as usize], "tenantId": tenant_of(number), "payload": payload}).to_string();
        let promise = format!("{:x}-{number}", self.name);
        let headers = [("idempotency-key", promise.as_str())];
        let answer = client.ask_with(Method::POST, "/v1/events", &body, &headers).await?;
        self.note(number, &answer);
        Some(answer.status)
    }

    /// Writes an answer into the ledger.
    fn note(&self, number: u64, answer: &Answer) {
        let id = answer.json["id"].as_str().and_then(|id| id.parse().ok());
        match (answer.status, id) {
            (202, Some(id)) => self.ledger.accepted(number, id, answer.json["repeated"].as_bool() == Some(true)),
            (503, _) if answer.headers.contains_key(header::RETRY_AFTER) => self.ledger.refused(),
            (status, _) => self
                .ledger
                .answered_wrongly(format!("event {number} was answered {status}: {}", answer.json)),
        }
    }
}

/// See the module. They end when this is dropped.
pub(crate) struct Producers {
    courier: Courier,
    tasks: JoinSet<()>,
    enough: Arc<AtomicBool>,
}

impl Producers {
    /// Nobody works yet.
    pub(crate) fn of(courier: Courier) -> Self {
        Self {
            courier,
            tasks: JoinSet::new(),
            enough: Arc::default(),
        }
    }

    /// Sets that many to work, each of which rests that long between two events.
    pub(crate) fn work(&mut self, producers: u64, rest: Duration) {
        self.enough.store(false, Ordering::SeqCst);
        for _ in 0..producers {
            let (mut courier, enough) = (self.courier.clone(), Arc::clone(&self.enough));
            self.tasks.spawn(async move {
                while !enough.load(Ordering::SeqCst) {
                    let number = courier.ledger.begin();
                    if courier.send(number, number % KEYS, None).await.is_none() {
                        return;
                    }
                    courier.clock.sleep(rest).await;
                }
            });
        }
    }

    /// Has them begin nothing more, and waits until what they began is answered.
    pub(crate) async fn finish(&mut self) -> anyhow::Result<()> {
        self.enough.store(true, Ordering::SeqCst);
        let answered = async { while self.tasks.join_next().await.is_some() {} };
        let patience = 2 * PATIENCE;
        let ended = within(&self.courier.clock, patience, answered).await;
        ensure!(
            ended != Err(TimedOut),
            "requests were not answered 202 within {} s",
            patience.as_secs()
        );
        Ok(())
    }
}
