//! Leases, and what people and the engine do to deliveries that wait.

use rusqlite::{Connection, params};
use tidings_model::{
    CancelReason, Delivery, DeliveryId, DeliveryState, EnvironmentId, EventId, EventKey, TenantId, Timestamp, Trigger, WebhookId,
};
use tidings_store::{DueBatch, DueWebhook, LeaseGrant, LeaseToken, LeasedDelivery, ResendError};

use crate::codes::{CANCELLED, Code};
use crate::environments;
use crate::fault::{Outcome, exactly_one};
use crate::record::{Record, sql_count};
use crate::writer::WriteTx;

/// Ends every lease, when the process that held them cannot be alive any more. They are as many as an engine has in memory, at most.
pub(crate) fn end_all(connection: &Connection) -> rusqlite::Result<usize> {
    connection.execute(
        "-- lease::end_all: what the last process had in its hands
         UPDATE deliveries INDEXED BY deliveries_leased SET lease_token = NULL, lease_until = NULL WHERE lease_token IS NOT NULL",
        [],
    )
}

/// Leases what a webhook has due, oldest due first.
pub(crate) fn lease_due(tx: &WriteTx<'_>, webhook: WebhookId, at: Timestamp, want: usize, grant: LeaseGrant) -> Outcome<DueBatch> {
    let deliveries = due(tx.connection, webhook, at, want, grant)?;
    for delivery in &deliveries {
        let rows = tx
            .connection
            .prepare_cached(
                "-- lease::lease_due: into the caller's hands
                 UPDATE deliveries SET lease_token = ?3, lease_until = ?4 WHERE event = ?1 AND ordinal = ?2 AND state = 0",
            )?
            .execute(params![
                delivery.id.event.raw(),
                delivery.id.ordinal,
                grant.token.0,
                grant.until.as_millis()
            ])?;
        exactly_one(rows, "deliveries", delivery.id)?;
    }
    Ok(DueBatch {
        deliveries,
        next_due: next_due(tx.connection, webhook)?,
    })
}

/// What is due and in nobody's hands, or in hands that lost it, with what a sender needs.
fn due(connection: &Connection, webhook: WebhookId, at: Timestamp, want: usize, grant: LeaseGrant) -> Outcome<Vec<LeasedDelivery>> {
    connection
        .prepare_cached(
            "-- lease::due: what waits, and whose lease has ended
             WITH free (event, ordinal, due_at) AS (
                 SELECT * FROM (
                     SELECT event, ordinal, due_at FROM deliveries INDEXED BY deliveries_waiting
                     WHERE webhook = ?1 AND state = 0 AND lease_token IS NULL AND due_at <= ?2
                     ORDER BY due_at, event, ordinal LIMIT ?3)
                 UNION ALL
                 SELECT event, ordinal, due_at FROM deliveries INDEXED BY deliveries_leased
                 WHERE webhook = ?1 AND lease_token IS NOT NULL AND max(due_at, lease_until) <= ?2)
             SELECT f.event, f.ordinal, f.due_at, d.trigger, d.attempts, n.uuid AS environment, e.body
             FROM free f
             CROSS JOIN deliveries d ON d.event = f.event AND d.ordinal = f.ordinal
             CROSS JOIN events e ON e.id = f.event
             CROSS JOIN environments n ON n.id = e.environment
             ORDER BY f.due_at, f.event, f.ordinal LIMIT ?3",
        )?
        .query_and_then(params![webhook.raw(), at.as_millis(), sql_count(want)], |row| {
            let record = Record::new(row, "deliveries", &["event", "ordinal"]);
            Ok(LeasedDelivery {
                id: delivery_id(&record)?,
                environment: environments::uuid(&record, "environment")?,
                webhook,
                trigger: record.code("trigger")?,
                attempts: record.get("attempts")?,
                due_at: record.time("due_at")?,
                body: record.get::<Vec<u8>>("body")?.into(),
                lease: grant,
            })
        })?
        .collect()
}

/// When a webhook next has something to lease.
fn next_due(connection: &Connection, webhook: WebhookId) -> Outcome<Option<Timestamp>> {
    connection
        .prepare_cached(
            "-- lease::next_due: the first that waits, or the first lease that ends
             SELECT ?1 AS webhook,
                    (SELECT due_at FROM deliveries INDEXED BY deliveries_waiting
                     WHERE webhook = ?1 AND state = 0 AND lease_token IS NULL
                     ORDER BY due_at LIMIT 1) AS waiting,
                    (SELECT max(due_at, lease_until) FROM deliveries INDEXED BY deliveries_leased
                     WHERE webhook = ?1 AND lease_token IS NOT NULL
                     ORDER BY max(due_at, lease_until) LIMIT 1) AS leased",
        )?
        .query_and_then([webhook.raw()], |row| earliest(&Record::new(row, "deliveries", &["webhook"])))?
        .next()
        .transpose()
        .map(Option::flatten)
}

/// Every webhook that has pending deliveries.
pub(crate) fn due_webhooks(connection: &Connection) -> Outcome<Vec<DueWebhook>> {
    let found = connection
        .prepare_cached(
            "-- lease::due_webhooks: two lookups for each webhook, however many deliveries it has
             SELECT w.id AS webhook, n.uuid AS environment, w.deleted_at, w.disabled_at,
                    (SELECT due_at FROM deliveries INDEXED BY deliveries_waiting
                     WHERE webhook = w.id AND state = 0 AND lease_token IS NULL
                     ORDER BY due_at LIMIT 1) AS waiting,
                    (SELECT max(due_at, lease_until) FROM deliveries INDEXED BY deliveries_leased
                     WHERE webhook = w.id AND lease_token IS NOT NULL
                     ORDER BY max(due_at, lease_until) LIMIT 1) AS leased
             FROM webhooks w JOIN environments n ON n.id = w.environment
             ORDER BY w.id",
        )?
        .query_and_then([], |row| {
            let record = Record::new(row, "webhooks", &["webhook"]);
            let Some(next_due) = earliest(&record)? else {
                return Ok(None);
            };
            let deleted = record.optional_time("deleted_at")?.map(|_| CancelReason::WebhookDeleted);
            let disabled = record.optional_time("disabled_at")?.map(|_| CancelReason::WebhookDisabled);
            Ok(Some(DueWebhook {
                webhook: record.convert("webhook", WebhookId::from_raw)?,
                environment: environments::uuid(&record, "environment")?,
                next_due,
                cancelled: deleted.or(disabled),
            }))
        })?
        .filter_map(Result::transpose)
        .collect::<Outcome<_>>()?;
    Ok(found)
}

/// Gives leases back unused.
pub(crate) fn release(tx: &WriteTx<'_>, leases: &[(DeliveryId, LeaseToken)]) -> Outcome<()> {
    for (id, token) in leases {
        tx.connection
            .prepare_cached(
                "-- lease::release: only what the caller still has
                 UPDATE deliveries SET lease_token = NULL, lease_until = NULL WHERE event = ?1 AND ordinal = ?2 AND lease_token = ?3",
            )?
            .execute(params![id.event.raw(), id.ordinal, token.0])?;
    }
    Ok(())
}

/// Cancels what a webhook has pending and nobody has in hand, oldest due first.
pub(crate) fn cancel_pending(tx: &WriteTx<'_>, webhook: WebhookId, why: CancelReason, at: Timestamp, limit: usize) -> Outcome<usize> {
    let free = tx
        .connection
        .prepare_cached(
            "-- lease::cancel_pending: what waits, and whose lease has ended
             SELECT event, ordinal, due_at FROM (
                 SELECT event, ordinal, due_at FROM deliveries INDEXED BY deliveries_waiting
                 WHERE webhook = ?1 AND state = 0 AND lease_token IS NULL
                 ORDER BY due_at, event, ordinal LIMIT ?3)
             UNION ALL
             SELECT event, ordinal, due_at FROM deliveries INDEXED BY deliveries_leased
             WHERE webhook = ?1 AND lease_token IS NOT NULL AND lease_until <= ?2
             ORDER BY due_at, event, ordinal LIMIT ?3",
        )?
        .query_and_then(params![webhook.raw(), at.as_millis(), sql_count(limit)], |row| {
            delivery_id(&Record::new(row, "deliveries", &["event", "ordinal"]))
        })?
        .collect::<Outcome<Vec<_>>>()?;
    for id in &free {
        let rows = tx
            .connection
            .prepare_cached(
                "-- lease::cancel_pending: one of them
                 UPDATE deliveries SET state = ?3, ended_at = ?4, why = ?5, due_at = NULL, lease_token = NULL, lease_until = NULL
                 WHERE event = ?1 AND ordinal = ?2 AND state = 0",
            )?
            .execute(params![id.event.raw(), id.ordinal, CANCELLED, at.as_millis(), why.code()])?;
        exactly_one(rows, "deliveries", id)?;
    }
    Ok(free.len())
}

/// What a resend has to know of the delivery that it repeats.
struct Original {
    webhook: WebhookId,
    disabled: bool,
    deleted: bool,
    event_key: EventKey,
    tenant: Option<TenantId>,
    next_ordinal: u32,
}

/// Makes a new delivery of the same event to the same webhook.
pub(crate) fn resend(
    tx: &WriteTx<'_>,
    environment: EnvironmentId,
    id: DeliveryId,
    at: Timestamp,
) -> Outcome<Result<Delivery, ResendError>> {
    let original = match original(tx.connection, environment, id)? {
        None => return Ok(Err(ResendError::NotFound)),
        Some(original) if original.deleted => return Ok(Err(ResendError::WebhookDeleted)),
        Some(original) if original.disabled => return Ok(Err(ResendError::WebhookDisabled)),
        Some(original) => original,
    };
    let new = Delivery {
        id: DeliveryId {
            event: id.event,
            ordinal: original.next_ordinal,
        },
        environment,
        webhook: original.webhook,
        trigger: Trigger::Resend,
        event_key: original.event_key,
        tenant: original.tenant,
        state: DeliveryState::Pending { next_attempt_at: at },
        attempts: 0,
        last_status: None,
        leased: false,
        created_at: at,
    };
    tx.connection
        .prepare_cached(
            "-- lease::resend: the new delivery
             INSERT INTO deliveries (event, ordinal, webhook, trigger, state, due_at, attempts, created_at, environment)
             VALUES (?1, ?2, ?3, ?4, 0, ?5, 0, ?5, (SELECT environment FROM events WHERE id = ?1))",
        )?
        .execute(params![
            new.id.event.raw(),
            new.id.ordinal,
            new.webhook.raw(),
            new.trigger.code(),
            at.as_millis()
        ])?;
    Ok(Ok(new))
}

fn original(connection: &Connection, environment: EnvironmentId, id: DeliveryId) -> Outcome<Option<Original>> {
    let Some(environment) = environments::logged_id(connection, environment)? else {
        return Ok(None);
    };
    connection
        .prepare_cached(
            "-- lease::original: with its event and its webhook
             SELECT d.event, d.ordinal, d.webhook, w.disabled_at, w.deleted_at, e.key, e.tenant,
                    (SELECT max(ordinal) + 1 FROM deliveries WHERE event = d.event) AS next_ordinal
             FROM deliveries d JOIN events e ON e.id = d.event JOIN webhooks w ON w.id = d.webhook
             WHERE d.event = ?1 AND d.ordinal = ?2 AND e.environment = ?3",
        )?
        .query_and_then(params![id.event.raw(), id.ordinal, environment], |row| {
            let record = Record::new(row, "deliveries", &["event", "ordinal"]);
            Ok(Original {
                webhook: record.convert("webhook", WebhookId::from_raw)?,
                disabled: record.optional_time("disabled_at")?.is_some(),
                deleted: record.optional_time("deleted_at")?.is_some(),
                event_key: record.parse("key")?,
                tenant: record.optional_parse("tenant")?,
                next_ordinal: record.get("next_ordinal")?,
            })
        })?
        .next()
        .transpose()
}

/// The id of a delivery, from its two columns.
pub(crate) fn delivery_id(record: &Record<'_, '_>) -> Outcome<DeliveryId> {
    Ok(DeliveryId {
        event: record.convert("event", EventId::from_raw)?,
        ordinal: record.get("ordinal")?,
    })
}

fn earliest(record: &Record<'_, '_>) -> Outcome<Option<Timestamp>> {
    let (waiting, leased) = (record.optional_time("waiting")?, record.optional_time("leased")?);
    Ok(waiting.into_iter().chain(leased).min())
}
