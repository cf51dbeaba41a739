//! Environments, and what belongs to them; people. They are few, so they are one step.

use tidings_store::{Finding, Thing};

use super::Look;
use crate::fault::Outcome;
use crate::record::Record;
use crate::{environments, people};

pub(super) fn look(look: &mut Look<'_>) -> Outcome<()> {
    let environments = environments::all(look.connection);
    let environments = look.readable(environments)?.map_or(0, |all| all.len());
    let people = people::all(look.connection);
    let people = look.readable(people)?.map_or(0, |all| all.len());
    look.looked_at += (environments + people) as u64;
    let homeless = homeless(
        look,
        "-- verify::configuration: credentials without an environment that lives
         SELECT c.id, c.client_id AS name FROM credentials c LEFT JOIN environments e ON e.id = c.environment AND e.deleted = 0 WHERE e.id IS NULL",
        "credentials",
        |record| record.convert("name", |text: String| text.parse().ok()).map(Thing::Credential),
    );
    look.readable(homeless)?;
    let homeless = homeless_types(look);
    look.readable(homeless)?;
    Ok(())
}

fn homeless_types(look: &mut Look<'_>) -> Outcome<()> {
    homeless(
        look,
        "-- verify::configuration: event types without an environment that lives
         SELECT t.id, t.key AS name FROM event_types t LEFT JOIN environments e ON e.id = t.environment AND e.deleted = 0 WHERE e.id IS NULL",
        "event_types",
        |record| record.parse("name").map(Thing::EventType),
    )
}

fn homeless(look: &mut Look<'_>, sql: &str, table: &'static str, thing: impl Fn(&Record<'_, '_>) -> Outcome<Thing>) -> Outcome<()> {
    let things = look
        .connection
        .prepare_cached(sql)?
        .query_and_then([], |row| thing(&Record::new(row, table, &["id"])))?
        .collect::<Outcome<Vec<_>>>()?;
    for thing in things {
        look.found(Finding::NoEnvironment { thing });
    }
    Ok(())
}
