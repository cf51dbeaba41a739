//! What partitions by day would cost and save: the verbs of the store beside 31 days of events, in tables as they are, and in partitions of a day each.
//!
//! `cargo run -p tidings-store-postgres --example partitions` starts a server whose disk is as slow as the machine's. `-- 50000` is another number of
//! events a day.

#![expect(clippy::print_stdout, reason = "it is a program that prints")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends")]

mod furnished;

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use tidings_model::delivery::StatusFilter;
use tidings_model::{EnvironmentId, EventId, Timestamp, Trigger, WebhookId};
use tidings_runtime::{Clock, SystemClock, SystemEntropy};
use tidings_store::{DeliveryFilter, EventFilter, LeaseGrant, LeaseToken, NewEvent, Page, Start, Store, Target};
use tidings_store_postgres::{PostgresConfig, PostgresOptions, PostgresStore};
use tidings_testkit::EphemeralPostgres;
use tokio_postgres::Client;

use crate::furnished::{WEBHOOKS, furnish, server_us, settlement, webhook_id};

const DAYS: i64 = 31;
const DAY_MS: i64 = 86_400_000;
/// The day on which this is measured, since 1970.
const TODAY: i64 = 20_000;
const NOW: i64 = TODAY * DAY_MS + DAY_MS / 2;
const BODY: [u8; 512] = [b'x'; 512];
/// The tables, and the column that has the id of an event.
const TABLES: [(&str, &str); 3] = [("events", "id"), ("attempts", "event"), ("deliveries", "event")];

#[tokio::main]
async fn main() {
    let a_day = std::env::args().nth(1).map_or(20_000, |given| given.parse().unwrap());
    let server = EphemeralPostgres::start(&[
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("max_wal_size", "8GB"),
        ("shared_buffers", "512MB"),
        ("autovacuum", "off"),
    ]);
    println!(
        "{DAYS} days of {a_day} events. Of each verb: µs of the server's processor time, and ms until the answer. Of a batch: µs an event"
    );
    for (name, partitioned) in [
        ("no partitions", &TABLES[..0]),
        ("events, attempts", &TABLES[..2]),
        ("all three", &TABLES[..]),
    ] {
        println!("\n{name}");
        let database = server.database().await;
        let clock = Arc::new(SystemClock::new());
        let options = PostgresOptions::new(clock.clone(), Arc::new(SystemEntropy));
        let store = PostgresStore::open(&PostgresConfig::new(server.url_of(&database)), options)
            .await
            .unwrap();
        let measure = Measure {
            admin: server.connect(&database).await,
            environment: furnish(&store).await,
            clock,
            store,
            a_day,
            partitioned,
        };
        measure.fill().await;
        measure.verbs().await;
        measure.batches().await;
        measure.pruning().await;
        measure.store.close().await;
    }
}

struct Measure {
    store: PostgresStore,
    admin: Client,
    clock: Arc<SystemClock>,
    environment: EnvironmentId,
    a_day: i64,
    partitioned: &'static [(&'static str, &'static str)],
}

impl Measure {
    /// Makes partitions, and fills all days: most of it delivered, some of the last days to be tried again.
    async fn fill(&self) {
        let mut sql = String::new();
        for (table, column) in self.partitioned {
            let _ = writeln!(
                sql,
                "CREATE TABLE whole (LIKE {table} INCLUDING ALL) PARTITION BY RANGE ({column}); DROP TABLE {table}; ALTER TABLE whole RENAME TO {table};
                 CREATE TABLE {table}_default PARTITION OF {table} DEFAULT;"
            );
            for day in TODAY - DAYS + 1..TODAY + 3 {
                let _ = writeln!(
                    sql,
                    "CREATE TABLE {table}_{day} PARTITION OF {table} FOR VALUES FROM ({}) TO ({});",
                    first_id(day * DAY_MS),
                    first_id((day + 1) * DAY_MS)
                );
            }
        }
        let webhook = webhook_id(0).raw();
        let (body, checksum) = (format!("'{}'::bytea", std::str::from_utf8(&BODY).unwrap()), crc32fast::hash(&BODY));
        let first = (TODAY - DAYS + 1) * DAY_MS;
        let all = format!(
            "(SELECT ({first} + n * {DAY_MS} / {0}) << 15 AS id, n, n >= {DAYS} * {0} - {0} * 5 AND n % 1000 = 0 AS late FROM generate_series(0::bigint, {DAYS} * {0} - {0} / 2 - 1) n) g",
            self.a_day
        );
        let _ = writeln!(
            sql,
            "INSERT INTO events (id, environment, trigger, deliveries, checksum, key, tenant, body)
                 SELECT id, 1, 0, 1, {checksum}, 'frontegg.user.created', 'tenant' || n % 100, {body} FROM {all};
             INSERT INTO deliveries (event, ordinal, webhook, environment, created_at, due_at, ended_at, attempts, last_status, trigger, state)
                 SELECT id, 0, {webhook} + n % {WEBHOOKS}, 1, id >> 15, CASE WHEN late THEN {NOW} END, CASE WHEN late THEN NULL ELSE id >> 15 END, 1, 200, 0,
                        CASE WHEN late THEN 0 WHEN n % 1003 = 0 THEN 2 ELSE 1 END FROM {all};
             INSERT INTO attempts (event, ordinal, number, started_at, ended_at, status, verdict, retry_at, detail)
                 SELECT id, 0, 1, id >> 15, id >> 15, 200, CASE WHEN late THEN 1 ELSE 0 END, CASE WHEN late THEN {NOW} END, substring({body}, 1, 250)
                 FROM {all};"
        );
        self.admin.batch_execute(&sql).await.unwrap();
        self.admin.batch_execute("VACUUM ANALYZE").await.unwrap();
        self.admin.batch_execute("CHECKPOINT").await.unwrap();
    }

    async fn verbs(&self) {
        let (store, now) = (&self.store, Timestamp::from_millis(NOW));
        let filter = DeliveryFilter {
            webhook: Some(webhook_id(7)),
            ..DeliveryFilter::of(self.environment)
        };
        let failed = DeliveryFilter {
            status: Some(StatusFilter::Exhausted),
            ..filter.clone()
        };
        let pending = DeliveryFilter {
            status: Some(StatusFilter::Pending),
            ..DeliveryFilter::of(self.environment)
        };
        self.each("an event by its id", 1_000, async |n| {
            let at = (TODAY - n % DAYS) * DAY_MS + (n * 7 % (self.a_day / 2)) * DAY_MS / self.a_day;
            let id = EventId::from_raw(first_id(at)).unwrap();
            assert!(store.event(self.environment, id).await.unwrap().is_some());
        })
        .await;
        for (name, filter, of) in [
            ("a webhook's newest 50", &filter, 50),
            ("a webhook's newest 10 that failed", &failed, 10),
            ("an environment's newest 50 pending", &pending, 50),
        ] {
            self.each(name, 300, async |_| {
                assert_eq!(store.deliveries(filter, Page::first(of), now).await.unwrap().len(), of);
            })
            .await;
        }
        self.each("an environment's newest 50 events", 300, async |_| {
            let events = store.events(&EventFilter::of(self.environment), Page::first(50)).await.unwrap();
            assert_eq!(events.len(), 50);
        })
        .await;
        self.each("a lease that finds nothing due", 1_000, async |_| {
            let found = store.lease_due(webhook_id(7), now, 32, grant(NOW)).await.unwrap();
            assert!(found.deliveries.is_empty());
        })
        .await;
        self.each("a lease of two that are due, given back", 500, async |_| {
            let found = store.lease_due(webhook_id(0), now, 2, grant(NOW)).await.unwrap();
            assert_eq!(found.deliveries.len(), 2);
            let leases = found.deliveries.iter().map(|leased| (leased.id, leased.lease.token)).collect();
            store.release(leases).await.unwrap();
        })
        .await;
        self.each("webhooks with something due", 300, async |_| {
            assert_eq!(store.due_webhooks().await.unwrap().len(), 1);
        })
        .await;
        self.each("what is pending, counted", 300, async |_| {
            assert!(store.stats(now).await.unwrap().pending > 0);
        })
        .await;
    }

    async fn each(&self, name: &str, times: i64, verb: impl AsyncFn(i64)) {
        for n in 0..times / 10 {
            verb(n).await; // on every connection statements are prepared first
        }
        let before = self.now().await;
        for n in 0..times {
            verb(n).await;
        }
        let after = self.now().await;
        let times = times as f64;
        println!(
            "{name:42} {:8.0} µs {:8.2} ms",
            (after.0 - before.0) / times,
            (after.1 - before.1) / times
        );
    }

    async fn batches(&self) {
        for (batch, rounds) in [(1, 1_000), (32, 200), (256, 60)] {
            let mut appended = Vec::new();
            for settling in [false, true] {
                let before = self.now().await;
                for round in 0..rounds {
                    if settling {
                        let batch: Vec<_> = appended.split_off(appended.len() - batch);
                        self.store.settle(batch.into()).await.unwrap();
                        continue;
                    }
                    let events = (0..batch).map(|n| self.event(n + round)).collect();
                    let answers = self.store.append(events).await.unwrap();
                    for (answer, n) in answers.into_iter().zip(0..) {
                        appended.push(settlement(
                            answer.unwrap().event,
                            number(n + round),
                            LeaseToken(1),
                            Timestamp::from_millis(NOW),
                        ));
                    }
                }
                let after = self.now().await;
                let events = (batch * rounds) as f64;
                let name = format!("{} {batch}", if settling { "settle" } else { "append" });
                let ms = (after.1 - before.1) / rounds as f64;
                println!("{name:42} {:8.1} µs {ms:8.2} ms", (after.0 - before.0) / events);
            }
        }
    }

    /// A day at a time: by the verb of the store, and by taking its partitions away.
    async fn pruning(&self) {
        let vacuum = async || {
            self.once("  and the vacuum of it", async || self.admin.batch_execute("VACUUM").await.unwrap())
                .await;
        };
        let first = TODAY - DAYS + 1;
        for (day, limit) in [(first, 200), (first + 1, 1_000)] {
            let before = Timestamp::from_millis((day + 1) * DAY_MS);
            self.once(&format!("a day by the verb, {limit} at a time"), async || {
                while self.store.prune(self.environment, before, limit).await.unwrap().more {}
            })
            .await;
            self.once("  and a look for more", async || {
                assert_eq!(self.store.prune(self.environment, before, limit).await.unwrap().events, 0);
            })
            .await;
            vacuum().await;
        }
        if self.partitioned.is_empty() {
            return;
        }
        self.once("a day as a whole", async || self.drop_day(first + 2).await).await;
        vacuum().await;
    }

    async fn drop_day(&self, day: i64) {
        for (table, column) in TABLES {
            if self.partitioned.contains(&(table, column)) {
                self.admin.batch_execute(&format!("DROP TABLE {table}_{day}")).await.unwrap();
                continue;
            }
            let some = format!(
                "DELETE FROM {table} WHERE ({column}, ordinal) IN (SELECT {column}, ordinal FROM {table} WHERE {column} < $1 ORDER BY {column} LIMIT 1000)"
            );
            while self.admin.execute(&some, &[&first_id((day + 1) * DAY_MS)]).await.unwrap() > 0 {}
        }
    }

    async fn once(&self, name: &str, work: impl AsyncFn()) {
        let wal = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint";
        let (from, before) = (self.admin.query_one(wal, &[]).await.unwrap().get::<_, i64>(0), self.now().await);
        work().await;
        let (to, after) = (self.admin.query_one(wal, &[]).await.unwrap().get::<_, i64>(0), self.now().await);
        println!(
            "{name:42} {:8.0} ms of processor {:8.0} ms, {:6.1} MB of log",
            (after.0 - before.0) / 1_000.0,
            after.1 - before.1,
            (to - from) as f64 / 1e6
        );
    }

    /// The server's processor time in microseconds, and the time in milliseconds.
    async fn now(&self) -> (f64, f64) {
        (server_us(&self.admin).await, self.clock.monotonic_us() as f64 / 1_000.0)
    }

    fn event(&self, n: usize) -> NewEvent {
        NewEvent {
            environment: self.environment,
            routing_version: 1 + u64::from(WEBHOOKS),
            key: "frontegg.user.created".parse().unwrap(),
            tenant: Some("acme".parse().unwrap()),
            user: None,
            application: None,
            body: Bytes::from_static(&BODY),
            at: Timestamp::from_millis(NOW),
            idempotency: None,
            trigger: Trigger::Event,
            targets: vec![Target {
                webhook: number(n),
                start: Start::Leased(grant(NOW + 180_000)),
            }],
        }
    }
}

fn first_id(at: i64) -> i64 {
    at << 15
}

/// The same for all: nobody takes anything from another here.
fn grant(until: i64) -> LeaseGrant {
    LeaseGrant {
        token: LeaseToken(1),
        until: Timestamp::from_millis(until),
    }
}

fn number(n: usize) -> WebhookId {
    webhook_id(u16::try_from(n % usize::from(WEBHOOKS)).unwrap())
}
