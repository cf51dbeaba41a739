//! Attempts as rows: what is asked for in statements has columns, the rest is the detail.

use deadpool_postgres::GenericClient;
use tidings_model::{Attempt, DeliveryId, Verdict};
use tidings_store::{codes, detail};

use crate::fault::{Fault, Outcome};
use crate::record::{Record, rows, sql_ordinal};

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
    codes::verdict(
        record.get("verdict")?,
        record.optional_time("retry_at")?,
        record.optional_code("why")?,
    )
    .ok_or_else(|| record.damaged("verdict", "does not go with its time or its reason"))
}
