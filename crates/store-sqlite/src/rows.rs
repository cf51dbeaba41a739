//! Rows of deliveries: of those that are not as their event promised. Writing them, and listing them by what became of them.
//!
//! Every list walks one index from its newest end and stops when the page is full.

use rusqlite::{CachedStatement, Connection, Row, ToSql, params};
use tidings_model::delivery::StatusFilter;
use tidings_model::{CancelReason, Delivery, DeliveryId, DeliveryState, EnvironmentId, EventKey, TenantId, Timestamp, Trigger, WebhookId};
use tidings_store::{DeliveryFilter, LeaseGrant};

use crate::assemble::EventHead;
use crate::codes::{CANCELLED, Code, DELIVERED, EXHAUSTED, PENDING};
use crate::events;
use crate::fault::Outcome;
use crate::fresh::Held;
use crate::lease::delivery_id;
use crate::record::{Record, sql_count};

/// A delivery that gets a row.
#[derive(Debug)]
pub(crate) struct NewRow {
    /// Its id.
    pub(crate) id: DeliveryId,
    /// The short id of its environment.
    pub(crate) environment: i64,
    /// Where it goes.
    pub(crate) webhook: WebhookId,
    /// Why it exists.
    pub(crate) trigger: Trigger,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// True when its event does not name it.
    pub(crate) apart: bool,
    /// How it is.
    pub(crate) state: RowState,
}

impl NewRow {
    /// A delivery that had no row so far.
    pub(crate) fn of_fresh(id: DeliveryId, held: &Held, state: RowState) -> Self {
        Self {
            id,
            environment: held.environment,
            webhook: held.webhook,
            trigger: held.trigger,
            created_at: id.event.timestamp(),
            apart: false,
            state,
        }
    }
}

/// How a delivery with a row is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowState {
    state: i64,
    due_at: Option<Timestamp>,
    lease: Option<LeaseGrant>,
    attempts: u16,
    last_status: Option<u16>,
    ended_at: Option<Timestamp>,
    why: Option<CancelReason>,
}

impl RowState {
    /// Due then, in nobody's hands, without an attempt.
    pub(crate) const fn waiting(due_at: Timestamp) -> Self {
        Self {
            state: PENDING,
            due_at: Some(due_at),
            lease: None,
            attempts: 0,
            last_status: None,
            ended_at: None,
            why: None,
        }
    }

    /// Finished then, without an attempt.
    pub(crate) const fn ended(state: i64, at: Timestamp, why: Option<CancelReason>) -> Self {
        Self {
            state,
            due_at: None,
            lease: None,
            attempts: 0,
            last_status: None,
            ended_at: Some(at),
            why,
        }
    }

    /// In somebody's hands.
    pub(crate) const fn leased(self, grant: LeaseGrant) -> Self {
        Self {
            lease: Some(grant),
            ..self
        }
    }

    /// After so many attempts, of which the last was answered so.
    pub(crate) const fn after(self, attempts: u16, last_status: Option<u16>) -> Self {
        Self {
            attempts,
            last_status,
            ..self
        }
    }
}

/// Writes a row.
pub(crate) fn insert(connection: &Connection, row: &NewRow) -> Outcome<()> {
    let state = row.state;
    connection
        .prepare_cached(
            "-- rows::insert: a delivery
             INSERT INTO deliveries (event, ordinal, webhook, trigger, state, due_at, lease_token, lease_until, attempts, last_status, ended_at,
                                     why, created_at, environment, apart)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            row.id.event.raw(),
            row.id.ordinal,
            row.webhook.raw(),
            row.trigger.code(),
            state.state,
            state.due_at.map(Timestamp::as_millis),
            state.lease.map(|grant| grant.token.0),
            state.lease.map(|grant| grant.until.as_millis()),
            state.attempts,
            state.last_status,
            state.ended_at.map(Timestamp::as_millis),
            state.why.map(Code::code),
            row.created_at.as_millis(),
            row.environment,
            row.apart,
        ])?;
    Ok(())
}

/// What a delivery is made of.
const COLUMNS: &str = "d.event, d.ordinal, d.webhook, d.trigger, d.state, d.due_at, d.lease_until, d.attempts, d.last_status, d.ended_at, d.why, d.created_at";

/// The rows of an event, the lowest ordinal first.
pub(crate) fn of_event(connection: &Connection, head: &EventHead, environment: EnvironmentId, at: Timestamp) -> Outcome<Vec<Delivery>> {
    connection
        .prepare_cached(&format!(
            "-- rows::of_event: by their event
             SELECT {COLUMNS} FROM deliveries d WHERE d.event = ?1 ORDER BY d.ordinal"
        ))?
        .query_and_then([head.id.raw()], |row| {
            let record = Record::new(row, "deliveries", &["event", "ordinal"]);
            delivery(&record, environment, head.key.clone(), head.tenant.clone(), at)
        })?
        .collect()
}

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
    /// The environment's deliveries that are not finished.
    EnvironmentPending,
    /// Those of them that failed and are tried again.
    EnvironmentRetrying,
    /// The environment's deliveries that came to nothing, of the state asked for.
    EnvironmentFailed,
    /// The webhook's deliveries that are not finished.
    Pending,
    /// Those of them that failed and are tried again.
    Retrying,
    /// The webhook's deliveries that came to nothing.
    Failed,
}

impl Walk {
    /// What is walked, and the condition that the index answers.
    const fn sql(self) -> (&'static str, &'static str) {
        match self {
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
            Self::Pending => (
                "deliveries d INDEXED BY deliveries_pending",
                "d.webhook = ?6 AND d.event >= ?2 AND d.event < ?3 AND d.environment = ?1 AND d.state = 0",
            ),
            Self::Retrying => (
                "deliveries d INDEXED BY deliveries_retrying",
                "d.webhook = ?6 AND d.event >= ?2 AND d.event < ?3 AND d.environment = ?1 AND d.state = 0 AND d.attempts > 0",
            ),
            Self::Failed => (
                "deliveries d INDEXED BY deliveries_failed",
                "d.webhook = ?6 AND d.event >= ?2 AND d.event < ?3 AND d.environment = ?1 AND d.state >= 2",
            ),
        }
    }

    /// What is walked, with the event of each delivery.
    fn with_event(self) -> String {
        let (walk, condition) = self.sql();
        format!("{walk} CROSS JOIN events e ON e.id = d.event WHERE {condition} AND {REST} AND {REST_OF_EVENT}")
    }

    fn prepare_list(self, connection: &Connection) -> Outcome<CachedStatement<'_>> {
        let found = self.with_event();
        Ok(connection.prepare_cached(&format!(
            "-- rows::list: newest first; an index that is walked from its end needs no sorting
             SELECT {COLUMNS}, e.key AS event_key, e.tenant AS event_tenant FROM {found}
             ORDER BY d.event DESC, d.ordinal DESC LIMIT ?12 OFFSET ?13"
        ))?)
    }

    /// A count looks at events only when it is asked about them.
    fn prepare_count(self, connection: &Connection, of_event: bool) -> Outcome<CachedStatement<'_>> {
        let (walk, condition) = self.sql();
        let found = if of_event {
            self.with_event()
        } else {
            format!("{walk} WHERE {condition} AND {REST} AND ?9 IS NULL AND ?10 IS NULL")
        };
        Ok(connection.prepare_cached(&format!(
            "-- rows::count: up to a cap
             SELECT count(*) FROM (SELECT 1 FROM {found} LIMIT ?12 OFFSET ?13)"
        ))?)
    }
}

/// A walk over the rows of one state, with the parameters of its statement.
pub(crate) struct Search<'a> {
    filter: &'a DeliveryFilter,
    environment: i64,
    before: Option<DeliveryId>,
    webhook: Option<WebhookId>,
    walk: Walk,
}

impl<'a> Search<'a> {
    /// Of an environment or one of its webhooks. `None`: what is asked for is also found without a row.
    pub(crate) const fn new(
        filter: &'a DeliveryFilter,
        environment: i64,
        webhook: Option<WebhookId>,
        before: Option<DeliveryId>,
    ) -> Option<Self> {
        let walk = match (webhook, filter.status) {
            (_, None | Some(StatusFilter::Delivered)) => return None,
            (None, Some(StatusFilter::Pending)) => Walk::EnvironmentPending,
            (None, Some(StatusFilter::Retrying)) => Walk::EnvironmentRetrying,
            (None, Some(StatusFilter::Exhausted | StatusFilter::Cancelled)) => Walk::EnvironmentFailed,
            (Some(_), Some(StatusFilter::Pending)) => Walk::Pending,
            (Some(_), Some(StatusFilter::Retrying)) => Walk::Retrying,
            (Some(_), Some(StatusFilter::Exhausted | StatusFilter::Cancelled)) => Walk::Failed,
        };
        Some(Self {
            filter,
            environment,
            before,
            webhook,
            walk,
        })
    }

    /// The first of them.
    pub(crate) fn list(&self, connection: &Connection, limit: usize, at: Timestamp) -> Outcome<Vec<Delivery>> {
        let mut statement = self.walk.prepare_list(connection)?;
        self.with_parameters(limit, |parameters| {
            let rows = statement.query_and_then(parameters, |row| listed(row, self.filter.environment, at))?;
            rows.collect()
        })
    }

    /// How many they are, up to a cap.
    pub(crate) fn count(&self, connection: &Connection, cap: usize) -> Outcome<usize> {
        let of_event = self.filter.event_key.is_some() || self.filter.tenant.is_some();
        let mut statement = self.walk.prepare_count(connection, of_event)?;
        self.with_parameters(cap, |parameters| Ok(statement.query_row(parameters, |row| row.get(0))?))
    }

    fn with_parameters<T>(&self, limit: usize, run: impl FnOnce(&[&dyn ToSql]) -> Outcome<T>) -> Outcome<T> {
        let filter = self.filter;
        let mut ids = events::ids_between(filter.from, filter.until);
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
            0,
        ])
    }
}

/// The newest events below an end in which a webhook has a delivery that no target names, each as often as it has.
pub(crate) fn apart(connection: &Connection, webhook: WebhookId, from: i64, end: i64, limit: usize) -> Outcome<Vec<i64>> {
    let events = connection
        .prepare_cached(
            "-- rows::apart: newest first
             SELECT event FROM deliveries INDEXED BY deliveries_apart
             WHERE webhook = ?1 AND apart = 1 AND event >= ?2 AND event < ?3 ORDER BY event DESC LIMIT ?4",
        )?
        .query_map(params![webhook.raw(), from, end, sql_count(limit)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(events)
}

fn listed(row: &Row<'_>, environment: EnvironmentId, at: Timestamp) -> Outcome<Delivery> {
    let record = Record::new(row, "deliveries", &["event", "ordinal"]);
    let (key, tenant) = (record.parse("event_key")?, record.optional_parse("event_tenant")?);
    delivery(&record, environment, key, tenant, at)
}

fn delivery(
    record: &Record<'_, '_>,
    environment: EnvironmentId,
    event_key: EventKey,
    tenant: Option<TenantId>,
    at: Timestamp,
) -> Outcome<Delivery> {
    let lease_until = record.optional_time("lease_until")?;
    Ok(Delivery {
        id: delivery_id(record)?,
        environment,
        webhook: record.convert("webhook", WebhookId::from_raw)?,
        trigger: record.code("trigger")?,
        event_key,
        tenant,
        state: state(record)?,
        attempts: record.get("attempts")?,
        last_status: record.get("last_status")?,
        leased: lease_until.is_some_and(|until| at < until),
        created_at: record.time("created_at")?,
    })
}

/// What became of a delivery, by its row.
pub(crate) fn state(record: &Record<'_, '_>) -> Outcome<DeliveryState> {
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
            (Walk::Pending, "deliveries_pending (webhook=? AND event>? AND event<?)"),
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
