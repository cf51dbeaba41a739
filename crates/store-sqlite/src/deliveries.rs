//! Reading deliveries.
//!
//! Every list walks one index from its newest end and stops when the page is full. A tenant's list is the lists of its webhooks, merged.

use rusqlite::{CachedStatement, Connection, Row, ToSql, params};
use tidings_model::delivery::StatusFilter;
use tidings_model::{Delivery, DeliveryId, DeliveryState, EnvironmentId, EventKey, TenantId, Timestamp, WebhookId};
use tidings_store::{DeliveryDetail, DeliveryFilter, Page};

use crate::codes::{CANCELLED, DELIVERED, EXHAUSTED, PENDING};
use crate::fault::Outcome;
use crate::lease::delivery_id;
use crate::record::{Record, sql_count};
use crate::{attempts, environments, events};

/// What a delivery is made of.
const COLUMNS: &str =
    "d.event, d.ordinal, d.webhook, d.trigger, d.state, d.due_at, d.lease_until, d.attempts, d.last_status, d.ended_at, d.why,
    d.created_at, e.key AS event_key, e.tenant AS event_tenant";

/// The parts of a filter that no index answers; they are asked of each row that the index gives.
const REST: &str = "(?4 IS NULL OR d.event < ?4 OR d.ordinal < ?5)
    AND (?6 IS NULL OR d.webhook = ?6)
    AND (?7 IS NULL OR d.state = ?7)
    AND d.attempts >= ?8
    AND (?11 IS NULL OR EXISTS (SELECT 1 FROM webhooks w WHERE w.id = d.webhook AND w.tenant = ?11))";

/// The parts that are asked of the event.
const REST_OF_EVENT: &str = "(?9 IS NULL OR e.key = ?9) AND (?10 IS NULL OR e.tenant = ?10)";

/// The index that a list walks.
#[derive(Clone, Copy, Debug)]
enum Walk {
    /// The environment's events, and the deliveries of each.
    Environment,
    /// The environment's deliveries that are not finished.
    EnvironmentPending,
    /// Those of them that failed and are tried again.
    EnvironmentRetrying,
    /// The environment's deliveries that came to nothing, of the state asked for.
    EnvironmentFailed,
    /// The webhook's deliveries.
    Webhook,
    /// Those of them that came to nothing.
    Failed,
    /// Those of them that failed and are tried again.
    Retrying,
}

impl Walk {
    /// What is walked, and the condition that the index answers.
    const fn sql(self) -> (&'static str, &'static str) {
        match self {
            Self::Environment => (
                "events e INDEXED BY events_by_environment CROSS JOIN deliveries d ON d.event = e.id",
                "e.environment = ?1 AND e.id >= ?2 AND e.id < ?3",
            ),
            Self::EnvironmentPending => (
                "deliveries d INDEXED BY deliveries_pending_by_environment",
                "d.environment = ?1 AND d.event >= ?2 AND d.event < ?3 AND d.state = 0",
            ),
            Self::EnvironmentRetrying => (
                "deliveries d INDEXED BY deliveries_retrying_by_environment",
                "d.environment = ?1 AND d.event >= ?2 AND d.event < ?3 AND d.state = 0 AND d.attempts > 0",
            ),
            Self::EnvironmentFailed => (
                "deliveries d INDEXED BY deliveries_failed_by_environment",
                "d.environment = ?1 AND d.event >= ?2 AND d.event < ?3 AND d.state >= 2 AND d.state = ?7",
            ),
            Self::Webhook => (
                "deliveries d INDEXED BY deliveries_by_webhook",
                "d.webhook = ?6 AND d.event >= ?2 AND d.event < ?3 AND d.environment = ?1",
            ),
            Self::Failed => (
                "deliveries d INDEXED BY deliveries_failed",
                "d.webhook = ?6 AND d.event >= ?2 AND d.event < ?3 AND d.environment = ?1 AND d.state >= 2",
            ),
            Self::Retrying => (
                "deliveries d INDEXED BY deliveries_retrying",
                "d.webhook = ?6 AND d.event >= ?2 AND d.event < ?3 AND d.environment = ?1 AND d.state = 0 AND d.attempts > 0",
            ),
        }
    }

    /// The newest first. An index that is walked from its end needs no sorting.
    const fn order(self) -> &'static str {
        match self {
            Self::Environment => "e.id DESC, d.ordinal DESC",
            _ => "d.event DESC, d.ordinal DESC",
        }
    }

    /// What is walked, with the event of each delivery.
    fn with_event(self) -> String {
        let (walk, condition) = self.sql();
        let event = match self {
            Self::Environment => "",
            _ => "CROSS JOIN events e INDEXED BY events_by_environment ON e.environment = d.environment AND e.id = d.event",
        };
        format!("{walk} {event} WHERE {condition} AND {REST} AND {REST_OF_EVENT}")
    }

    fn prepare_list(self, connection: &Connection) -> Outcome<CachedStatement<'_>> {
        let (found, order) = (self.with_event(), self.order());
        Ok(connection.prepare_cached(&format!(
            "-- deliveries::list: newest first
             SELECT {COLUMNS} FROM {found} ORDER BY {order} LIMIT ?12 OFFSET ?13"
        ))?)
    }

    /// A count looks at events only when it is asked about them.
    fn prepare_count(self, connection: &Connection, of_event: bool) -> Outcome<CachedStatement<'_>> {
        let (walk, condition) = self.sql();
        let found = match self {
            Self::Environment => self.with_event(),
            _ if of_event => self.with_event(),
            _ => format!("{walk} WHERE {condition} AND {REST} AND ?9 IS NULL AND ?10 IS NULL"),
        };
        Ok(connection.prepare_cached(&format!(
            "-- deliveries::count: up to a cap
             SELECT count(*) FROM (SELECT 1 FROM {found} LIMIT ?12 OFFSET ?13)"
        ))?)
    }
}

/// One walk of one index, with the parameters of its statement.
struct Search<'a> {
    filter: &'a DeliveryFilter,
    environment: i64,
    before: Option<DeliveryId>,
    webhook: Option<WebhookId>,
    walk: Walk,
}

impl<'a> Search<'a> {
    /// The walks that together find what the filter admits.
    fn plan(connection: &Connection, filter: &'a DeliveryFilter, before: Option<DeliveryId>) -> Outcome<Vec<Self>> {
        let Some(environment) = environments::logged_id(connection, filter.environment)? else {
            return Ok(Vec::new());
        };
        let search = |webhook: Option<WebhookId>| {
            let walk = match (webhook, filter.status) {
                _ if filter.event.is_some() => Walk::Environment, // one event is less than anything else
                (None, Some(StatusFilter::Pending)) => Walk::EnvironmentPending,
                // What one webhook has finished is more than what its environment has not.
                (Some(_), Some(StatusFilter::Pending)) if filter.webhook.is_some() => Walk::EnvironmentPending,
                (None, Some(StatusFilter::Retrying)) => Walk::EnvironmentRetrying,
                (None, Some(StatusFilter::Exhausted | StatusFilter::Cancelled)) => Walk::EnvironmentFailed,
                (None, _) => Walk::Environment,
                (Some(_), Some(StatusFilter::Exhausted | StatusFilter::Cancelled)) => Walk::Failed,
                (Some(_), Some(StatusFilter::Retrying)) => Walk::Retrying,
                (Some(_), _) => Walk::Webhook,
            };
            Self {
                filter,
                environment,
                before,
                webhook,
                walk,
            }
        };
        match &filter.owner {
            Some(owner) if filter.webhook.is_none() && filter.event.is_none() => {
                let owned = owned(connection, environment, owner)?;
                Ok(owned.into_iter().map(|webhook| search(Some(webhook))).collect())
            }
            _ => Ok(vec![search(filter.webhook)]),
        }
    }

    fn list(&self, connection: &Connection, skip: usize, limit: usize, at: Timestamp) -> Outcome<Vec<Delivery>> {
        let mut statement = self.walk.prepare_list(connection)?;
        self.with_parameters(skip, limit, |parameters| {
            statement
                .query_and_then(parameters, |row| delivery(row, self.filter.environment, at))?
                .collect()
        })
    }

    fn count(&self, connection: &Connection, cap: usize) -> Outcome<usize> {
        let of_event = self.filter.event_key.is_some() || self.filter.tenant.is_some();
        let mut statement = self.walk.prepare_count(connection, of_event)?;
        self.with_parameters(0, cap, |parameters| Ok(statement.query_row(parameters, |row| row.get(0))?))
    }

    fn with_parameters<T>(&self, skip: usize, limit: usize, run: impl FnOnce(&[&dyn ToSql]) -> Outcome<T>) -> Outcome<T> {
        let filter = self.filter;
        let mut ids = events::ids_between(filter.from, filter.until);
        if let Some(event) = filter.event {
            ids = ids.start.max(event.raw())..ids.end.min(event.raw().saturating_add(1));
        }
        if let Some(before) = self.before {
            ids.end = ids.end.min(before.event.raw().saturating_add(1));
        }
        let (state, attempts) = match filter.status {
            None => (None, 0),
            Some(StatusFilter::Pending) => (Some(PENDING), 0),
            Some(StatusFilter::Retrying) => (Some(PENDING), 1),
            Some(StatusFilter::Delivered) => (Some(DELIVERED), 0),
            Some(StatusFilter::Exhausted) => (Some(EXHAUSTED), 0),
            Some(StatusFilter::Cancelled) => (Some(CANCELLED), 0),
        };
        run(params![
            self.environment,
            ids.start,
            ids.end,
            self.before.map(|id| id.event.raw()),
            self.before.map(|id| id.ordinal),
            self.webhook.map(WebhookId::raw),
            state,
            attempts.max(i64::from(filter.attempted)),
            filter.event_key.as_ref().map(EventKey::as_str),
            filter.tenant.as_ref().map(TenantId::as_str),
            filter.owner.as_ref().map(TenantId::as_str),
            sql_count(limit),
            sql_count(skip),
        ])
    }
}

/// Deliveries, newest first.
pub(crate) fn list(connection: &Connection, filter: &DeliveryFilter, page: Page<DeliveryId>, at: Timestamp) -> Outcome<Vec<Delivery>> {
    let searches = Search::plan(connection, filter, page.before)?;
    if let [search] = searches.as_slice() {
        return search.list(connection, page.skip, page.limit, at);
    }
    let mut found = Vec::new();
    for search in &searches {
        found.extend(search.list(connection, 0, page.skip.saturating_add(page.limit), at)?);
    }
    found.sort_unstable_by_key(|delivery| std::cmp::Reverse(delivery.id));
    Ok(found.into_iter().skip(page.skip).take(page.limit).collect())
}

/// How many deliveries a filter admits, counted up to `cap`.
pub(crate) fn count(connection: &Connection, filter: &DeliveryFilter, cap: usize) -> Outcome<usize> {
    let mut counted = 0;
    for search in Search::plan(connection, filter, None)? {
        counted += search.count(connection, cap - counted)?;
        if counted >= cap {
            break;
        }
    }
    Ok(counted)
}

/// One delivery with its event and its attempts.
pub(crate) fn one(connection: &Connection, environment: EnvironmentId, id: DeliveryId, at: Timestamp) -> Outcome<Option<DeliveryDetail>> {
    let Some(event) = events::one(connection, environment, id.event)? else {
        return Ok(None);
    };
    let found = connection
        .prepare_cached(&format!(
            "-- deliveries::one: by its id
             SELECT {COLUMNS} FROM deliveries d JOIN events e ON e.id = d.event WHERE d.event = ?1 AND d.ordinal = ?2"
        ))?
        .query_and_then(params![id.event.raw(), id.ordinal], |row| delivery(row, environment, at))?
        .next()
        .transpose()?;
    let Some(delivery) = found else {
        return Ok(None);
    };
    Ok(Some(DeliveryDetail {
        delivery,
        event,
        attempts: attempts::of(connection, id)?,
    }))
}

/// The webhooks of a tenant, the deleted ones too.
fn owned(connection: &Connection, environment: i64, owner: &TenantId) -> Outcome<Vec<WebhookId>> {
    connection
        .prepare_cached(
            "-- deliveries::owned: by a tenant
             SELECT id FROM webhooks INDEXED BY webhooks_by_tenant WHERE environment = ?1 AND tenant = ?2",
        )?
        .query_and_then(params![environment, owner.as_str()], |row| {
            Record::new(row, "webhooks", &["id"]).convert("id", WebhookId::from_raw)
        })?
        .collect()
}

fn delivery(row: &Row<'_>, environment: EnvironmentId, at: Timestamp) -> Outcome<Delivery> {
    let record = Record::new(row, "deliveries", &["event", "ordinal"]);
    let lease_until = record.optional_time("lease_until")?;
    Ok(Delivery {
        id: delivery_id(&record)?,
        environment,
        webhook: record.convert("webhook", WebhookId::from_raw)?,
        trigger: record.code("trigger")?,
        event_key: record.parse("event_key")?,
        tenant: record.optional_parse("event_tenant")?,
        state: state(&record)?,
        attempts: record.get("attempts")?,
        last_status: record.get("last_status")?,
        leased: lease_until.is_some_and(|until| at < until),
        created_at: record.time("created_at")?,
    })
}

fn state(record: &Record<'_, '_>) -> Outcome<DeliveryState> {
    let (due_at, ended_at) = (record.optional_time("due_at")?, record.optional_time("ended_at")?);
    match (record.get::<i64>("state")?, due_at, ended_at, record.optional_code("why")?) {
        (PENDING, Some(next_attempt_at), None, None) => Ok(DeliveryState::Pending { next_attempt_at }),
        (DELIVERED, None, Some(at), None) => Ok(DeliveryState::Delivered { at }),
        (EXHAUSTED, None, Some(at), None) => Ok(DeliveryState::Exhausted { at }),
        (CANCELLED, None, Some(at), Some(why)) => Ok(DeliveryState::Cancelled { at, why }),
        _ => Err(record.damaged("state", "does not go with its times or its reason")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;

    #[test]
    fn no_list_sorts_what_it_finds() {
        let connection = plan::database();
        let walks = [
            (Walk::Environment, "events_by_environment (environment=? AND id>? AND id<?)"),
            (
                Walk::EnvironmentPending,
                "deliveries_pending_by_environment (environment=? AND event>? AND event<?)",
            ),
            (
                Walk::EnvironmentRetrying,
                "deliveries_retrying_by_environment (environment=? AND event>? AND event<?)",
            ),
            (
                Walk::EnvironmentFailed,
                "deliveries_failed_by_environment (environment=? AND state=? AND event>? AND event<?)",
            ),
            (Walk::Webhook, "deliveries_by_webhook (webhook=? AND event>? AND event<?)"),
            (Walk::Failed, "deliveries_failed (webhook=? AND event>? AND event<?)"),
            (Walk::Retrying, "deliveries_retrying (webhook=? AND event>? AND event<?)"),
        ];
        for (walk, index) in walks {
            let list = walk.prepare_list(&connection).unwrap();
            let plan = plan::of(&connection, &list.expanded_sql().unwrap());
            assert!(
                plan.contains(index) && !plan.contains("TEMP B-TREE") && !plan.contains("SCAN"),
                "{plan}"
            );
        }
    }
}
