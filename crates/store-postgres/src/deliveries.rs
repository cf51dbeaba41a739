//! Reading deliveries, and sending one again.
//!
//! Every list walks one index from its newest end and stops when the page is full; that of a tenant's webhooks walks one for each of them.

use deadpool_postgres::{Client, GenericClient, Transaction};
use tidings_model::delivery::StatusFilter;
use tidings_model::{CancelReason, Delivery, DeliveryId, DeliveryState, EnvironmentId, EventBody, Timestamp};
use tidings_store::codes::{CANCELLED, DELIVERED, EXHAUSTED, PENDING};
use tidings_store::{DeliveryDetail, DeliveryFilter, Page, ResendError};
use tokio_postgres::Row;

use crate::fault::Outcome;
use crate::record::{self, Record, run, sql_count, sql_ordinal};
use crate::search::Search;
use crate::{append, attempts, environments, events};

/// What [`delivery`] reads.
const COLUMNS: &str = "d.event, d.ordinal, d.webhook, d.trigger, d.state, d.due_at, d.lease_until, d.attempts, d.last_status, d.ended_at, d.why, \
    d.created_at, e.key, e.tenant";

/// One delivery with its event and attempts.
pub(crate) async fn one(
    db: &impl GenericClient,
    environment: EnvironmentId,
    id: DeliveryId,
    at: Timestamp,
) -> Outcome<Option<DeliveryDetail>> {
    let found = record::row(
        db,
        &format!(
            "-- deliveries::one: only in its environment
             SELECT {COLUMNS} FROM deliveries d JOIN events e ON e.id = d.event JOIN environments n ON n.id = e.environment
             WHERE d.event = $1 AND d.ordinal = $2 AND n.uuid = $3"
        ),
        &[&id.event.raw(), &sql_ordinal(id.ordinal), environment.as_uuid()],
    )
    .await?;
    let Some(row) = found else { return Ok(None) };
    let delivery = delivery(&row, environment, at)?;
    let Some(event) = events::one(db, environment, id.event).await? else {
        return Ok(None);
    };
    Ok(Some(DeliveryDetail {
        delivery,
        event,
        attempts: attempts::of(db, id).await?,
    }))
}

/// Deliveries, newest first.
pub(crate) async fn list(client: &Client, filter: &DeliveryFilter, page: Page<DeliveryId>, at: Timestamp) -> Outcome<Vec<Delivery>> {
    let Some(short) = environments::logged_id(client, filter.environment).await? else {
        return Ok(Vec::new());
    };
    let mut search = Search::default();
    narrow(&mut search, filter, short, page.before);
    let limit = search.number(sql_count(page.limit));
    let skip = search.number(sql_count(page.skip));
    let most = search.number(sql_count(page.skip.saturating_add(page.limit)));
    let found = found(
        &mut search,
        filter,
        short,
        COLUMNS,
        &format!("ORDER BY d.event DESC, d.ordinal DESC LIMIT {most}"),
    );
    let sql = format!(
        "-- deliveries::list: newest first
         SELECT * FROM ({found}) d ORDER BY event DESC, ordinal DESC LIMIT {limit} OFFSET {skip}"
    );
    let found = search.run(client, &sql).await?;
    found.iter().map(|row| delivery(row, filter.environment, at)).collect()
}

/// How many they are, up to a cap.
pub(crate) async fn count(client: &Client, filter: &DeliveryFilter, cap: usize) -> Outcome<usize> {
    let Some(short) = environments::logged_id(client, filter.environment).await? else {
        return Ok(0);
    };
    let mut search = Search::default();
    narrow(&mut search, filter, short, None);
    let cap = search.number(sql_count(cap));
    let found = found(&mut search, filter, short, "d.event", &format!("LIMIT {cap}"));
    let sql = format!(
        "-- deliveries::count: up to a cap
         SELECT count(*) FROM (SELECT 1 FROM ({found}) d LIMIT {cap}) c"
    );
    let counted = search.run(client, &sql).await?;
    let counted = counted.first().map(|row| row.try_get::<_, i64>(0)).transpose()?;
    Ok(counted.and_then(|count| usize::try_from(count).ok()).unwrap_or(0))
}

/// The deliveries that a filter admits, of which each walk gives no more than `part` says.
fn found(search: &mut Search, filter: &DeliveryFilter, environment: i64, columns: &str, part: &str) -> String {
    let conditions = search.conditions();
    let of = |and: &str| format!("SELECT {columns} FROM deliveries d JOIN events e ON e.id = d.event WHERE {conditions}{and} {part}");
    let Some(owner) = &filter.owner else { return of("") };
    let owner = search.text(owner.as_str());
    let environment = search.number(environment);
    let owned = format!("SELECT id FROM webhooks WHERE environment = {environment} AND tenant = {owner}");
    match filter.webhook {
        Some(_) => of(&format!(" AND d.webhook IN ({owned})")),
        None => format!("SELECT d.* FROM ({owned}) w CROSS JOIN LATERAL ({}) d", of(" AND d.webhook = w.id")),
    }
}

fn narrow(search: &mut Search, filter: &DeliveryFilter, environment: i64, before: Option<DeliveryId>) {
    let environment = search.number(environment);
    search.only(format!("d.environment = {environment} AND e.environment = {environment}"));
    if let Some(webhook) = filter.webhook {
        let webhook = search.number(webhook.raw());
        search.only(format!("d.webhook = {webhook}"));
    }
    if let Some(event) = filter.event {
        let event = search.number(event.raw());
        search.only(format!("d.event = {event}"));
    }
    // Written out, so that the planner sees which of the partial indexes has them.
    match filter.status {
        None => {}
        Some(StatusFilter::Pending) => search.only(format!("d.state = {PENDING}")),
        Some(StatusFilter::Retrying) => search.only(format!("d.state = {PENDING} AND d.attempts > 0")),
        Some(StatusFilter::Delivered) => search.only(format!("d.state = {DELIVERED}")),
        Some(StatusFilter::Exhausted) => search.only(format!("d.state = {EXHAUSTED}")),
        Some(StatusFilter::Cancelled) => search.only(format!("d.state = {CANCELLED}")),
    }
    if filter.attempted {
        search.only("d.attempts > 0");
    }
    if let Some(key) = &filter.event_key {
        let key = search.text(key.as_str());
        search.only(format!("e.key = {key}"));
    }
    if let Some(tenant) = &filter.tenant {
        let tenant = search.text(tenant.as_str());
        search.only(format!("e.tenant = {tenant}"));
    }
    // Of both, as the planner does not see that what holds of the one holds of the other.
    search.only_between("d.event", filter.from, filter.until);
    search.only_between("e.id", filter.from, filter.until);
    if let Some(before) = before {
        let event = search.number(before.event.raw());
        let ordinal = search.parameter(sql_ordinal(before.ordinal), tokio_postgres::types::Type::INT4);
        search.only(format!("(d.event, d.ordinal) < ({event}, {ordinal}) AND e.id <= {event}"));
    }
}

/// Makes a new delivery of the same event to the same webhook.
pub(crate) async fn resend(
    db: &Transaction<'_>,
    environment: EnvironmentId,
    id: DeliveryId,
    at: Timestamp,
) -> Outcome<Result<Delivery, ResendError>> {
    let event = record::row(
        db,
        "-- deliveries::resend: the event stays, and gets no other delivery meanwhile
         SELECT e.id, e.environment, e.body, e.checksum FROM events e JOIN environments n ON n.id = e.environment WHERE e.id = $1 AND n.uuid = $2 FOR UPDATE OF e",
        &[&id.event.raw(), environment.as_uuid()],
    )
    .await?;
    let Some(event) = event else {
        return Ok(Err(ResendError::NotFound));
    };
    let event = Record::new(&event, "events", &["id"]);
    let found = record::row(
        db,
        "-- deliveries::resend: where it goes, and whether that is there
         SELECT d.event, d.ordinal, d.webhook, w.id IS NOT NULL AND w.deleted_at IS NULL AS is_there, w.disabled_at IS NOT NULL AS is_disabled,
                (SELECT max(ordinal) FROM deliveries WHERE event = $1) AS last
         FROM deliveries d LEFT JOIN webhooks w ON w.id = d.webhook WHERE d.event = $1 AND d.ordinal = $2",
        &[&id.event.raw(), &sql_ordinal(id.ordinal)],
    )
    .await?;
    let Some(found) = found else {
        return Ok(Err(ResendError::NotFound));
    };
    let record = Record::new(&found, "deliveries", &["event", "ordinal"]);
    match (record.get("is_there")?, record.get("is_disabled")?) {
        (false, _) => return Ok(Err(ResendError::WebhookDeleted)),
        (true, true) => return Ok(Err(ResendError::WebhookDisabled)),
        (true, false) => {}
    }
    if append::body(&event)? == EventBody::Altered {
        return Ok(Err(ResendError::BodyAltered));
    }
    let ordinal = record.get::<i32>("last")? + 1;
    run(
        db,
        "-- deliveries::resend: the new delivery
         INSERT INTO deliveries (event, ordinal, webhook, environment, created_at, due_at, attempts, trigger, state)
         VALUES ($1, $2, $3, $4, $5, $5, 0, 1, 0)",
        &[
            &id.event.raw(),
            &ordinal,
            &record.get::<i64>("webhook")?,
            &event.get::<i64>("environment")?,
            &at.as_millis(),
        ],
    )
    .await?;
    let new = DeliveryId {
        event: id.event,
        ordinal: ordinal.unsigned_abs(),
    };
    let made = record::row(
        db,
        &format!(
            "-- deliveries::resend: as it is shown
             SELECT {COLUMNS} FROM deliveries d JOIN events e ON e.id = d.event WHERE d.event = $1 AND d.ordinal = $2"
        ),
        &[&new.event.raw(), &ordinal],
    )
    .await?;
    match made {
        Some(row) => delivery(&row, environment, at).map(Ok),
        None => Ok(Err(ResendError::NotFound)),
    }
}

/// A delivery as the log shows it.
fn delivery(row: &Row, environment: EnvironmentId, at: Timestamp) -> Outcome<Delivery> {
    let record = Record::new(row, "deliveries", &["event", "ordinal"]);
    let lease_until = record.optional_time("lease_until")?;
    Ok(Delivery {
        id: record.delivery_id()?,
        environment,
        webhook: record.convert("webhook", tidings_model::WebhookId::from_raw)?,
        trigger: record.code("trigger")?,
        event_key: record.parse("key")?,
        tenant: record.optional_parse("tenant")?,
        state: state(&record)?,
        attempts: record.small("attempts")?,
        last_status: record.optional_small("last_status")?,
        leased: lease_until.is_some_and(|until| at < until),
        created_at: record.time("created_at")?,
    })
}

/// What became of a delivery, by its row.
pub(crate) fn state(record: &Record<'_>) -> Outcome<DeliveryState> {
    let (due_at, ended_at) = (record.optional_time("due_at")?, record.optional_time("ended_at")?);
    let why = record.optional_code::<CancelReason>("why")?;
    match (i64::from(record.get::<i16>("state")?), due_at, ended_at, why) {
        (PENDING, Some(next_attempt_at), None, None) => Ok(DeliveryState::Pending { next_attempt_at }),
        (DELIVERED, None, Some(at), None) => Ok(DeliveryState::Delivered { at }),
        (EXHAUSTED, None, Some(at), None) => Ok(DeliveryState::Exhausted { at }),
        (CANCELLED, None, Some(at), Some(why)) => Ok(DeliveryState::Cancelled { at, why }),
        _ => Err(record.damaged("state", "does not go with its times or its reason")),
    }
}
