//! Settle: an attempt, the delivery's move and the webhook's health, in one transaction and only under the lease.

use rusqlite::{Connection, params};
use tidings_model::{Timestamp, Verdict, WebhookId};
use tidings_store::{Settled, Settlement};

use crate::attempts;
use crate::codes::{CANCELLED, Code, DELIVERED, EXHAUSTED, PENDING};
use crate::fault::Outcome;
use crate::record::Record;
use crate::writer::WriteTx;

/// Records attempts, each where its lease still holds.
pub(crate) fn settle(tx: &WriteTx<'_>, settlements: &[Settlement]) -> Outcome<Vec<Settled>> {
    settlements.iter().map(|settlement| settle_one(tx.connection, settlement)).collect()
}

fn settle_one(connection: &Connection, settlement: &Settlement) -> Outcome<Settled> {
    if !move_delivery(connection, settlement)? {
        return Ok(Settled::LeaseLost);
    }
    attempts::insert(connection, &settlement.attempt)?;
    let success = settlement.attempt.verdict == Verdict::Delivered;
    let failing_since = note_attempt(connection, settlement.webhook, success, settlement.ended_at)?;
    Ok(Settled::Recorded { failing_since })
}

/// Moves the delivery as the verdict says. False: the lease is not the caller's any more.
fn move_delivery(connection: &Connection, settlement: &Settlement) -> Outcome<bool> {
    let attempt = &settlement.attempt;
    let ended_at = Some(settlement.ended_at.as_millis());
    let (state, due_at, ended_at, why) = match attempt.verdict {
        Verdict::Delivered => (DELIVERED, None, ended_at, None),
        Verdict::RetryAt(at) => (PENDING, Some(at.as_millis()), None, None),
        Verdict::Exhausted => (EXHAUSTED, None, ended_at, None),
        Verdict::Cancel(why) => (CANCELLED, None, ended_at, Some(why.code())),
    };
    let rows = connection
        .prepare_cached(
            "-- settle::move_delivery: only under the lease
             UPDATE deliveries
             SET state = ?4, due_at = ?5, ended_at = ?6, why = ?7, attempts = ?8, last_status = ?9, lease_token = NULL, lease_until = NULL
             WHERE event = ?1 AND ordinal = ?2 AND lease_token = ?3",
        )?
        .execute(params![
            attempt.delivery.event.raw(),
            attempt.delivery.ordinal,
            settlement.lease.0,
            state,
            due_at,
            ended_at,
            why,
            attempt.number,
            attempt.exchange.status(),
        ])?;
    Ok(rows == 1)
}

/// Writes the attempt into the webhook's health, and says since when it has been failing. A deleted webhook has no health.
fn note_attempt(connection: &Connection, webhook: WebhookId, success: bool, ended_at: Timestamp) -> Outcome<Option<Timestamp>> {
    let failing_since = connection
        .prepare_cached(
            "-- settle::note_attempt: one more, good or bad
             INSERT INTO webhook_health (webhook, attempts, failures, last_attempt_at, failing_since)
             SELECT id, 1, ?2, ?3, iif(?2, ?3, NULL) FROM webhooks WHERE id = ?1 AND deleted_at IS NULL
             ON CONFLICT (webhook) DO UPDATE
             SET attempts = attempts + 1, failures = failures + ?2, last_attempt_at = ?3,
                 failing_since = iif(?2, coalesce(failing_since, ?3), NULL)
             RETURNING webhook, failing_since",
        )?
        .query_and_then(params![webhook.raw(), !success, ended_at.as_millis()], |row| {
            Record::new(row, "webhook_health", &["webhook"]).optional_time("failing_since")
        })?
        .next()
        .transpose()?;
    Ok(failing_since.flatten())
}
