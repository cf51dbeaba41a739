//! Leases, and what people and the engine do to deliveries that wait.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};
use tidings_model::{CancelReason, Delivery, DeliveryId, DeliveryState, EnvironmentId, EventBody, EventId, Timestamp, Trigger, WebhookId};
use tidings_store::{DueBatch, DueWebhook, LeaseGrant, LeaseToken, LeasedDelivery, NodeNumber, ResendError};

use crate::codes::{CANCELLED, Code};
use crate::fault::{Outcome, exactly_one};
use crate::fresh::{FreshView, Held};
use crate::record::{Record, sql_count};
use crate::rows::{NewRow, RowState};
use crate::writer::WriteTx;
use crate::{assemble, body, environments, rows};

/// Gives a row to what has been in hand for long.
pub(crate) fn keep_up(tx: &mut WriteTx<'_>) -> Outcome<()> {
    for (id, held) in tx.memory.fresh.late() {
        give_row(tx, id, &held)?;
    }
    Ok(())
}

/// Gives a row to what was leased with its append by a lease that has ended, so that it is found like everything else.
fn take_back_ended(tx: &mut WriteTx<'_>, at: Timestamp) -> Outcome<()> {
    for (id, held) in tx.memory.fresh.ended(at) {
        give_row(tx, id, &held)?;
    }
    Ok(())
}

fn give_row(tx: &mut WriteTx<'_>, id: DeliveryId, held: &Held) -> Outcome<()> {
    let state = RowState::waiting(held.due_at).leased(held.grant);
    rows::insert(tx.connection, &NewRow::of_fresh(id, held, state))?;
    tx.memory.fresh.remove(held.webhook, id);
    Ok(())
}

/// Leases what a webhook has due, oldest due first.
pub(crate) fn lease_due(tx: &mut WriteTx<'_>, webhook: WebhookId, at: Timestamp, want: usize, grant: LeaseGrant) -> Outcome<DueBatch> {
    take_back_ended(tx, at)?;
    let (deliveries, altered) = due(tx.connection, webhook, at, want, grant)?;
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
    // What was accepted is sent, or nothing is.
    for delivery in altered {
        cancel(tx.connection, delivery, CancelReason::BodyAltered, at)?;
        tracing::error!(%delivery, "cancelled: the disk altered the body of the event; the file is damaged, restore a backup");
    }
    let in_hand = tx.memory.fresh.of(webhook).iter().map(|(_, held)| held.free_at()).min();
    Ok(DueBatch {
        deliveries,
        next_due: next_due(tx.connection, webhook)?.into_iter().chain(in_hand).min(),
    })
}

/// What is due and in nobody's hands, or in hands that lost it, with what a sender needs; and those whose body was altered.
fn due(
    connection: &Connection,
    webhook: WebhookId,
    at: Timestamp,
    want: usize,
    grant: LeaseGrant,
) -> Outcome<(Vec<LeasedDelivery>, Vec<DeliveryId>)> {
    let mut altered = Vec::new();
    let whole = connection
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
             SELECT f.event, f.ordinal, f.due_at, d.trigger, d.attempts, n.uuid AS environment, b.body, b.checksum
             FROM free f
             CROSS JOIN deliveries d ON d.event = f.event AND d.ordinal = f.ordinal
             CROSS JOIN bodies b ON b.event = f.event
             CROSS JOIN environments n ON n.id = d.environment
             ORDER BY f.due_at, f.event, f.ordinal LIMIT ?3",
        )?
        .query_and_then(params![webhook.raw(), at.as_millis(), sql_count(want)], |row| {
            let record = Record::new(row, "deliveries", &["event", "ordinal"]);
            let id = delivery_id(&record)?;
            let EventBody::Whole(body) = body::read(&record)? else {
                altered.push(id);
                return Ok(None);
            };
            Ok(Some(LeasedDelivery {
                id,
                environment: environments::uuid(&record, "environment")?,
                webhook,
                trigger: record.code("trigger")?,
                attempts: record.get("attempts")?,
                due_at: record.time("due_at")?,
                body,
                lease: grant,
            }))
        })?
        .filter_map(Result::transpose)
        .collect::<Outcome<_>>()?;
    Ok((whole, altered))
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
pub(crate) fn due_webhooks(connection: &Connection, fresh: &FreshView) -> Outcome<Vec<DueWebhook>> {
    let mut in_hand: HashMap<WebhookId, Timestamp> = HashMap::new();
    for (_, held) in fresh.list(None) {
        let free_at = in_hand.entry(held.webhook).or_insert_with(|| held.free_at());
        *free_at = held.free_at().min(*free_at);
    }
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
            let webhook = record.convert("webhook", WebhookId::from_raw)?;
            let Some(next_due) = earliest(&record)?.into_iter().chain(in_hand.get(&webhook).copied()).min() else {
                return Ok(None);
            };
            let deleted = record.optional_time("deleted_at")?.map(|_| CancelReason::WebhookDeleted);
            let disabled = record.optional_time("disabled_at")?.map(|_| CancelReason::WebhookDisabled);
            Ok(Some(DueWebhook {
                webhook,
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
pub(crate) fn release(tx: &mut WriteTx<'_>, leases: &[(DeliveryId, LeaseToken)]) -> Outcome<()> {
    for (id, token) in leases {
        if let Some(held) = fresh_under(tx, *id, *token)? {
            rows::insert(tx.connection, &NewRow::of_fresh(*id, &held, RowState::waiting(held.due_at)))?;
            tx.memory.fresh.remove(held.webhook, *id);
            continue;
        }
        tx.connection
            .prepare_cached(
                "-- lease::release: only what the caller still has
                 UPDATE deliveries SET lease_token = NULL, lease_until = NULL WHERE event = ?1 AND ordinal = ?2 AND lease_token = ?3",
            )?
            .execute(params![id.event.raw(), id.ordinal, token.0])?;
    }
    Ok(())
}

/// Ends the leases of nodes that are not among those.
pub(crate) fn end_lost(tx: &mut WriteTx<'_>, alive: &HashSet<NodeNumber>) -> Outcome<usize> {
    let lost = |token: LeaseToken| token.node().0 != 0 && !alive.contains(&token.node());
    let mut ended = 0;
    for (id, held) in tx.memory.fresh.all() {
        if lost(held.grant.token) {
            rows::insert(tx.connection, &NewRow::of_fresh(id, &held, RowState::waiting(held.due_at)))?;
            tx.memory.fresh.remove(held.webhook, id);
            ended += 1;
        }
    }
    let leased = tx
        .connection
        .prepare_cached(
            "-- lease::end_lost: everything that is leased
             SELECT event, ordinal, lease_token FROM deliveries INDEXED BY deliveries_leased WHERE lease_token IS NOT NULL",
        )?
        .query_and_then([], |row| {
            let record = Record::new(row, "deliveries", &["event", "ordinal"]);
            Outcome::Ok((delivery_id(&record)?, LeaseToken(record.get("lease_token")?)))
        })?
        .collect::<Outcome<Vec<_>>>()?;
    let leases: Vec<_> = leased.into_iter().filter(|(_, token)| lost(*token)).collect();
    release(tx, &leases)?;
    Ok(ended + leases.len())
}

fn fresh_under(tx: &WriteTx<'_>, id: DeliveryId, token: LeaseToken) -> Outcome<Option<Held>> {
    let head = assemble::head(tx.connection, id.event.raw())?;
    let target = head.as_ref().and_then(|head| head.targets.get(id.ordinal as usize));
    let webhook = target.copied().and_then(WebhookId::from_raw);
    let held = webhook.and_then(|webhook| tx.memory.fresh.get(webhook, id));
    Ok(held.filter(|held| held.grant.token == token))
}

/// Cancels what a webhook that is off has pending and nobody has in hand, oldest due first.
pub(crate) fn cancel_pending(tx: &mut WriteTx<'_>, webhook: WebhookId, at: Timestamp, limit: usize) -> Outcome<usize> {
    let Some(why) = why_off(tx.connection, webhook)? else {
        return Ok(0);
    };
    take_back_ended(tx, at)?;
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
        cancel(tx.connection, *id, why, at)?;
    }
    Ok(free.len())
}

/// Why a webhook takes nothing now; `None` when it is active.
fn why_off(connection: &Connection, webhook: WebhookId) -> Outcome<Option<CancelReason>> {
    let found = connection
        .prepare_cached(
            "-- lease::why_off: what is not there was deleted
             SELECT deleted_at, disabled_at FROM webhooks WHERE id = ?1",
        )?
        .query_row([webhook.raw()], |row| {
            Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?))
        })
        .optional()?;
    Ok(match found {
        None | Some((Some(_), _)) => Some(CancelReason::WebhookDeleted),
        Some((None, Some(_))) => Some(CancelReason::WebhookDisabled),
        Some((None, None)) => None,
    })
}

/// Cancels a delivery that is pending.
fn cancel(connection: &Connection, id: DeliveryId, why: CancelReason, at: Timestamp) -> Outcome<()> {
    let rows = connection
        .prepare_cached(
            "-- lease::cancel: one that waits
             UPDATE deliveries SET state = ?3, ended_at = ?4, why = ?5, due_at = NULL, lease_token = NULL, lease_until = NULL
             WHERE event = ?1 AND ordinal = ?2 AND state = 0",
        )?
        .execute(params![id.event.raw(), id.ordinal, CANCELLED, at.as_millis(), why.code()])?;
    exactly_one(rows, "deliveries", id)
}

/// Makes a new delivery of the same event to the same webhook.
pub(crate) fn resend(
    tx: &WriteTx<'_>,
    environment: EnvironmentId,
    id: DeliveryId,
    at: Timestamp,
) -> Outcome<Result<Delivery, ResendError>> {
    let short = environments::logged_id(tx.connection, environment)?;
    let head = assemble::head(tx.connection, id.event.raw())?.filter(|head| Some(head.environment) == short);
    let Some(head) = head else {
        return Ok(Err(ResendError::NotFound));
    };
    let all = assemble::deliveries(tx.connection, &head, environment, None, at)?;
    let next_ordinal = all.first().map_or(0, |found| found.delivery.id.ordinal + 1);
    let Some(webhook) = all.iter().find(|found| found.delivery.id == id).map(|found| found.delivery.webhook) else {
        return Ok(Err(ResendError::NotFound));
    };
    if let Err(refused) = takes_resends(tx.connection, webhook)? {
        return Ok(Err(refused));
    }
    if body::of(tx.connection, id.event.raw())? == Some(EventBody::Altered) {
        return Ok(Err(ResendError::BodyAltered));
    }
    let new = Delivery {
        id: DeliveryId {
            event: id.event,
            ordinal: next_ordinal,
        },
        environment,
        webhook,
        trigger: Trigger::Resend,
        event_key: head.key,
        tenant: head.tenant,
        state: DeliveryState::Pending { next_attempt_at: at },
        attempts: 0,
        last_status: None,
        leased: false,
        created_at: at,
    };
    rows::insert(
        tx.connection,
        &NewRow {
            id: new.id,
            environment: head.environment,
            webhook,
            trigger: new.trigger,
            created_at: at,
            apart: true,
            state: RowState::waiting(at),
        },
    )?;
    Ok(Ok(new))
}

fn takes_resends(connection: &Connection, webhook: WebhookId) -> Outcome<Result<(), ResendError>> {
    let found = connection
        .prepare_cached(
            "-- lease::takes_resends: a webhook that is there and active
             SELECT id, disabled_at, deleted_at FROM webhooks WHERE id = ?1",
        )?
        .query_and_then([webhook.raw()], |row| {
            let record = Record::new(row, "webhooks", &["id"]);
            Outcome::Ok(match (record.optional_time("deleted_at")?, record.optional_time("disabled_at")?) {
                (Some(_), _) => Err(ResendError::WebhookDeleted),
                (None, Some(_)) => Err(ResendError::WebhookDisabled),
                (None, None) => Ok(()),
            })
        })?
        .next()
        .transpose()?;
    Ok(found.unwrap_or(Err(ResendError::NotFound)))
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
