//! Taking deliveries into somebody's hands, giving them back, and giving up what nobody has.

use deadpool_postgres::{Client, GenericClient};
use futures::join;
use tidings_model::{CancelReason, DeliveryId, EventBody, Timestamp, WebhookId};
use tidings_store::{DueBatch, DueWebhook, LeaseGrant, LeaseToken, LeasedDelivery};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::append;
use crate::fault::Outcome;
use crate::record::{Record, rows, run, sql_code, sql_count, sql_ordinal};

/// What is free is found by two indexes, one of what nobody has and one of leases by when they end. Rows that somebody else is leasing are passed over.
const LEASE: &str = "-- lease::lease: what is due and in nobody's hands
    WITH waiting AS MATERIALIZED (
        SELECT event, ordinal, due_at FROM deliveries
        WHERE webhook = $1 AND state = 0 AND lease_token IS NULL AND due_at <= $2
        ORDER BY due_at, event, ordinal LIMIT $3 FOR UPDATE SKIP LOCKED
    ), expired AS MATERIALIZED (
        SELECT event, ordinal, due_at FROM deliveries
        WHERE webhook = $1 AND state = 0 AND lease_token IS NOT NULL AND greatest(due_at, lease_until) <= $2
        ORDER BY due_at, event, ordinal LIMIT $3 FOR UPDATE SKIP LOCKED
    ), chosen AS MATERIALIZED (
        SELECT * FROM waiting UNION ALL SELECT * FROM expired ORDER BY due_at, event, ordinal LIMIT $3
    )
    UPDATE deliveries d SET lease_token = $4, lease_until = $5
    FROM chosen c JOIN events e ON e.id = c.event JOIN environments n ON n.id = e.environment
    WHERE d.event = c.event AND d.ordinal = c.ordinal
    RETURNING d.event, d.ordinal, n.uuid, d.trigger, d.attempts, d.due_at, e.body, e.checksum";

const NEXT_DUE: &str = "-- lease::next_due: of what waits and of what is leased
    SELECT least(
        (SELECT due_at FROM deliveries WHERE webhook = $1 AND state = 0 AND lease_token IS NULL ORDER BY due_at LIMIT 1),
        (SELECT min(greatest(due_at, lease_until)) FROM deliveries WHERE webhook = $1 AND state = 0 AND lease_token IS NOT NULL)
    ) AS next_due";

/// What cannot be sent, as long as it is in the hands that it was leased into.
const CANCEL_ALTERED: &str = "-- lease::cancel_altered: what was just leased
    UPDATE deliveries SET state = 3, why = $4, ended_at = $5, due_at = NULL, lease_token = NULL, lease_until = NULL
    WHERE (event, ordinal) IN (SELECT * FROM unnest($1::bigint[], $2::integer[])) AND lease_token = $3";

/// Leases what a webhook has due. Everything is sent at once, so that the transaction is never open while this node thinks. What turns out to be altered
/// is cancelled afterwards, under its lease: should that fail, it is found again when the lease ends.
pub(crate) async fn lease_due(client: &Client, webhook: WebhookId, at: Timestamp, want: usize, grant: LeaseGrant) -> Outcome<DueBatch> {
    let (lease, next_due) = (client.prepare_cached(LEASE).await?, client.prepare_cached(NEXT_DUE).await?);
    let (id, at, want, token, until) = (
        webhook.raw(),
        at.as_millis(),
        sql_count(want),
        grant.token.0,
        grant.until.as_millis(),
    );
    let (of_lease, of_next): ([&(dyn ToSql + Sync); 5], [&(dyn ToSql + Sync); 1]) = ([&id, &at, &want, &token, &until], [&id]);
    let (began, leased, next, committed) = join!(
        client.batch_execute("BEGIN"),
        client.query(&lease, &of_lease),
        client.query_one(&next_due, &of_next),
        client.batch_execute("COMMIT"),
    );
    began?;
    let leased = leased?;
    let next = next?;
    committed?;
    let (mut deliveries, mut altered) = (Vec::with_capacity(leased.len()), Vec::new());
    for row in &leased {
        match leased_delivery(row, webhook, grant)? {
            Ok(delivery) => deliveries.push(delivery),
            Err(id) => altered.push(id),
        }
    }
    deliveries.sort_unstable_by_key(|leased| (leased.due_at, leased.id));
    let next = if altered.is_empty() {
        next
    } else {
        cancel_altered(client, &altered, Timestamp::from_millis(at), grant.token).await?;
        client.query_one(&next_due, &of_next).await?
    };
    Ok(DueBatch {
        deliveries,
        next_due: Record::new(&next, "deliveries", &[]).optional_time("next_due")?,
    })
}

/// What was accepted is sent, or nothing is.
async fn cancel_altered(client: &Client, altered: &[DeliveryId], at: Timestamp, token: LeaseToken) -> Outcome<()> {
    let events: Vec<_> = altered.iter().map(|id| id.event.raw()).collect();
    let ordinals: Vec<_> = altered.iter().map(|id| sql_ordinal(id.ordinal)).collect();
    let why = sql_code(CancelReason::BodyAltered);
    run(client, CANCEL_ALTERED, &[&events, &ordinals, &token.0, &why, &at.as_millis()]).await?;
    for delivery in altered {
        tracing::error!(%delivery, "cancelled: the body of the event is not what was accepted; the database is damaged, restore a backup");
    }
    Ok(())
}

/// The id alone, when the body of its event is not what was accepted.
fn leased_delivery(row: &Row, webhook: WebhookId, lease: LeaseGrant) -> Outcome<Result<LeasedDelivery, DeliveryId>> {
    let record = Record::new(row, "deliveries", &["event", "ordinal"]);
    let id = record.delivery_id()?;
    let EventBody::Whole(body) = append::body(&record)? else {
        return Ok(Err(id));
    };
    Ok(Ok(LeasedDelivery {
        id,
        environment: record.environment("uuid")?,
        webhook,
        trigger: record.code("trigger")?,
        attempts: record.small("attempts")?,
        due_at: record.time("due_at")?,
        body,
        lease,
    }))
}

/// Every webhook with something pending. The indexes are walked from webhook to webhook, however much each of them has pending.
pub(crate) async fn due_webhooks(db: &impl GenericClient) -> Outcome<Vec<DueWebhook>> {
    let found = rows(
        db,
        "-- lease::due_webhooks: of what waits and of what is leased
         WITH RECURSIVE waiting AS (
             (SELECT webhook, due_at AS free_at FROM deliveries WHERE state = 0 AND lease_token IS NULL ORDER BY webhook, due_at LIMIT 1)
             UNION ALL
             SELECT n.webhook, n.free_at FROM waiting w CROSS JOIN LATERAL (
                 SELECT webhook, due_at AS free_at FROM deliveries
                 WHERE state = 0 AND lease_token IS NULL AND webhook > w.webhook ORDER BY webhook, due_at LIMIT 1
             ) n
         ), leased AS (
             (SELECT webhook, greatest(due_at, lease_until) AS free_at FROM deliveries WHERE state = 0 AND lease_token IS NOT NULL
              ORDER BY webhook, greatest(due_at, lease_until) LIMIT 1)
             UNION ALL
             SELECT n.webhook, n.free_at FROM leased l CROSS JOIN LATERAL (
                 SELECT webhook, greatest(due_at, lease_until) AS free_at FROM deliveries
                 WHERE state = 0 AND lease_token IS NOT NULL AND webhook > l.webhook ORDER BY webhook, greatest(due_at, lease_until) LIMIT 1
             ) n
         ), free AS (
             SELECT webhook, min(free_at) AS next_due FROM (SELECT * FROM waiting UNION ALL SELECT * FROM leased) f GROUP BY webhook
         )
         SELECT f.webhook, f.next_due, e.uuid,
                w.id IS NOT NULL AND w.deleted_at IS NULL AND NOT e.deleted AS is_there, w.disabled_at IS NOT NULL AS is_disabled
         FROM free f LEFT JOIN webhooks w ON w.id = f.webhook
         JOIN environments e ON e.id = coalesce(w.environment, (SELECT environment FROM deliveries d WHERE d.webhook = f.webhook AND d.state = 0 LIMIT 1))",
        &[],
    )
    .await?;
    found.iter().map(due_webhook).collect()
}

fn due_webhook(row: &Row) -> Outcome<DueWebhook> {
    let record = Record::new(row, "webhooks", &["webhook"]);
    let cancelled = match (record.get("is_there")?, record.get("is_disabled")?) {
        (false, _) => Some(CancelReason::WebhookDeleted),
        (true, true) => Some(CancelReason::WebhookDisabled),
        (true, false) => None,
    };
    Ok(DueWebhook {
        webhook: record.convert("webhook", WebhookId::from_raw)?,
        environment: record.environment("uuid")?,
        next_due: record.time("next_due")?,
        cancelled,
    })
}

/// Gives leases back.
pub(crate) async fn release(db: &impl GenericClient, leases: &[(DeliveryId, LeaseToken)]) -> Outcome<()> {
    let events: Vec<_> = leases.iter().map(|(id, _)| id.event.raw()).collect();
    let ordinals: Vec<_> = leases.iter().map(|(id, _)| sql_ordinal(id.ordinal)).collect();
    let tokens: Vec<_> = leases.iter().map(|(_, token)| token.0).collect();
    run(
        db,
        "-- lease::release: those that hold
         WITH held AS MATERIALIZED (
             SELECT d.event, d.ordinal FROM unnest($1::bigint[], $2::integer[], $3::bigint[]) AS g(event, ordinal, token)
             JOIN deliveries d ON d.event = g.event AND d.ordinal = g.ordinal
             WHERE d.lease_token = g.token
             ORDER BY d.event, d.ordinal FOR UPDATE OF d
         )
         UPDATE deliveries d SET lease_token = NULL, lease_until = NULL FROM held h WHERE d.event = h.event AND d.ordinal = h.ordinal",
        &[&events, &ordinals, &tokens],
    )
    .await?;
    Ok(())
}

/// Ends the leases of nodes that have left. What somebody has locked is being settled, or taken: it needs nothing. What was leased anew since this began
/// to look may be a node's that joined since.
pub(crate) async fn end_lost(db: &impl GenericClient) -> Outcome<usize> {
    let ended = run(
        db,
        "-- lease::end_lost: those of nobody on the roll
         WITH lost AS MATERIALIZED (
             SELECT event, ordinal, lease_token FROM deliveries d
             WHERE state = 0 AND lease_token IS NOT NULL AND lease_token >> 40 <> 0
               AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.number = d.lease_token >> 40)
         ), held AS MATERIALIZED (
             SELECT d.event, d.ordinal FROM lost l JOIN deliveries d ON d.event = l.event AND d.ordinal = l.ordinal
             WHERE d.lease_token = l.lease_token
             ORDER BY d.event, d.ordinal FOR UPDATE OF d SKIP LOCKED
         )
         UPDATE deliveries d SET lease_token = NULL, lease_until = NULL FROM held h WHERE d.event = h.event AND d.ordinal = h.ordinal",
        &[],
    )
    .await?;
    Ok(usize::try_from(ended).unwrap_or(usize::MAX))
}

/// Gives up what nobody has, of a webhook that is off. What somebody else is taking at this moment is passed over. One statement, so that one that sees the
/// webhook off sees nothing that was appended after it was enabled again.
pub(crate) async fn cancel_pending(db: &impl GenericClient, webhook: WebhookId, at: Timestamp, limit: usize) -> Outcome<usize> {
    let (disabled, deleted) = (CancelReason::WebhookDisabled, CancelReason::WebhookDeleted);
    let cancelled = run(
        db,
        "-- lease::cancel_pending: oldest due first
         WITH there AS MATERIALIZED (
             SELECT w.disabled_at FROM webhooks w JOIN environments e ON e.id = w.environment
             WHERE w.id = $1 AND w.deleted_at IS NULL AND NOT e.deleted
         ), off AS MATERIALIZED (
             SELECT CASE WHEN EXISTS (SELECT 1 FROM there) THEN $2::smallint ELSE $5 END AS why WHERE NOT EXISTS (SELECT 1 FROM there WHERE disabled_at IS NULL)
         ), waiting AS MATERIALIZED (
             SELECT event, ordinal, due_at FROM deliveries
             WHERE webhook = $1 AND state = 0 AND lease_token IS NULL AND EXISTS (SELECT 1 FROM off)
             ORDER BY due_at, event, ordinal LIMIT $4 FOR UPDATE SKIP LOCKED
         ), expired AS MATERIALIZED (
             SELECT event, ordinal, due_at FROM deliveries
             WHERE webhook = $1 AND state = 0 AND lease_token IS NOT NULL AND lease_until <= $3 AND EXISTS (SELECT 1 FROM off)
             ORDER BY due_at, event, ordinal LIMIT $4 FOR UPDATE SKIP LOCKED
         ), chosen AS MATERIALIZED (
             SELECT * FROM waiting UNION ALL SELECT * FROM expired ORDER BY due_at, event, ordinal LIMIT $4
         )
         UPDATE deliveries d SET state = 3, why = off.why, ended_at = $3, due_at = NULL, lease_token = NULL, lease_until = NULL
         FROM chosen c, off WHERE d.event = c.event AND d.ordinal = c.ordinal",
        &[
            &webhook.raw(),
            &sql_code(disabled),
            &at.as_millis(),
            &sql_count(limit),
            &sql_code(deleted),
        ],
    )
    .await?;
    Ok(usize::try_from(cancelled).unwrap_or(usize::MAX))
}
