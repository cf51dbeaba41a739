//! What PostgreSQL knows to be unusable; environments, and what belongs to them; people. They are few, so each is one step.

use tidings_store::{Finding, Thing};

use super::Look;
use crate::fault::Outcome;
use crate::record::{Record, rows};
use crate::{environments, people};

pub(super) async fn look_at_database(look: &mut Look<'_>) -> Outcome<()> {
    let broken = rows(
        look.db,
        "-- verify::database: indexes that are not to be relied on
         SELECT i.indexrelid::regclass::text AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE c.relnamespace = current_schema()::regnamespace AND NOT (i.indisvalid AND i.indisready) ORDER BY 1",
        &[],
    )
    .await?;
    look.looked_at = 1;
    for row in &broken {
        let name: String = Record::new(row, "pg_index", &["name"]).get("name")?;
        look.found(Finding::Damaged {
            what: format!("index {name} is not valid: REINDEX it"),
        });
    }
    Ok(())
}

pub(super) async fn look(look: &mut Look<'_>) -> Outcome<()> {
    let environments = environments::all(look.db).await;
    let environments = look.readable(environments)?.map_or(0, |all| all.len());
    let people = people::all(look.db).await;
    let people = look.readable(people)?.map_or(0, |all| all.len());
    look.looked_at += (environments + people) as u64;
    let credentials = "-- verify::configuration: credentials without an environment that lives
        SELECT c.id, c.client_id AS name FROM credentials c LEFT JOIN environments e ON e.id = c.environment AND NOT e.deleted WHERE e.id IS NULL";
    for row in rows(look.db, credentials, &[]).await? {
        let credential = Record::new(&row, "credentials", &["id"]).parse("name").map(Thing::Credential);
        homeless(look, credential)?;
    }
    let event_types = "-- verify::configuration: event types without an environment that lives
        SELECT t.key AS name FROM event_types t LEFT JOIN environments e ON e.id = t.environment AND NOT e.deleted WHERE e.id IS NULL";
    for row in rows(look.db, event_types, &[]).await? {
        let event_type = Record::new(&row, "event_types", &["name"]).parse("name").map(Thing::EventType);
        homeless(look, event_type)?;
    }
    Ok(())
}

fn homeless(look: &mut Look<'_>, thing: Outcome<Thing>) -> Outcome<()> {
    if let Some(thing) = look.readable(thing)? {
        look.found(Finding::NoEnvironment { thing });
    }
    Ok(())
}
