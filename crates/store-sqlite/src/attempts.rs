//! Attempts as rows: what is asked for in statements has columns, the rest is the [`crate::detail`].

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};
use tidings_model::{Attempt, DeliveryId, Timestamp, Verdict};

use crate::codes::{self, Code};
use crate::detail;
use crate::fault::{Fault, Outcome};
use crate::record::Record;

/// Writes an attempt.
pub(crate) fn insert(connection: &Connection, attempt: &Attempt, ended_at: Timestamp) -> Outcome<()> {
    let (verdict, retry_at, why) = codes::of_verdict(attempt.verdict);
    connection
        .prepare_cached(
            "-- attempts::insert: the attempt
             INSERT INTO attempts (event, ordinal, number, started_at, ended_at, status, verdict, retry_at, why, detail, reply_body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            attempt.delivery.event.raw(),
            attempt.delivery.ordinal,
            attempt.number,
            attempt.started_at.as_millis(),
            ended_at.as_millis(),
            attempt.exchange.status(),
            verdict,
            retry_at.map(Timestamp::as_millis),
            why.map(Code::code),
            detail::write(attempt).map_err(|error| unwritable(attempt, &error))?,
            attempt.exchange.reply.as_ref().map(|reply| &reply.body[..]),
        ])?;
    Ok(())
}

/// The attempts of a delivery, oldest first.
pub(crate) fn of(connection: &Connection, delivery: DeliveryId) -> Outcome<Vec<Attempt>> {
    connection
        .prepare_cached(
            "-- attempts::of: one delivery
             SELECT event, ordinal, number, started_at, verdict, retry_at, why, detail, reply_body
             FROM attempts WHERE event = ?1 AND ordinal = ?2 ORDER BY number",
        )?
        .query_and_then(params![delivery.event.raw(), delivery.ordinal], |row| {
            attempt(&Record::new(row, "attempts", &["event", "ordinal", "number"]), delivery)
        })?
        .collect()
}

/// An attempt, by its row.
pub(crate) fn attempt(record: &Record<'_, '_>, delivery: DeliveryId) -> Outcome<Attempt> {
    let verdict = verdict(record)?;
    let detail = match record.value("detail")? {
        ValueRef::Text(text) => std::str::from_utf8(text).ok().and_then(|text| detail::read_older(text).ok()),
        ValueRef::Blob(bytes) => detail::read(bytes),
        _ => None,
    };
    let mut detail = detail.ok_or_else(|| record.damaged("detail", "not the detail of an attempt"))?;
    match (&mut detail.exchange.reply, record.get::<Option<Vec<u8>>>("reply_body")?) {
        (Some(reply), Some(body)) => reply.body = body.into(),
        (None, None) => {}
        _ => return Err(record.damaged("reply_body", "there without the head of a reply, or not there with one")),
    }
    Ok(Attempt {
        delivery,
        number: record.get("number")?,
        started_at: record.time("started_at")?,
        url: detail.url,
        request_headers: detail.request_headers,
        exchange: detail.exchange,
        verdict,
    })
}

/// What followed from an attempt, by its row.
pub(crate) fn verdict(record: &Record<'_, '_>) -> Outcome<Verdict> {
    codes::verdict(
        record.get("verdict")?,
        record.optional_time("retry_at")?,
        record.optional_code("why")?,
    )
    .ok_or_else(|| record.damaged("verdict", "does not go with its time or its reason"))
}

/// That the detail of an attempt has no form.
pub(crate) fn unwritable(attempt: &Attempt, error: &postcard::Error) -> Fault {
    Fault::Damaged(format!(
        "attempt {} of {} cannot be written: {error}",
        attempt.number, attempt.delivery
    ))
}
