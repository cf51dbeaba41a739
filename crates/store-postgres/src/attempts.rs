//! Attempts as rows: what is asked for in statements has columns, the rest is the detail.

use deadpool_postgres::GenericClient;
use tidings_model::{Attempt, CancelReason, DeliveryId, Timestamp, Verdict};
use tidings_store::detail;

use crate::fault::{Fault, Outcome};
use crate::record::{Record, rows, sql_ordinal};

const DELIVERED: i16 = 0;
const RETRY: i16 = 1;
const EXHAUSTED: i16 = 2;
const CANCEL: i16 = 3;

/// A verdict as it is stored.
pub(crate) struct VerdictColumns {
    pub(crate) verdict: i16,
    pub(crate) retry_at: Option<Timestamp>,
    pub(crate) why: Option<CancelReason>,
}

/// How a verdict is stored.
pub(crate) const fn columns(verdict: Verdict) -> VerdictColumns {
    let (verdict, retry_at, why) = match verdict {
        Verdict::Delivered => (DELIVERED, None, None),
        Verdict::RetryAt(at) => (RETRY, Some(at), None),
        Verdict::Exhausted => (EXHAUSTED, None, None),
        Verdict::Cancel(why) => (CANCEL, None, Some(why)),
    };
    VerdictColumns { verdict, retry_at, why }
}

/// What only people look at, as it is stored.
pub(crate) fn detail(attempt: &Attempt) -> Outcome<Vec<u8>> {
    detail::write(attempt).map_err(|error| {
        let (number, delivery) = (attempt.number, attempt.delivery);
        Fault::Damaged(format!("attempt {number} of {delivery} cannot be written: {error}"))
    })
}

/// The attempts of a delivery, oldest first.
pub(crate) async fn of(db: &impl GenericClient, delivery: DeliveryId) -> Outcome<Vec<Attempt>> {
    let found = rows(
        db,
        "-- attempts::of: one delivery
         SELECT event, ordinal, number, started_at, verdict, retry_at, why, detail, reply_body
         FROM attempts WHERE event = $1 AND ordinal = $2 ORDER BY number",
        &[&delivery.event.raw(), &sql_ordinal(delivery.ordinal)],
    )
    .await?;
    let attempts = found
        .iter()
        .map(|row| attempt(&Record::new(row, "attempts", &["event", "ordinal", "number"]), delivery));
    attempts.collect()
}

fn attempt(record: &Record<'_>, delivery: DeliveryId) -> Outcome<Attempt> {
    let verdict = verdict(record)?;
    let mut detail = record.convert("detail", detail::read)?;
    match (&mut detail.exchange.reply, record.get::<Option<Vec<u8>>>("reply_body")?) {
        (Some(reply), Some(body)) => reply.body = body.into(),
        (None, None) => {}
        _ => return Err(record.damaged("reply_body", "there without the head of a reply, or not there with one")),
    }
    Ok(Attempt {
        delivery,
        number: record.small("number")?,
        started_at: record.time("started_at")?,
        url: detail.url,
        request_headers: detail.request_headers,
        exchange: detail.exchange,
        verdict,
    })
}

/// What followed from an attempt, by its row.
pub(crate) fn verdict(record: &Record<'_>) -> Outcome<Verdict> {
    match (
        record.get("verdict")?,
        record.optional_time("retry_at")?,
        record.optional_code("why")?,
    ) {
        (DELIVERED, None, None) => Ok(Verdict::Delivered),
        (RETRY, Some(at), None) => Ok(Verdict::RetryAt(at)),
        (EXHAUSTED, None, None) => Ok(Verdict::Exhausted),
        (CANCEL, None, Some(why)) => Ok(Verdict::Cancel(why)),
        _ => Err(record.damaged("verdict", "does not go with its time or its reason")),
    }
}
