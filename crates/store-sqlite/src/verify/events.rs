//! Events with everything that belongs to them: bodies, promised deliveries, their rows, their attempts. And what is left of events that are not there.

use std::collections::BTreeMap;

use rusqlite::{Row, params};
use tidings_model::{DeliveryId, DeliveryState, EventBody, EventId};
use tidings_store::{Finding, MadeAttempt, Missing, Thing, ToldDelivery, judge};

use super::{Look, REMNANTS_NAMED, event_id, numbers, webhook_id};
use crate::assemble::{self, EventHead};
use crate::fault::Outcome;
use crate::record::{Record, sql_count};
use crate::{attempts, blocks, body, rows};

/// A delivery by its row.
struct DeliveryRow {
    told: ToldDelivery,
    webhook: i64,
    environment: i64,
    apart: bool,
}

pub(super) fn look(look: &mut Look<'_>, after: &str) -> Outcome<Option<String>> {
    let [after] = numbers(after)?;
    let settled_before = blocks::settled_before(look.connection)?;
    let page = look
        .connection
        .prepare_cached(
            "-- verify::events: by id
             SELECT id FROM events WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?
        .query_map(params![after, sql_count(look.limit)], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut seen = 0;
    let mut last = None;
    for event in &page {
        let deliveries = one(look, *event, settled_before);
        seen += 1 + look.readable(deliveries)?.unwrap_or(0);
        look.looked_at += 1;
        last = Some(*event);
        if seen >= look.limit {
            break;
        }
    }
    let next = last.filter(|last| page.len() == look.limit || page.last() != Some(last));
    remnants(look, after, next.unwrap_or(i64::MAX))?;
    Ok(next.map(|last| last.to_string()))
}

/// Looks at one event, and says how many deliveries it has.
fn one(look: &mut Look<'_>, event: i64, settled_before: i64) -> Outcome<usize> {
    let Some(head) = assemble::head(look.connection, event)? else {
        return Ok(0);
    };
    let body = body::of(look.connection, event);
    match look.readable(body)? {
        Some(None) => look.found(Finding::NoBody { event: head.id }),
        Some(Some(EventBody::Altered)) => look.found(Finding::AlteredBody { event: head.id }),
        Some(Some(EventBody::Whole(_))) | None => {}
    }
    let environment = "-- verify::one: its environment\n SELECT 1 FROM environments WHERE id = ?1";
    if !exists(look, environment, head.environment)? {
        look.found(Finding::NoEnvironment {
            thing: Thing::Event(head.id),
        });
    }
    let rows = delivery_rows(look, head.id)?;
    let mut made = attempts_by_ordinal(look, head.id)?;
    let promised = 0..u32::try_from(head.targets.len()).unwrap_or(u32::MAX);
    let mut ordinals: Vec<u32> = promised.chain(rows.keys().copied()).collect();
    ordinals.sort_unstable();
    ordinals.dedup();
    let mut expected = 0;
    for ordinal in &ordinals {
        if *ordinal > expected {
            look.found(Finding::Lost {
                delivery: DeliveryId {
                    event: head.id,
                    ordinal: expected,
                },
                webhook: None,
                taken_up_at_start: false,
            });
        }
        expected = ordinal.saturating_add(1);
        let attempts = made.remove(ordinal).unwrap_or_default();
        let target = head.targets.get(*ordinal as usize).copied();
        match (rows.get(ordinal), target) {
            (Some(row), target) => with_row(look, &head, row, target, &attempts)?,
            (None, Some(target)) => without_row(look, &head, *ordinal, target, &attempts, settled_before)?,
            (None, None) => {}
        }
    }
    for (ordinal, attempts) in made {
        let delivery = DeliveryId { event: head.id, ordinal };
        look.found(Finding::StateDisagrees {
            delivery,
            what: format!("is not there, and {} attempts of it are", attempts.len()),
        });
    }
    Ok(ordinals.len())
}

fn with_row(look: &mut Look<'_>, head: &EventHead, row: &DeliveryRow, target: Option<i64>, attempts: &[MadeAttempt]) -> Outcome<()> {
    let delivery = row.told.id;
    if row.environment != head.environment {
        look.found(Finding::OtherEnvironment {
            thing: Thing::Delivery(delivery),
            into: Thing::Event(head.id),
        });
    }
    if target.is_some_and(|target| target != row.webhook) {
        look.found(Finding::StateDisagrees {
            delivery,
            what: "goes to another webhook than its event promised".to_owned(),
        });
    }
    if row.apart == target.is_some() {
        look.found(Finding::ListDisagrees {
            event: head.id,
            list: format!("webhook {}", webhook_id(row.webhook, "table deliveries")?),
            listed: row.apart,
        });
    }
    match look.home_of(row.webhook)? {
        None if matches!(row.told.state, DeliveryState::Pending { .. }) => {} // an orphan: found among what is pending
        None => look.found(Finding::NoWebhook {
            delivery,
            webhook: webhook_id(row.webhook, "table deliveries")?,
        }),
        home => foreign(look, head, delivery, row.webhook, home)?,
    }
    look.findings.extend(judge(&row.told, attempts));
    Ok(())
}

fn foreign(look: &mut Look<'_>, head: &EventHead, delivery: DeliveryId, webhook: i64, home: Option<i64>) -> Outcome<()> {
    if home.is_some_and(|home| home != head.environment) {
        look.found(Finding::OtherEnvironment {
            thing: Thing::Delivery(delivery),
            into: Thing::Webhook(webhook_id(webhook, "table events, column targets")?),
        });
    }
    Ok(())
}

/// A promised delivery without a row was delivered by its first attempt, or is in the hands of the node that appended its event.
fn without_row(
    look: &mut Look<'_>,
    head: &EventHead,
    ordinal: u32,
    target: i64,
    attempts: &[MadeAttempt],
    settled_before: i64,
) -> Outcome<()> {
    let delivery = DeliveryId { event: head.id, ordinal };
    let webhook = webhook_id(target, "table events, column targets")?;
    match (look.home_of(target)?, attempts) {
        (None, []) => look.found(Finding::Orphan {
            delivery,
            webhook,
            missing: Missing::Webhook,
        }),
        (None, _) => look.found(Finding::NoWebhook { delivery, webhook }),
        (home, _) => foreign(look, head, delivery, target, home)?,
    }
    let lost = |taken_up_at_start| Finding::Lost {
        delivery,
        webhook: Some(webhook),
        taken_up_at_start,
    };
    let found = match (attempts, head.lease_until) {
        ([], _) if head.id.raw() < settled_before => Some(lost(false)),
        ([], None) => Some(lost(true)),
        ([], Some(until)) if until > look.as_of.lease_end_max() => Some(Finding::LeaseTooLong { delivery, until }),
        ([], Some(until)) => look.as_of.overdue_since().filter(|since| until <= *since).map(|_| lost(true)),
        ([first, ..], _) => {
            let told = ToldDelivery {
                id: delivery,
                state: DeliveryState::Delivered { at: head.id.timestamp() },
                attempts: 1,
                last_status: first.status.flatten(),
            };
            judge(&told, attempts)
        }
    };
    look.findings.extend(found);
    Ok(())
}

fn exists(look: &Look<'_>, sql: &str, id: i64) -> Outcome<bool> {
    Ok(look.connection.prepare_cached(sql)?.exists([id])?)
}

fn delivery_rows(look: &mut Look<'_>, event: EventId) -> Outcome<BTreeMap<u32, DeliveryRow>> {
    let connection = look.connection;
    let mut statement = connection.prepare_cached(
        "-- verify::delivery_rows: of an event
         SELECT event, ordinal, webhook, environment, state, due_at, attempts, last_status, ended_at, why, apart
         FROM deliveries WHERE event = ?1 ORDER BY ordinal",
    )?;
    let mut found = BTreeMap::new();
    let mut rows = statement.query([event.raw()])?;
    while let Some(row) = rows.next()? {
        let read = delivery_row(row, event);
        found.extend(look.readable(read)?.map(|row| (row.told.id.ordinal, row)));
    }
    Ok(found)
}

fn delivery_row(row: &Row<'_>, event: EventId) -> Outcome<DeliveryRow> {
    let record = Record::new(row, "deliveries", &["event", "ordinal"]);
    Ok(DeliveryRow {
        told: ToldDelivery {
            id: DeliveryId {
                event,
                ordinal: record.get("ordinal")?,
            },
            state: rows::state(&record)?,
            attempts: record.get("attempts")?,
            last_status: record.get("last_status")?,
        },
        webhook: record.get("webhook")?,
        environment: record.get("environment")?,
        apart: record.get("apart")?,
    })
}

fn attempts_by_ordinal(look: &mut Look<'_>, event: EventId) -> Outcome<BTreeMap<u32, Vec<MadeAttempt>>> {
    let connection = look.connection;
    let mut statement = connection.prepare_cached(
        "-- verify::attempts_by_ordinal: of an event; what is older than the column has no status there
         SELECT event, ordinal, number, verdict, retry_at, why, status, typeof(detail) = 'text' AS older
         FROM attempts WHERE event = ?1 ORDER BY ordinal, number",
    )?;
    let mut found = BTreeMap::<u32, Vec<MadeAttempt>>::new();
    let mut rows = statement.query([event.raw()])?;
    while let Some(row) = rows.next()? {
        let read = made_attempt(row);
        if let Some((ordinal, attempt)) = look.readable(read)? {
            found.entry(ordinal).or_default().push(attempt);
        }
    }
    Ok(found)
}

fn made_attempt(row: &Row<'_>) -> Outcome<(u32, MadeAttempt)> {
    let record = Record::new(row, "attempts", &["event", "ordinal", "number"]);
    let older: bool = record.get("older")?;
    let attempt = MadeAttempt {
        number: record.get("number")?,
        verdict: attempts::verdict(&record)?,
        status: if older { None } else { Some(record.get("status")?) },
    };
    Ok((record.get("ordinal")?, attempt))
}

/// What is left of events that are not there, with ids in a range. What is pending is an orphan, and found among its like.
fn remnants(look: &mut Look<'_>, after: i64, until: i64) -> Outcome<()> {
    let connection = look.connection;
    let mut of = |sql: &str, thing: fn(EventId, u32, u16) -> Thing| -> Outcome<()> {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([after, until, REMNANTS_NAMED])?;
        while let Some(row) = rows.next()? {
            let event = event_id(row.get(0)?)?;
            let thing = thing(event, row.get(1)?, row.get(2)?);
            look.found(Finding::NoEvent { thing, event });
        }
        Ok(())
    };
    of(
        "-- verify::remnants: bodies
         SELECT event, 0, 0 FROM bodies b
         WHERE event > ?1 AND event <= ?2 AND NOT EXISTS (SELECT 1 FROM events WHERE id = b.event) LIMIT ?3",
        |event, _, _| Thing::Body(event),
    )?;
    of(
        "-- verify::remnants: finished deliveries
         SELECT event, ordinal, 0 FROM deliveries d
         WHERE event > ?1 AND event <= ?2 AND state <> 0 AND NOT EXISTS (SELECT 1 FROM events WHERE id = d.event) LIMIT ?3",
        |event, ordinal, _| Thing::Delivery(DeliveryId { event, ordinal }),
    )?;
    of(
        "-- verify::remnants: attempts
         SELECT event, ordinal, number FROM attempts a INDEXED BY attempts_of_delivery
         WHERE event > ?1 AND event <= ?2 AND NOT EXISTS (SELECT 1 FROM events WHERE id = a.event) LIMIT ?3",
        |event, ordinal, number| Thing::Attempt(DeliveryId { event, ordinal }, number),
    )
}
