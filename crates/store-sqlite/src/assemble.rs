//! The deliveries of one event, as people see them: from their rows, and where there is none from what the event promised and its first attempt.

use rusqlite::{Connection, params};
use tidings_model::{Delivery, DeliveryId, DeliveryState, EnvironmentId, EventId, EventKey, TenantId, Timestamp, Trigger, WebhookId};

use crate::fault::{Fault, Outcome};
use crate::record::Record;
use crate::{blocks, rows};

/// What an event promised.
#[derive(Debug)]
pub(crate) struct EventHead {
    /// Its id.
    pub(crate) id: EventId,
    /// The short id of its environment.
    pub(crate) environment: i64,
    /// Its key.
    pub(crate) key: EventKey,
    /// Its tenant.
    pub(crate) tenant: Option<TenantId>,
    /// The webhooks that it matched.
    pub(crate) targets: Vec<i64>,
    /// When the last of the leases ends that it was appended with.
    pub(crate) lease_until: Option<Timestamp>,
    trigger: Trigger,
    due_at: Timestamp,
}

/// Reads what an event promised.
pub(crate) fn head(connection: &Connection, id: i64) -> Outcome<Option<EventHead>> {
    connection
        .prepare_cached(
            "-- assemble::head: one event
             SELECT id, environment, key, tenant, trigger, due_at, lease_until, targets FROM events WHERE id = ?1",
        )?
        .query_and_then([id], |row| {
            let record = Record::new(row, "events", &["id"]);
            let id = record.convert("id", EventId::from_raw)?;
            Ok(EventHead {
                id,
                environment: record.get("environment")?,
                key: record.parse("key")?,
                tenant: record.optional_parse("tenant")?,
                targets: blocks::targets(&record)?,
                trigger: record.code("trigger")?,
                due_at: record.optional_time("due_at")?.unwrap_or(id.timestamp()),
                lease_until: record.optional_time("lease_until")?,
            })
        })?
        .next()
        .transpose()
}

/// A delivery, and where it was found.
#[derive(Debug)]
pub(crate) struct Assembled {
    /// The delivery.
    pub(crate) delivery: Delivery,
    /// True when it has a row.
    pub(crate) has_row: bool,
}

/// The deliveries of an event, or those of them that go to one webhook, the highest ordinal first. `environment` is the event's.
pub(crate) fn deliveries(
    connection: &Connection,
    head: &EventHead,
    environment: EnvironmentId,
    webhook: Option<WebhookId>,
    at: Timestamp,
) -> Outcome<Vec<Assembled>> {
    let rows = rows::of_event(connection, head, environment, at)?;
    let mut found = Vec::new();
    for (target, ordinal) in head.targets.iter().zip(0_u32..) {
        let wanted = webhook.is_none_or(|webhook| webhook.raw() == *target);
        if wanted && rows.binary_search_by_key(&ordinal, |row| row.id.ordinal).is_err() {
            found.push(Assembled {
                delivery: promised(connection, head, environment, *target, ordinal, at)?,
                has_row: false,
            });
        }
    }
    found.extend(rows.into_iter().map(|delivery| Assembled { delivery, has_row: true }));
    found.retain(|found| webhook.is_none_or(|webhook| found.delivery.webhook == webhook));
    found.sort_unstable_by_key(|found| std::cmp::Reverse(found.delivery.id.ordinal));
    Ok(found)
}

/// A delivery without a row: delivered by its first attempt, or on its way to it.
fn promised(
    connection: &Connection,
    head: &EventHead,
    environment: EnvironmentId,
    webhook: i64,
    ordinal: u32,
    at: Timestamp,
) -> Outcome<Delivery> {
    let first = connection
        .prepare_cached(
            "-- assemble::promised: the first attempt
             SELECT event, ordinal, ended_at, status FROM attempts WHERE event = ?1 AND ordinal = ?2 AND number = 1",
        )?
        .query_and_then(params![head.id.raw(), ordinal], |row| {
            let record = Record::new(row, "attempts", &["event", "ordinal"]);
            Outcome::Ok((record.time("ended_at")?, record.get("status")?))
        })?
        .next()
        .transpose()?;
    let (state, attempts, last_status) = match first {
        Some((at, status)) => (DeliveryState::Delivered { at }, 1, status),
        None => (
            DeliveryState::Pending {
                next_attempt_at: head.due_at,
            },
            0,
            None,
        ),
    };
    Ok(Delivery {
        id: DeliveryId { event: head.id, ordinal },
        environment,
        webhook: WebhookId::from_raw(webhook).ok_or_else(|| damaged(head, webhook))?,
        trigger: head.trigger,
        event_key: head.key.clone(),
        tenant: head.tenant.clone(),
        state,
        attempts,
        last_status,
        leased: first.is_none() && head.lease_until.is_some_and(|until| at < until),
        created_at: head.id.timestamp(),
    })
}

fn damaged(head: &EventHead, webhook: i64) -> Fault {
    Fault::Damaged(format!(
        "table events, column targets, row {}: {webhook} is no webhook",
        head.id.raw()
    ))
}
