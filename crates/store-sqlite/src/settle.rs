//! Settle: an attempt, the delivery's move and the webhook's health, in one transaction and only under the lease.

use rusqlite::{Connection, params};
use tidings_model::Verdict;
use tidings_store::{Settled, Settlement};

use crate::attempts;
use crate::codes::{CANCELLED, Code, DELIVERED, EXHAUSTED, PENDING};
use crate::fault::Outcome;
use crate::fresh::Held;
use crate::rows::{self, NewRow, RowState};
use crate::writer::WriteTx;

/// Records attempts, each where its lease still holds.
pub(crate) fn settle(tx: &mut WriteTx<'_>, settlements: &[Settlement]) -> Outcome<Vec<Settled>> {
    settlements.iter().map(|settlement| settle_one(tx, settlement)).collect()
}

fn settle_one(tx: &mut WriteTx<'_>, settlement: &Settlement) -> Outcome<Settled> {
    let delivery = settlement.attempt.delivery;
    match tx.memory.fresh.get(settlement.webhook, delivery) {
        Some(held) if held.grant.token != settlement.lease => return Ok(Settled::LeaseLost),
        Some(held) => settle_fresh(tx, settlement, &held)?,
        None if !move_delivery(tx.connection, settlement)? => return Ok(Settled::LeaseLost),
        None => {}
    }
    attempts::insert(tx.connection, &settlement.attempt, settlement.ended_at)?;
    let success = settlement.attempt.verdict == Verdict::Delivered;
    let failing_since = tx
        .memory
        .health
        .note(tx.connection, settlement.webhook, success, settlement.ended_at)?;
    Ok(Settled::Recorded { failing_since })
}

/// A delivery that has no row needs none when its first attempt delivered it: the attempt says everything.
fn settle_fresh(tx: &mut WriteTx<'_>, settlement: &Settlement, held: &Held) -> Outcome<()> {
    let attempt = &settlement.attempt;
    tx.memory.fresh.remove(settlement.webhook, attempt.delivery);
    if attempt.verdict == Verdict::Delivered && attempt.number == 1 {
        return Ok(());
    }
    let state = match attempt.verdict {
        Verdict::Delivered => RowState::ended(DELIVERED, settlement.ended_at, None),
        Verdict::RetryAt(at) => RowState::waiting(at),
        Verdict::Exhausted => RowState::ended(EXHAUSTED, settlement.ended_at, None),
        Verdict::Cancel(why) => RowState::ended(CANCELLED, settlement.ended_at, Some(why)),
    };
    let state = state.after(attempt.number, attempt.exchange.status());
    rows::insert(tx.connection, &NewRow::of_fresh(attempt.delivery, held, state))
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
