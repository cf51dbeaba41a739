//! What an event costs in processor time, the server's and ours: appended with one delivery, and settled by its first attempt.
//!
//! `cargo run --profile sim -p tidings-store-postgres --example cost` starts a server whose disk is as slow as the machine's.

#![expect(clippy::print_stdout, reason = "it is a program that prints")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends")]

mod furnished;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use tidings_model::{EnvironmentId, Timestamp, Trigger, WebhookId};
use tidings_runtime::{Clock, SystemClock, SystemEntropy};
use tidings_store::{LeaseGrant, LeaseToken, NewEvent, Settlement, Start, Store, Target};
use tidings_store_postgres::{PostgresConfig, PostgresOptions, PostgresStore};
use tidings_testkit::EphemeralPostgres;

use crate::furnished::{WEBHOOKS, furnish, process_us, server_us, settlement, webhook_id};

#[tokio::main]
async fn main() {
    let server = EphemeralPostgres::start(&[("fsync", "on"), ("full_page_writes", "on"), ("max_wal_size", "4GB")]);
    let database = server.database().await;
    let url = server.url_of(&database);
    let clock = Arc::new(SystemClock::new());
    let options = PostgresOptions::new(clock.clone(), Arc::new(SystemEntropy));
    let store = PostgresStore::open(&PostgresConfig::new(url), options).await.unwrap();
    let admin = server.connect(&database).await;
    let environment = furnish(&store).await;
    println!("callers  events   append: ours  server     ms   settle: ours  server     ms   (µs of processor time an event; ms a commit)");
    for (callers, batch, rounds) in [(1, 1, 1_000), (1, 32, 300), (1, 256, 100), (64, 1, 200), (256, 1, 100)] {
        let work = Work {
            store: store.clone(),
            environment,
            tokens: Arc::default(),
        };
        let mut figures = Vec::new();
        let mut appended = Vec::new();
        for settling in [false, true] {
            let before = (clock.monotonic_us(), own_us(), server_us(&admin).await);
            for round in 0..rounds {
                let at = Timestamp::from_millis(clock.now().as_millis());
                if settling {
                    work.settle(&mut appended, callers, batch, at).await;
                } else {
                    work.append(&mut appended, callers, batch, round, at).await;
                }
            }
            let after = (clock.monotonic_us(), own_us(), server_us(&admin).await);
            let events = f64::from(callers * batch * rounds);
            figures.push((
                (after.1 - before.1) / events,
                (after.2 - before.2) / events,
                (after.0 - before.0) as f64 / 1_000.0 / f64::from(rounds),
            ));
        }
        let [append, settle] = figures[..] else { return };
        println!(
            "{callers:7} {batch:7} {:15.1} {:7.1} {:6.2} {:14.1} {:7.1} {:6.2}",
            append.0, append.1, append.2, settle.0, settle.1, settle.2
        );
    }
    store.close().await;
}

struct Work {
    store: PostgresStore,
    environment: EnvironmentId,
    tokens: Arc<AtomicI64>,
}

impl Work {
    async fn append(&self, appended: &mut Vec<Settlement>, callers: i32, batch: i32, round: i32, at: Timestamp) {
        let mut tasks = tokio::task::JoinSet::new();
        for caller in 0..callers {
            let (events, leases): (Vec<_>, Vec<_>) = (0..batch).map(|n| self.event(caller + n + round, at)).unzip();
            let store = self.store.clone();
            tasks.spawn(async move { (store.append(events).await.unwrap(), leases) });
        }
        for (answers, leases) in tasks.join_all().await {
            for (answer, (webhook, lease)) in answers.into_iter().zip(leases) {
                appended.push(settlement(answer.unwrap().event, webhook, lease, at));
            }
        }
    }

    async fn settle(&self, appended: &mut Vec<Settlement>, callers: i32, batch: i32, at: Timestamp) {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..callers {
            let batch: Vec<_> = appended
                .split_off(appended.len() - usize::try_from(batch).unwrap())
                .into_iter()
                .map(|settlement| Settlement {
                    ended_at: at,
                    ..settlement
                })
                .collect();
            let store = self.store.clone();
            tasks.spawn(async move { store.settle(batch.into()).await.unwrap() });
        }
        tasks.join_all().await;
    }

    fn event(&self, number: i32, at: Timestamp) -> (NewEvent, (WebhookId, LeaseToken)) {
        let webhook = webhook_id(u16::try_from(number).unwrap() % WEBHOOKS);
        let token = LeaseToken(self.tokens.fetch_add(1, Ordering::Relaxed));
        let until = Timestamp::from_millis(at.as_millis() + 180_000);
        let event = NewEvent {
            environment: self.environment,
            routing_version: 1 + u64::from(WEBHOOKS),
            key: "frontegg.user.created".parse().unwrap(),
            tenant: Some("acme".parse().unwrap()),
            user: None,
            application: None,
            body: Bytes::from(vec![b'x'; 1_024]),
            at,
            idempotency: None,
            trigger: Trigger::Event,
            targets: vec![Target {
                webhook,
                start: Start::Leased(LeaseGrant { token, until }),
            }],
        };
        (event, (webhook, token))
    }
}

/// Our processor time so far, in microseconds.
fn own_us() -> f64 {
    process_us(std::process::id().cast_signed()).unwrap()
}
