//! Reading events.

use deadpool_postgres::{Client, GenericClient};
use tidings_model::{EnvironmentId, Event, EventId};
use tidings_store::{EventFilter, Page};
use tokio_postgres::Row;

use crate::fault::Outcome;
use crate::record::{self, Record, sql_count};
use crate::search::Search;
use crate::{append, environments};

/// One event.
pub(crate) async fn one(db: &impl GenericClient, environment: EnvironmentId, id: EventId) -> Outcome<Option<Event>> {
    let found = record::row(
        db,
        "-- events::one: only in its environment
         SELECT e.id, e.key, e.tenant, e.user_id, e.application, e.body, e.checksum FROM events e JOIN environments n ON n.id = e.environment
         WHERE e.id = $1 AND n.uuid = $2",
        &[&id.raw(), environment.as_uuid()],
    )
    .await?;
    found.map(|row| event(&row, environment)).transpose()
}

/// Events of an environment, newest first.
pub(crate) async fn list(client: &Client, filter: &EventFilter, page: Page<EventId>) -> Outcome<Vec<Event>> {
    let Some(short) = environments::logged_id(client, filter.environment).await? else {
        return Ok(Vec::new());
    };
    let mut search = Search::default();
    let environment = search.number(short);
    search.only(format!("environment = {environment}"));
    if let Some(key) = &filter.key {
        let key = search.text(key.as_str());
        search.only(format!("key = {key}"));
    }
    if let Some(tenant) = &filter.tenant {
        let tenant = search.text(tenant.as_str());
        search.only(format!("tenant = {tenant}"));
    }
    search.only_between("id", filter.from, filter.until);
    if let Some(before) = page.before {
        let before = search.number(before.raw());
        search.only(format!("id < {before}"));
    }
    let conditions = search.conditions();
    let (limit, skip) = (search.number(sql_count(page.limit)), search.number(sql_count(page.skip)));
    let sql = format!(
        "-- events::list: newest first
         SELECT id, key, tenant, user_id, application, body, checksum FROM events WHERE {conditions} ORDER BY id DESC LIMIT {limit} OFFSET {skip}"
    );
    let found = search.run(client, &sql).await?;
    found.iter().map(|row| event(row, filter.environment)).collect()
}

/// The event after so many others.
pub(crate) async fn at(
    db: &impl GenericClient,
    environment: EnvironmentId,
    before: Option<EventId>,
    places: usize,
) -> Outcome<Option<EventId>> {
    let found = record::row(
        db,
        "-- events::at: newest first
         SELECT id FROM events WHERE environment = (SELECT id FROM environments WHERE uuid = $1) AND id < $2 ORDER BY id DESC LIMIT 1 OFFSET $3",
        &[environment.as_uuid(), &before.map_or(i64::MAX, EventId::raw), &sql_count(places)],
    )
    .await?;
    found
        .map(|row| Record::new(&row, "events", &["id"]).convert("id", EventId::from_raw))
        .transpose()
}

/// An event, by its row.
pub(crate) fn event(row: &Row, environment: EnvironmentId) -> Outcome<Event> {
    let record = Record::new(row, "events", &["id"]);
    Ok(Event {
        id: record.convert("id", EventId::from_raw)?,
        environment,
        key: record.parse("key")?,
        tenant: record.optional_parse("tenant")?,
        user: record.get("user_id")?,
        application: record.get("application")?,
        body: append::body(&record)?,
    })
}
