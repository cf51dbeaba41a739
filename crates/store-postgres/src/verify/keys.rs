//! Idempotency keys: what they promise is there, or was pruned.

use tidings_model::{EnvironmentId, EventId};
use tidings_store::{Finding, Thing};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Look, no_place};
use crate::fault::Outcome;
use crate::record::{Record, rows, sql_count};

/// A key, and what is there of its event.
struct Seen {
    environment: i64,
    environment_id: Option<EnvironmentId>,
    key: String,
    event: EventId,
    told: u32,
    event_environment: Option<i64>,
    found: u32,
    pruned: i64,
}

pub(super) async fn look(look: &mut Look<'_>, after: &str) -> Outcome<Option<String>> {
    let place = after
        .split_once('/')
        .and_then(|(environment, key)| Some((environment.parse::<i64>().ok()?, key)));
    let (environment, key) = match place {
        _ if after.is_empty() => (i64::MIN, ""),
        place => place.ok_or_else(|| no_place(after))?,
    };
    let found = rows(
        look.db,
        "-- verify::keys: by environment; an event keeps how many deliveries it was appended with
         SELECT i.environment, i.key, i.event, i.deliveries, e.environment AS event_environment, coalesce(e.deliveries, 0) AS found, n.uuid,
                (SELECT event FROM pruned) AS pruned
         FROM idempotency i LEFT JOIN events e ON e.id = i.event LEFT JOIN environments n ON n.id = i.environment
         WHERE (i.environment, i.key) > ($1, $2) ORDER BY i.environment, i.key LIMIT $3",
        &[&environment, &key, &sql_count(look.limit)],
    )
    .await?;
    look.looked_at = found.len() as u64;
    let mut last = None;
    for row in &found {
        let record = Record::new(row, "idempotency", &[]);
        last = Some(format!("{}/{}", record.get::<i64>("environment")?, record.get::<&str>("key")?));
        if let Some(seen) = look.readable(seen(row))? {
            judge(look, seen);
        }
    }
    Ok(look.next(found.len(), last))
}

fn seen(row: &Row) -> Outcome<Seen> {
    let record = Record::new(row, "idempotency", &["key"]);
    let count = |column| record.convert(column, |count: i32| u32::try_from(count).ok());
    Ok(Seen {
        environment: record.get("environment")?,
        environment_id: record.get::<Option<Uuid>>("uuid")?.map(EnvironmentId::from_uuid),
        key: record.get("key")?,
        event: record.convert("event", EventId::from_raw)?,
        told: count("deliveries")?,
        event_environment: record.get("event_environment")?,
        found: count("found")?,
        pruned: record.get("pruned")?,
    })
}

fn judge(look: &mut Look<'_>, seen: Seen) {
    let Seen { event, told, found, .. } = seen;
    match seen.event_environment {
        None if event.raw() <= seen.pruned => {}
        None => look.found(Finding::KeyWithoutEvent {
            environment: seen.environment_id,
            key: seen.key,
            event,
        }),
        Some(other) if other != seen.environment => look.found(Finding::OtherEnvironment {
            thing: Thing::IdempotencyKey(seen.key),
            into: Thing::Event(event),
        }),
        Some(_) if told != found => look.found(Finding::KeyDisagrees {
            environment: seen.environment_id,
            key: seen.key,
            event,
            told,
            found,
        }),
        Some(_) => {}
    }
}
