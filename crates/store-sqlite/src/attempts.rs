//! Attempts as rows: what is asked for in statements has columns, the rest is one JSON document.

use std::borrow::Cow;
use std::net::SocketAddr;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use tidings_model::{Attempt, CancelReason, DeliveryId, Exchange, Failure, Reply, Timestamp, Timings, Verdict};

use crate::codes::Code;
use crate::fault::{Fault, Outcome};
use crate::record::Record;

const DELIVERED: i64 = 0;
const RETRY: i64 = 1;
const EXHAUSTED: i64 = 2;
const CANCEL: i64 = 3;

/// Everything of an attempt that only people look at. The names of its members are part of the schema.
#[derive(Serialize, Deserialize)]
struct Detail<'a> {
    url: Cow<'a, str>,
    request_headers: Cow<'a, [(String, String)]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<ReplyHead<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Cow<'a, Failure>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<SocketAddr>,
    timings: Timings,
}

/// A reply without its body, which is bytes and has a column.
#[derive(Serialize, Deserialize)]
struct ReplyHead<'a> {
    status: u16,
    headers: Cow<'a, [(String, String)]>,
    body_truncated: bool,
}

/// Writes an attempt.
pub(crate) fn insert(connection: &Connection, attempt: &Attempt, ended_at: Timestamp) -> Outcome<()> {
    let (verdict, retry_at, why) = match attempt.verdict {
        Verdict::Delivered => (DELIVERED, None, None),
        Verdict::RetryAt(at) => (RETRY, Some(at.as_millis()), None),
        Verdict::Exhausted => (EXHAUSTED, None, None),
        Verdict::Cancel(why) => (CANCEL, None, Some(why.code())),
    };
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
            retry_at,
            why,
            detail(attempt)?,
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

fn attempt(record: &Record<'_, '_>, delivery: DeliveryId) -> Outcome<Attempt> {
    let retry_at = record.optional_time("retry_at")?;
    let why = record.optional_code::<CancelReason>("why")?;
    let verdict = match (record.get::<i64>("verdict")?, retry_at, why) {
        (DELIVERED, None, None) => Verdict::Delivered,
        (RETRY, Some(at), None) => Verdict::RetryAt(at),
        (EXHAUSTED, None, None) => Verdict::Exhausted,
        (CANCEL, None, Some(why)) => Verdict::Cancel(why),
        _ => return Err(record.damaged("verdict", "does not go with its time or its reason")),
    };
    let detail: Detail<'_> = record.json("detail")?;
    let reply = match (detail.reply, record.get::<Option<Vec<u8>>>("reply_body")?) {
        (Some(head), Some(body)) => Some(Reply {
            status: head.status,
            headers: head.headers.into_owned(),
            body: body.into(),
            body_truncated: head.body_truncated,
        }),
        (None, None) => None,
        _ => return Err(record.damaged("reply_body", "there without the head of a reply, or not there with one")),
    };
    Ok(Attempt {
        delivery,
        number: record.get("number")?,
        started_at: record.time("started_at")?,
        url: detail.url.into_owned(),
        request_headers: detail.request_headers.into_owned(),
        exchange: Exchange {
            reply,
            failure: detail.failure.map(Cow::into_owned),
            address: detail.address,
            timings: detail.timings,
        },
        verdict,
    })
}

fn detail(attempt: &Attempt) -> Outcome<String> {
    let exchange = &attempt.exchange;
    let detail = Detail {
        url: Cow::Borrowed(&attempt.url),
        request_headers: Cow::Borrowed(&attempt.request_headers),
        reply: exchange.reply.as_ref().map(|reply| ReplyHead {
            status: reply.status,
            headers: Cow::Borrowed(&reply.headers),
            body_truncated: reply.body_truncated,
        }),
        failure: exchange.failure.as_ref().map(Cow::Borrowed),
        address: exchange.address,
        timings: exchange.timings,
    };
    serde_json::to_string(&detail).map_err(|error| {
        Fault::Damaged(format!(
            "attempt {} of {} cannot be written: {error}",
            attempt.number, attempt.delivery
        ))
    })
}
