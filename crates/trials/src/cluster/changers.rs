//! Somebody who makes, changes, disables, enables and removes webhooks, each time at another node than the one that gets the events which tell whether it
//! counts.
//!
//! A change without an answer, or with one that it cannot be made now, may have been made or not: nothing is expected of that webhook any more.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::ensure;
use http::Method;
use serde_json::json;
use tidings_runtime::{Clock as _, TimedOut, within};
use tokio::task::JoinSet;

use crate::cluster::LEASED;
use crate::producers::Courier;
use crate::receivers::{Manner, Receivers};
use crate::site::webhook;

/// How long somebody rests whose change had no answer, or one that it cannot be made now.
const REST: Duration = Duration::from_secs(1);

/// See the module. They end when this is dropped.
pub(crate) struct Changers {
    courier: Courier,
    receivers: Arc<Receivers>,
    /// Receivers that were given to a webhook.
    given: Arc<AtomicU32>,
    enough: Arc<AtomicBool>,
    tasks: JoinSet<Lives>,
}

/// How many webhooks went through everything, and how many were given up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lives {
    pub(crate) whole: u64,
    given_up: u64,
}

/// Somebody, with two keys that nobody else uses.
struct Somebody {
    courier: Courier,
    receivers: Arc<Receivers>,
    keys: (u64, u64),
}

/// A webhook whose state is not known any more.
struct Uncertain;

impl Changers {
    /// Nobody works yet.
    pub(crate) fn of(courier: Courier, receivers: Arc<Receivers>) -> Self {
        Self {
            courier,
            receivers,
            given: Arc::default(),
            enough: Arc::default(),
            tasks: JoinSet::new(),
        }
    }

    /// Sets somebody to work with these keys.
    pub(crate) fn work(&mut self, keys: (u64, u64)) {
        self.enough.store(false, Ordering::SeqCst);
        let (given, enough) = (Arc::clone(&self.given), Arc::clone(&self.enough));
        let mut somebody = Somebody {
            courier: self.courier.clone(),
            receivers: Arc::clone(&self.receivers),
            keys,
        };
        self.tasks.spawn(async move {
            let mut lives = Lives::default();
            while !enough.load(Ordering::SeqCst) {
                let manner = Manner::Changing(given.fetch_add(1, Ordering::SeqCst));
                match somebody.live(manner).await {
                    Ok(()) => lives.whole += 1,
                    Err(Uncertain) => {
                        somebody.courier.ledger.is_uncertain(manner);
                        lives.given_up += 1;
                        somebody.courier.clock.sleep(REST).await;
                    }
                }
            }
            lives
        });
    }

    /// Has them begin nothing more, and waits for the end of what they began.
    pub(crate) async fn finish(&mut self) -> anyhow::Result<Lives> {
        self.enough.store(true, Ordering::SeqCst);
        let mut all = Lives::default();
        let ending = async {
            while let Some(Ok(lives)) = self.tasks.join_next().await {
                all.whole += lives.whole;
                all.given_up += lives.given_up;
            }
        };
        let ended = within(&self.courier.clock, 3 * LEASED, ending).await;
        ensure!(ended != Err(TimedOut), "webhooks could not be changed");
        Ok(all)
    }
}

impl Somebody {
    /// The life of one webhook, with events that it must get and others that it must not.
    async fn live(&mut self, manner: Manner) -> Result<(), Uncertain> {
        let (one, other) = self.keys;
        let names = [one, other].map(|key| self.courier.keys[key as usize].clone());
        let made = webhook(&self.receivers, manner, &[&*names[0]]);
        let (node, id) = self.change(Method::POST, "/v1/webhooks", &made).await?;
        let path = format!("/v1/webhooks/{id}");
        let mut sent = self.send(node, &[(one, Some(manner)), (other, None)]).await?;

        let (node, _) = self
            .change(Method::PATCH, &path, &json!({"eventKeys": [names[1]]}).to_string())
            .await?;
        sent.extend(self.send(node, &[(one, None), (other, Some(manner))]).await?);
        self.arrive(&sent).await?; // what waits for a webhook is cancelled when it is disabled

        let (node, _) = self.change(Method::POST, &format!("{path}/disable"), "").await?;
        self.send(node, &[(one, None), (other, None)]).await?;

        let (node, _) = self.change(Method::POST, &format!("{path}/enable"), "").await?;
        let sent = self.send(node, &[(one, None), (other, Some(manner))]).await?;
        self.arrive(&sent).await?;

        let (node, _) = self.change(Method::DELETE, &path, "").await?;
        self.send(node, &[(one, None), (other, None)]).await?;
        Ok(())
    }

    /// Asks a node for a change. Gives the node, and the id in its answer.
    async fn change(&mut self, method: Method, path: &str, body: &str) -> Result<(usize, String), Uncertain> {
        let (node, client) = self.courier.doors.any(None).await.ok_or(Uncertain)?;
        let asking = client.ask(method.clone(), path, body);
        let answer = within(&self.courier.clock, self.courier.answer, asking).await;
        let Ok(Some(answer)) = answer else { return Err(Uncertain) };
        match answer.status {
            200..300 => Ok((node, answer.json["id"].as_str().unwrap_or_default().to_owned())),
            503 => Err(Uncertain),
            status => {
                let words = format!("{method} {path} was answered {status}: {}", answer.json);
                self.courier.ledger.broken(words);
                Err(Uncertain)
            }
        }
    }

    /// Sends events to another node than that one, each under its key and with where it has to come to.
    async fn send(&mut self, but: usize, events: &[(u64, Option<Manner>)]) -> Result<Vec<u64>, Uncertain> {
        let (node, _) = self.courier.doors.any(Some(but)).await.ok_or(Uncertain)?;
        let mut sent = Vec::new();
        for (key, only) in events {
            let number = self.courier.ledger.begin_apart(*only);
            self.courier.send(number, *key, Some(node)).await.ok_or(Uncertain)?;
            sent.push(number);
        }
        Ok(sent)
    }

    /// Waits until events have come where they have to.
    async fn arrive(&self, sent: &[u64]) -> Result<(), Uncertain> {
        let Courier { ledger, clock, .. } = &self.courier;
        for number in sent {
            if !ledger.arrives(clock, LEASED, *number).await {
                ledger.broken(format!("event {number} did not come to a webhook that was changed before"));
                return Err(Uncertain);
            }
        }
        Ok(())
    }
}

impl fmt::Display for Lives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whole, given_up } = self;
        write!(
            f,
            "{whole} webhooks made, changed, disabled, enabled and removed, {given_up} more given up where an answer was missing"
        )
    }
}
