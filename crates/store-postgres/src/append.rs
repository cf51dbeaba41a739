//! Appending events.
//!
//! Appends of all nodes take turns, and the numbers are given out in the database: so ids ascend in the order of the commits, and whoever sees an event
//! sees all with smaller ids. A turn is as long as a statement and a commit: everything is on its way to the server before it begins.

use bytes::Bytes;
use deadpool_postgres::Client;
use futures::join;
use tidings_model::{EventBody, EventId, EventKey, TenantId, WebhookId};
use tidings_store::codes::{CANCELLED, PENDING};
use tidings_store::{AppendRefusal, Appended, NewEvent, Start};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::fault::{Fault, Outcome};
use crate::group::Batch;
use crate::locks::{self, Turn};
use crate::pool::Held;
use crate::record::{Record, sql_code};

/// What an event takes of a commit besides its body.
const OVERHEAD: usize = 1_024;
/// And each of its deliveries.
const PER_TARGET: usize = 64;

/// Appends events. Their deliveries come by `of`, which counts the events from 1. `rank` counts those that are written; the id of each is the larger of
/// what its time gives and of one more than the last. Nothing is joined by its number: a plan that is made once expects few rows, and would compare each
/// with each.
const APPEND: &str = "-- append: events, deliveries and keys, whichever are not refused
    WITH judged AS (
        SELECT g.*, e.id AS short, e.routing_version = g.version AS is_current, k.event AS first_event, k.deliveries AS first_deliveries,
               k.fingerprint = g.fingerprint AS is_same, m.is_moved,
               e.routing_version = g.version AND k.event IS NULL AND NOT m.is_moved AS is_written
        FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::smallint[], $6::text[], $7::text[], $8::text[], $9::text[],
                    $10::bytea[], $11::bigint[], $12::integer[], $13::text[], $14::bytea[], $15::bigint[]) WITH ORDINALITY
             AS g(uuid, version, at, first_id, trigger, key, tenant, user_id, application, body, checksum, deliveries, idempotency_key, fingerprint,
                  expires_at, n)
        CROSS JOIN (SELECT EXISTS (SELECT 1 FROM moved WHERE role = 0 OR finished_at IS NULL) AS is_moved) m
        LEFT JOIN environments e ON e.uuid = g.uuid AND NOT e.deleted
        LEFT JOIN LATERAL (
            SELECT i.event, i.deliveries, i.fingerprint FROM idempotency i
            WHERE i.environment = e.id AND i.key = g.idempotency_key AND i.expires_at > g.at LIMIT 1
        ) k ON true
    ), ranked AS (
        SELECT *, count(*) FILTER (WHERE is_written) OVER (ORDER BY n) AS rank FROM judged
    ), numbered AS MATERIALIZED (
        SELECT *, CASE WHEN is_written THEN rank + greatest(
            (SELECT max(id) FROM events), (SELECT event FROM pruned), max(first_id - rank) FILTER (WHERE is_written) OVER (ORDER BY n)
        ) ELSE 0 END AS id
        FROM ranked
    ), new_events AS (
        INSERT INTO events (id, environment, trigger, deliveries, checksum, key, tenant, user_id, application, body)
        SELECT id, short, trigger, deliveries, checksum, key, tenant, user_id, application, body FROM numbered WHERE is_written
    ), new_deliveries AS (
        INSERT INTO deliveries (event, webhook, environment, created_at, due_at, lease_token, lease_until, ended_at, ordinal, attempts, trigger,
                                state, why)
        SELECT w.ids[d.of], d.webhook, w.shorts[d.of], w.ids[d.of] >> 15, d.due_at, d.lease_token, d.lease_until, d.ended_at, d.ordinal, 0,
               d.trigger, d.state, d.why
        FROM unnest($16::integer[], $17::integer[], $18::bigint[], $19::smallint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
                    $24::smallint[], $25::smallint[])
             AS d(of, ordinal, webhook, state, due_at, lease_token, lease_until, ended_at, why, trigger),
             (SELECT array_agg(id ORDER BY n) AS ids, array_agg(coalesce(short, 0) ORDER BY n) AS shorts FROM numbered) w
        WHERE w.ids[d.of] > 0
    ), new_keys AS (
        INSERT INTO idempotency (environment, key, event, deliveries, fingerprint, expires_at)
        SELECT short, idempotency_key, id, deliveries, fingerprint, expires_at FROM numbered WHERE is_written AND idempotency_key IS NOT NULL
        ON CONFLICT (environment, key) DO UPDATE
        SET event = excluded.event, deliveries = excluded.deliveries, fingerprint = excluded.fingerprint, expires_at = excluded.expires_at
    )
    SELECT id, short, is_current, is_moved, first_event, first_deliveries, is_same, deliveries FROM numbered ORDER BY n";

/// Appends of many callers.
pub(crate) enum Appending {}

impl Batch for Appending {
    type Ask = Vec<NewEvent>;
    type Answer = Vec<Result<Appended, AppendRefusal>>;
    const NAME: &'static str = "append";
    /// They take turns with those of other nodes anyway.
    const LANES: usize = 1;
    /// Bytes.
    const SIZE_MAX: usize = 4 * 1_024 * 1_024;

    fn size(events: &Vec<NewEvent>) -> usize {
        let size = |event: &NewEvent| event.body.len() + OVERHEAD + event.targets.len() * PER_TARGET;
        events.iter().map(size).sum()
    }

    async fn commit(held: &mut Held, asked: &[Vec<NewEvent>]) -> Outcome<Vec<Self::Answer>> {
        let events: Vec<&NewEvent> = asked.iter().flatten().collect();
        let mut answers = append(held.client(), &events).await?.into_iter();
        Ok(asked.iter().map(|events| answers.by_ref().take(events.len()).collect()).collect())
    }
}

async fn append(client: &Client, events: &[&NewEvent]) -> Outcome<Vec<Result<Appended, AppendRefusal>>> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let runs: Vec<_> = runs(events).into_iter().map(Columns::of).collect();
    let (take, append) = (client.prepare_cached(locks::TAKE).await?, client.prepare_cached(APPEND).await?);
    let lock = Turn::Road.lock();
    let turn: [&(dyn ToSql + Sync); 1] = [&lock];
    let parameters: Vec<_> = runs.iter().map(Columns::parameters).collect();
    let mut rows = Vec::with_capacity(events.len());
    if let [only] = &parameters[..] {
        // Polled in this order, so sent in this order: when one fails, the commit after it is a rollback.
        let (began, locked, appended, committed) = join!(
            client.batch_execute("BEGIN"),
            client.execute(&take, &turn),
            client.query(&append, &only[..]),
            client.batch_execute("COMMIT"),
        );
        began?;
        locked?;
        rows.extend(appended?);
        committed?;
    } else {
        client.batch_execute("BEGIN").await?;
        let mut done = client.execute(&take, &turn).await.map(|_| ());
        for run in &parameters {
            if done.is_ok() {
                done = client.query(&append, &run[..]).await.map(|appended| rows.extend(appended));
            }
        }
        client.batch_execute(if done.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
        done?;
    }
    rows.iter().map(answer).collect()
}

/// Parts of the events in each of which no idempotency key is there twice: a statement does not see what it writes.
fn runs<'a>(events: &'a [&'a NewEvent]) -> Vec<&'a [&'a NewEvent]> {
    let (mut runs, mut first, mut keys) = (Vec::new(), 0, std::collections::HashSet::new());
    for (place, event) in events.iter().enumerate() {
        let Some(promise) = &event.idempotency else { continue };
        if !keys.insert((event.environment, promise.key.as_str())) {
            runs.push(&events[first..place]);
            first = place;
            keys.clear();
            keys.insert((event.environment, promise.key.as_str()));
        }
    }
    runs.push(&events[first..]);
    runs
}

fn answer(row: &Row) -> Outcome<Result<Appended, AppendRefusal>> {
    let record = Record::new(row, "events", &["id"]);
    if record.get::<bool>("is_moved")? {
        return Err(Fault::Away(
            "it is being moved, or was moved elsewhere: nobody may serve it".to_owned(),
        ));
    }
    let deliveries = |column| record.convert(column, |count: i32| u32::try_from(count).ok());
    if record.get::<Option<i64>>("short")?.is_none() {
        return Ok(Err(AppendRefusal::NoEnvironment));
    }
    if let Some(first) = record.optional("first_event", EventId::from_raw)? {
        if !record.get::<bool>("is_same")? {
            return Ok(Err(AppendRefusal::KeyReused { event: first }));
        }
        return Ok(Ok(Appended {
            event: first,
            fresh: false,
            deliveries: deliveries("first_deliveries")?,
        }));
    }
    if !record.get::<bool>("is_current")? {
        return Ok(Err(AppendRefusal::StaleRouting));
    }
    Ok(Ok(Appended {
        event: record.convert("id", EventId::from_raw)?,
        fresh: true,
        deliveries: deliveries("deliveries")?,
    }))
}

/// Events as the arrays that the statement takes.
#[derive(Default)]
struct Columns<'a> {
    environments: Vec<Uuid>,
    versions: Vec<i64>,
    at: Vec<i64>,
    first_ids: Vec<i64>,
    triggers: Vec<i16>,
    keys: Vec<&'a str>,
    tenants: Vec<Option<&'a str>>,
    users: Vec<Option<&'a str>>,
    applications: Vec<Option<&'a str>>,
    bodies: Vec<&'a [u8]>,
    checksums: Vec<i64>,
    counts: Vec<i32>,
    idempotency_keys: Vec<Option<&'a str>>,
    fingerprints: Vec<Option<&'a [u8]>>,
    expiries: Vec<Option<i64>>,
    deliveries: Deliveries,
}

/// Their deliveries.
#[derive(Default)]
struct Deliveries {
    of: Vec<i32>,
    ordinals: Vec<i32>,
    webhooks: Vec<i64>,
    states: Vec<i16>,
    due_at: Vec<Option<i64>>,
    tokens: Vec<Option<i64>>,
    lease_ends: Vec<Option<i64>>,
    ended_at: Vec<Option<i64>>,
    why: Vec<Option<i16>>,
    triggers: Vec<i16>,
}

impl<'a> Columns<'a> {
    fn of(events: &[&'a NewEvent]) -> Self {
        let mut columns = Self::default();
        for (event, number) in events.iter().zip(1..) {
            columns.add(event, number);
        }
        columns
    }

    fn add(&mut self, event: &'a NewEvent, number: i32) {
        self.environments.push(*event.environment.as_uuid());
        self.versions.push(i64::try_from(event.routing_version).unwrap_or(i64::MAX));
        self.at.push(event.at.as_millis());
        self.first_ids.push(EventId::new(event.at, 0).raw());
        self.triggers.push(sql_code(event.trigger));
        self.keys.push(EventKey::as_str(&event.key));
        self.tenants.push(event.tenant.as_ref().map(TenantId::as_str));
        self.users.push(event.user.as_deref());
        self.applications.push(event.application.as_deref());
        self.bodies.push(&event.body);
        self.checksums.push(checksum(&event.body));
        self.counts.push(i32::try_from(event.targets.len()).unwrap_or(i32::MAX));
        let promise = event.idempotency.as_ref();
        self.idempotency_keys.push(promise.map(|promise| promise.key.as_str()));
        self.fingerprints.push(promise.map(|promise| &promise.fingerprint[..]));
        self.expiries.push(promise.map(|promise| promise.expires_at.as_millis()));
        let rows = &mut self.deliveries;
        for (target, ordinal) in event.targets.iter().zip(0..) {
            let (lease, skipped) = match target.start {
                Start::Leased(lease) => (Some(lease), None),
                Start::Due => (None, None),
                Start::Skipped(why) => (None, Some(why)),
            };
            let at = Some(event.at.as_millis());
            rows.of.push(number);
            rows.ordinals.push(ordinal);
            rows.webhooks.push(WebhookId::raw(target.webhook));
            rows.states.push(if skipped.is_some() { CANCELLED as i16 } else { PENDING as i16 });
            rows.due_at.push(at.filter(|_| skipped.is_none()));
            rows.tokens.push(lease.map(|lease| lease.token.0));
            rows.lease_ends.push(lease.map(|lease| lease.until.as_millis()));
            rows.ended_at.push(at.filter(|_| skipped.is_some()));
            rows.why.push(skipped.map(sql_code));
            rows.triggers.push(sql_code(event.trigger));
        }
    }

    fn parameters(&self) -> [&(dyn ToSql + Sync); 25] {
        let rows = &self.deliveries;
        [
            &self.environments,
            &self.versions,
            &self.at,
            &self.first_ids,
            &self.triggers,
            &self.keys,
            &self.tenants,
            &self.users,
            &self.applications,
            &self.bodies,
            &self.checksums,
            &self.counts,
            &self.idempotency_keys,
            &self.fingerprints,
            &self.expiries,
            &rows.of,
            &rows.ordinals,
            &rows.webhooks,
            &rows.states,
            &rows.due_at,
            &rows.tokens,
            &rows.lease_ends,
            &rows.ended_at,
            &rows.why,
            &rows.triggers,
        ]
    }
}

/// CRC-32 (IEEE) of a body, as its column has it.
pub(crate) fn checksum(body: &[u8]) -> i64 {
    crc32fast::hash(body).into()
}

/// Reads the columns `body` and `checksum`.
pub(crate) fn body(record: &Record<'_>) -> Outcome<EventBody> {
    let bytes: &[u8] = record.get("body")?;
    Ok(if checksum(bytes) == record.get::<i64>("checksum")? {
        EventBody::Whole(Bytes::copy_from_slice(bytes))
    } else {
        EventBody::Altered
    })
}
