//! Settle: an attempt, the delivery's move and the webhook's health, in one transaction and only under the lease; many attempts in one statement.
//!
//! Everybody takes deliveries before webhooks' health, and each of both in the order of its ids, so that nobody waits in a circle.

use std::sync::Arc;

use tidings_model::{Timestamp, Verdict};
use tidings_store::codes::{self, CANCELLED, DELIVERED, EXHAUSTED, PENDING};
use tidings_store::{Settled, Settlement};
use tokio_postgres::types::ToSql;

use crate::attempts;
use crate::fault::Outcome;
use crate::group::Batch;
use crate::pool::Held;
use crate::record::{Record, sql_code, sql_ordinal};

/// What an attempt takes of a commit besides the body of its reply.
const OVERHEAD: usize = 1_024;

/// Settles. `held` are those whose lease still holds; `told` has the health after each.
const SETTLE: &str = "-- settle: attempts, deliveries and health, where the lease holds
    WITH held AS (
        UPDATE deliveries d
        SET state = g.state, due_at = g.retry_at, lease_token = NULL, lease_until = NULL, attempts = g.number, last_status = g.status, why = g.why,
            ended_at = CASE WHEN g.state = 0 THEN NULL ELSE g.ended_at END
        FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::bigint[], $5::integer[], $6::bigint[], $7::bigint[], $8::integer[], $9::smallint[],
                    $10::bigint[], $11::smallint[], $12::smallint[], $13::bytea[], $14::bytea[], $15::bigint[])
             AS g(event, ordinal, webhook, token, number, started_at, ended_at, status, verdict, retry_at, why, state, detail, reply_body, n)
        WHERE d.event = g.event AND d.ordinal = g.ordinal AND d.lease_token = g.token
        RETURNING g.*, g.verdict = 0 AS success
    ), health AS MATERIALIZED (
        SELECT webhook, failing_since FROM webhook_health WHERE webhook IN (SELECT webhook FROM held) ORDER BY webhook FOR UPDATE
    ), spans AS (
        SELECT n, webhook, success, ended_at, count(*) FILTER (WHERE success) OVER (PARTITION BY webhook ORDER BY n) AS span FROM held
    ), told AS MATERIALIZED (
        SELECT s.n, s.webhook, s.success, s.ended_at, h.webhook IS NOT NULL AS alive,
               CASE WHEN NOT s.success THEN coalesce(
                   CASE WHEN s.span = 0 THEN h.failing_since END,
                   first_value(s.ended_at) OVER (PARTITION BY s.webhook, s.span, s.success ORDER BY s.n)
               ) END AS failing_since
        FROM spans s LEFT JOIN health h ON h.webhook = s.webhook
    ), logged AS (
        INSERT INTO attempts (event, ordinal, number, started_at, ended_at, status, verdict, retry_at, why, detail, reply_body)
        SELECT event, ordinal, number, started_at, ended_at, status, verdict, retry_at, why, detail, reply_body FROM held
    ), healed AS (
        UPDATE webhook_health w
        SET attempts = w.attempts + t.attempts, failures = w.failures + t.failures, last_attempt_at = t.last_attempt_at,
            failing_since = t.failing_since
        FROM (
            SELECT webhook, count(*) AS attempts, count(*) FILTER (WHERE NOT success) AS failures,
                   (array_agg(ended_at ORDER BY n DESC))[1] AS last_attempt_at, (array_agg(failing_since ORDER BY n DESC))[1] AS failing_since
            FROM told WHERE alive GROUP BY webhook
        ) t
        WHERE w.webhook = t.webhook
    )
    SELECT n, CASE WHEN alive THEN failing_since END AS failing_since FROM told";

/// Settlements of many callers.
pub(crate) enum Settling {}

impl Batch for Settling {
    type Ask = Arc<[Settlement]>;
    type Answer = Vec<Settled>;
    const NAME: &'static str = "settle";
    const LANES: usize = 2;
    /// Bytes.
    const SIZE_MAX: usize = 4 * 1_024 * 1_024;

    fn size(settlements: &Arc<[Settlement]>) -> usize {
        let reply = |settlement: &Settlement| settlement.attempt.exchange.reply.as_ref().map_or(0, |reply| reply.body.len());
        settlements.iter().map(|settlement| reply(settlement) + OVERHEAD).sum()
    }

    async fn commit(held: &mut Held, asked: &[Arc<[Settlement]>]) -> Outcome<Vec<Vec<Settled>>> {
        let settlements: Vec<&Settlement> = asked.iter().flat_map(|asked| asked.iter()).collect();
        let mut answers = settle(held, &settlements).await?.into_iter();
        Ok(asked.iter().map(|asked| answers.by_ref().take(asked.len()).collect()).collect())
    }
}

async fn settle(held: &Held, settlements: &[&Settlement]) -> Outcome<Vec<Settled>> {
    let mut answers = vec![Settled::LeaseLost; settlements.len()];
    if settlements.is_empty() {
        return Ok(answers);
    }
    let columns = Columns::of(&in_order(settlements))?;
    let statement = held.client().prepare_cached(SETTLE).await?;
    for row in held.client().query(&statement, &columns.parameters()).await? {
        let record = Record::new(&row, "deliveries", &["n"]);
        let place = record.convert("n", |number: i64| usize::try_from(number).ok())?;
        let failing_since = record.optional_time("failing_since")?;
        let answer = answers.get_mut(place).ok_or_else(|| record.damaged("n", "more than there were"))?;
        *answer = Settled::Recorded { failing_since };
    }
    Ok(answers)
}

/// With their places, by delivery; of those of one lease the first alone, as it leaves the others none.
fn in_order<'a>(settlements: &[&'a Settlement]) -> Vec<(i64, &'a Settlement)> {
    let mut numbered: Vec<_> = (0..).zip(settlements.iter().copied()).collect();
    numbered.sort_by_key(|(_, settlement)| (settlement.attempt.delivery, settlement.lease)); // stable: by place among equals
    numbered.dedup_by_key(|(_, settlement)| (settlement.attempt.delivery, settlement.lease));
    numbered
}

/// Settlements as the arrays that the statement takes.
#[derive(Default)]
struct Columns<'a> {
    events: Vec<i64>,
    ordinals: Vec<i32>,
    webhooks: Vec<i64>,
    tokens: Vec<i64>,
    numbers: Vec<i32>,
    started_at: Vec<i64>,
    ended_at: Vec<i64>,
    statuses: Vec<Option<i32>>,
    verdicts: Vec<i16>,
    retry_at: Vec<Option<i64>>,
    why: Vec<Option<i16>>,
    states: Vec<i16>,
    details: Vec<Vec<u8>>,
    reply_bodies: Vec<Option<&'a [u8]>>,
    places: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn of(settlements: &[(i64, &'a Settlement)]) -> Outcome<Self> {
        let mut columns = Self::default();
        for (place, settlement) in settlements {
            columns.places.push(*place);
            columns.add(settlement)?;
        }
        Ok(columns)
    }

    fn add(&mut self, settlement: &'a Settlement) -> Outcome<()> {
        let attempt = &settlement.attempt;
        let (verdict, retry_at, why) = codes::of_verdict(attempt.verdict);
        self.events.push(attempt.delivery.event.raw());
        self.ordinals.push(sql_ordinal(attempt.delivery.ordinal));
        self.webhooks.push(settlement.webhook.raw());
        self.tokens.push(settlement.lease.0);
        self.numbers.push(attempt.number.into());
        self.started_at.push(attempt.started_at.as_millis());
        self.ended_at.push(settlement.ended_at.as_millis());
        self.statuses.push(attempt.exchange.status().map(i32::from));
        self.verdicts.push(verdict);
        self.retry_at.push(retry_at.map(Timestamp::as_millis));
        self.why.push(why.map(sql_code));
        self.states.push(match attempt.verdict {
            Verdict::Delivered => DELIVERED as i16,
            Verdict::RetryAt(_) => PENDING as i16,
            Verdict::Exhausted => EXHAUSTED as i16,
            Verdict::Cancel(_) => CANCELLED as i16,
        });
        self.details.push(attempts::detail(attempt)?);
        self.reply_bodies.push(attempt.exchange.reply.as_ref().map(|reply| &reply.body[..]));
        Ok(())
    }

    fn parameters(&self) -> [&(dyn ToSql + Sync); 15] {
        [
            &self.events,
            &self.ordinals,
            &self.webhooks,
            &self.tokens,
            &self.numbers,
            &self.started_at,
            &self.ended_at,
            &self.statuses,
            &self.verdicts,
            &self.retry_at,
            &self.why,
            &self.states,
            &self.details,
            &self.reply_bodies,
            &self.places,
        ]
    }
}
