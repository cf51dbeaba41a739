//! Events with everything that belongs to them: their deliveries, and their attempts. And what is left of events that are not there.

use std::collections::BTreeMap;

use tidings_model::{DeliveryId, DeliveryState, EventId, EventKey, TenantId, Trigger};
use tidings_store::{Finding, MadeAttempt, Thing, ToldDelivery, judge};
use tokio_postgres::Row;

use super::{Look, REMNANTS_NAMED, numbers, webhook_id};
use crate::fault::Outcome;
use crate::record::{Record, rows, sql_count};
use crate::{append, attempts, deliveries};

/// An event, as far as it is held against the rest.
struct Seen {
    id: EventId,
    environment: i64,
    has_environment: bool,
    promised: u32,
    whole: bool,
}

/// A delivery by its row, and the environment of its webhook, where that is there or was.
struct Delivery {
    told: ToldDelivery,
    webhook: i64,
    environment: i64,
    home: Option<i64>,
}

type Attempts = BTreeMap<DeliveryId, Vec<MadeAttempt>>;

pub(super) async fn look(look: &mut Look<'_>, after: &str) -> Outcome<Option<String>> {
    let [after] = numbers(after)?;
    let page = rows(
        look.db,
        "-- verify::events: by id, until they have so many deliveries
         SELECT id, environment, has_environment, deliveries, trigger, key, tenant, body, checksum FROM (
             SELECT e.*, n.id IS NOT NULL AS has_environment, sum(1 + e.deliveries) OVER (ORDER BY e.id) - (1 + e.deliveries) AS before
             FROM (SELECT * FROM events WHERE id > $1 ORDER BY id LIMIT $2) e LEFT JOIN environments n ON n.id = e.environment
         ) e WHERE before < $2 ORDER BY id",
        &[&after, &sql_count(look.limit)],
    )
    .await?;
    look.looked_at = page.len() as u64;
    let ids = page
        .iter()
        .map(|row| Record::new(row, "events", &["id"]).get::<i64>("id"))
        .collect::<Outcome<Vec<_>>>()?;
    let mut told = told(look, &ids).await?;
    let mut made = made(look, &ids).await?;
    for row in &page {
        if let Some(seen) = look.readable(seen(row))? {
            one(look, &seen, told.remove(&seen.id).unwrap_or_default(), &mut made)?;
        }
    }
    for (delivery, attempts) in made {
        let what = format!("is not there, and {} attempts of it are", attempts.len());
        look.found(Finding::StateDisagrees { delivery, what });
    }
    remnants(look, after, ids.last().copied().unwrap_or(i64::MAX)).await?;
    Ok(ids.last().map(ToString::to_string))
}

fn seen(row: &Row) -> Outcome<Seen> {
    let record = Record::new(row, "events", &["id"]);
    record.parse::<EventKey>("key")?;
    record.optional_parse::<TenantId>("tenant")?;
    record.code::<Trigger>("trigger")?;
    Ok(Seen {
        id: record.convert("id", EventId::from_raw)?,
        environment: record.get("environment")?,
        has_environment: record.get("has_environment")?,
        promised: record.convert("deliveries", |count: i32| u32::try_from(count).ok())?,
        whole: append::body(&record)?.whole().is_some(),
    })
}

fn one(look: &mut Look<'_>, event: &Seen, told: Vec<Delivery>, made: &mut Attempts) -> Outcome<()> {
    if !event.whole {
        look.found(Finding::AlteredBody { event: event.id });
    }
    if !event.has_environment {
        look.found(Finding::NoEnvironment {
            thing: Thing::Event(event.id),
        });
    }
    let mut expected = 0;
    for delivery in told {
        let id = delivery.told.id;
        lost(look, event.id, expected..id.ordinal);
        expected = id.ordinal.saturating_add(1);
        let attempts = made.remove(&id).unwrap_or_default();
        hold(look, event, &delivery, &attempts)?;
    }
    lost(look, event.id, expected..event.promised);
    Ok(())
}

fn lost(look: &mut Look<'_>, event: EventId, ordinals: std::ops::Range<u32>) {
    for ordinal in ordinals {
        look.found(Finding::Lost {
            delivery: DeliveryId { event, ordinal },
            webhook: None,
            taken_up_at_start: false,
        });
    }
}

fn hold(look: &mut Look<'_>, event: &Seen, delivery: &Delivery, attempts: &[MadeAttempt]) -> Outcome<()> {
    let id = delivery.told.id;
    if delivery.environment != event.environment {
        look.found(Finding::OtherEnvironment {
            thing: Thing::Delivery(id),
            into: Thing::Event(event.id),
        });
    }
    let webhook = webhook_id(delivery.webhook, "table deliveries, column webhook")?;
    match delivery.home {
        None if matches!(delivery.told.state, DeliveryState::Pending { .. }) => {} // an orphan: found among what is pending
        None => look.found(Finding::NoWebhook { delivery: id, webhook }),
        Some(home) if home != event.environment => look.found(Finding::OtherEnvironment {
            thing: Thing::Delivery(id),
            into: Thing::Webhook(webhook),
        }),
        Some(_) => {}
    }
    look.findings.extend(judge(&delivery.told, attempts));
    Ok(())
}

async fn told(look: &mut Look<'_>, events: &[i64]) -> Outcome<BTreeMap<EventId, Vec<Delivery>>> {
    let found = rows(
        look.db,
        "-- verify::told: of some events
         SELECT d.event, d.ordinal, d.webhook, d.environment, d.state, d.due_at, d.attempts, d.last_status, d.ended_at, d.why, w.environment AS home
         FROM deliveries d LEFT JOIN webhooks w ON w.id = d.webhook WHERE d.event = ANY ($1) ORDER BY d.event, d.ordinal",
        &[&events],
    )
    .await?;
    let mut told = BTreeMap::<EventId, Vec<Delivery>>::new();
    for row in &found {
        if let Some(delivery) = look.readable(delivery(row))? {
            told.entry(delivery.told.id.event).or_default().push(delivery);
        }
    }
    Ok(told)
}

fn delivery(row: &Row) -> Outcome<Delivery> {
    let record = Record::new(row, "deliveries", &["event", "ordinal"]);
    Ok(Delivery {
        told: ToldDelivery {
            id: record.delivery_id()?,
            state: deliveries::state(&record)?,
            attempts: record.small("attempts")?,
            last_status: record.optional_small("last_status")?,
        },
        webhook: record.get("webhook")?,
        environment: record.get("environment")?,
        home: record.get("home")?,
    })
}

async fn made(look: &mut Look<'_>, events: &[i64]) -> Outcome<Attempts> {
    let found = rows(
        look.db,
        "-- verify::made: of some events
         SELECT event, ordinal, number, verdict, retry_at, why, status FROM attempts WHERE event = ANY ($1) ORDER BY event, ordinal, number",
        &[&events],
    )
    .await?;
    let mut made = Attempts::new();
    for row in &found {
        if let Some((delivery, attempt)) = look.readable(attempt(row))? {
            made.entry(delivery).or_default().push(attempt);
        }
    }
    Ok(made)
}

fn attempt(row: &Row) -> Outcome<(DeliveryId, MadeAttempt)> {
    let record = Record::new(row, "attempts", &["event", "ordinal", "number"]);
    let attempt = MadeAttempt {
        number: record.small("number")?,
        verdict: attempts::verdict(&record)?,
        status: Some(record.optional_small("status")?),
    };
    Ok((record.delivery_id()?, attempt))
}

/// What is left of events that are not there, with ids in a range. What is pending is an orphan, and found among its like.
async fn remnants(look: &mut Look<'_>, after: i64, until: i64) -> Outcome<()> {
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&after, &until, &REMNANTS_NAMED];
    let deliveries = rows(
        look.db,
        "-- verify::remnants: finished deliveries
         SELECT event, ordinal FROM deliveries d
         WHERE event > $1 AND event <= $2 AND state <> 0 AND NOT EXISTS (SELECT 1 FROM events WHERE id = d.event) LIMIT $3",
        &parameters,
    )
    .await?;
    for row in &deliveries {
        let id = Record::new(row, "deliveries", &["event", "ordinal"]).delivery_id();
        if let Some(id) = look.readable(id)? {
            look.found(Finding::NoEvent {
                thing: Thing::Delivery(id),
                event: id.event,
            });
        }
    }
    let attempts = rows(
        look.db,
        "-- verify::remnants: attempts
         SELECT event, ordinal, number FROM attempts a
         WHERE event > $1 AND event <= $2 AND NOT EXISTS (SELECT 1 FROM events WHERE id = a.event) LIMIT $3",
        &parameters,
    )
    .await?;
    for row in &attempts {
        let record = Record::new(row, "attempts", &["event", "ordinal", "number"]);
        let read = record.delivery_id().and_then(|id| Ok((id, record.small("number")?)));
        if let Some((id, number)) = look.readable(read)? {
            look.found(Finding::NoEvent {
                thing: Thing::Attempt(id, number),
                event: id.event,
            });
        }
    }
    Ok(())
}
