//! The audit log and the activity, and forgetting both.

use rusqlite::{Connection, params};
use tidings_model::{EnvironmentId, Timestamp, WebhookId};
use tidings_store::{Activity, ActivityCounts, AuditEntry, AuditFilter, AuditRecord, Page};
use uuid::Uuid;

use crate::environments;
use crate::fault::Outcome;
use crate::record::{Record, sql_count};
use crate::writer::WriteTx;

/// Adds an entry to the audit log.
pub(crate) fn record_audit(tx: &WriteTx<'_>, entry: &AuditEntry) -> Outcome<()> {
    tx.connection
        .prepare_cached(
            "-- history::record_audit: at the end
             INSERT INTO audit (at, actor, action, environment, target, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            entry.at.as_millis(),
            entry.actor,
            entry.action,
            entry.environment.map(|id| *id.as_uuid().as_bytes()),
            entry.target,
            entry.detail,
        ])?;
    Ok(())
}

/// Entries of the audit log.
pub(crate) fn audit(connection: &Connection, filter: &AuditFilter, page: Page<u64>) -> Outcome<Vec<AuditRecord>> {
    connection
        .prepare_cached(
            "-- history::audit: newest first
             SELECT number, at, actor, action, environment, target, detail FROM audit
             WHERE number < ?1 AND (?2 IS NULL OR environment = ?2) AND (?3 IS NULL OR actor = ?3)
               AND (?4 IS NULL OR substr(action, 1, length(?4)) = ?4)
             ORDER BY number DESC LIMIT ?5 OFFSET ?6",
        )?
        .query_and_then(
            params![
                page.before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX),
                filter.environment.map(|id| *id.as_uuid().as_bytes()),
                filter.actor,
                filter.action,
                sql_count(page.limit),
                sql_count(page.skip),
            ],
            |row| {
                let record = Record::new(row, "audit", &["number"]);
                let environment = |bytes: Option<[u8; 16]>| Some(bytes.map(|bytes| EnvironmentId::from_uuid(Uuid::from_bytes(bytes))));
                Ok(AuditRecord {
                    number: record.convert("number", |number: i64| u64::try_from(number).ok())?,
                    entry: AuditEntry {
                        at: record.time("at")?,
                        actor: record.get("actor")?,
                        action: record.get("action")?,
                        environment: record.convert("environment", environment)?,
                        target: record.get("target")?,
                        detail: record.get("detail")?,
                    },
                })
            },
        )?
        .collect()
}

/// Adds counts to spans.
pub(crate) fn add_activity(tx: &WriteTx<'_>, activity: &[Activity]) -> Outcome<()> {
    let mut statement = tx.connection.prepare_cached(
        "-- history::add_activity: one span
         INSERT INTO activity (environment, webhook, from_at, accepted, delivered, failed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (environment, webhook, from_at)
         DO UPDATE SET accepted = accepted + ?4, delivered = delivered + ?5, failed = failed + ?6",
    )?;
    for added in activity {
        let Some(environment) = environments::short_id(tx.connection, added.environment)? else {
            continue;
        };
        let ActivityCounts {
            accepted,
            delivered,
            failed,
        } = added.counts;
        statement.execute(params![
            environment,
            added.webhook.map_or(0, WebhookId::raw),
            added.from.as_millis(),
            accepted as i64,
            delivered as i64,
            failed as i64,
        ])?;
    }
    Ok(())
}

/// What was counted of an environment, or of some of its webhooks.
pub(crate) fn activity(
    connection: &Connection,
    environment: EnvironmentId,
    webhooks: &[WebhookId],
    from: Timestamp,
    until: Timestamp,
) -> Outcome<Vec<Activity>> {
    let Some(short) = environments::short_id(connection, environment)? else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(
        "-- history::activity: of the environment or of one webhook
         SELECT webhook, from_at, accepted, delivered, failed FROM activity
         WHERE environment = ?1 AND webhook = ?2 AND from_at >= ?3 AND from_at < ?4",
    )?;
    let mut found = Vec::new();
    let whole = [0];
    let ids: Vec<i64> = webhooks.iter().map(|id| id.raw()).collect();
    for webhook in if ids.is_empty() { &whole[..] } else { &ids } {
        let rows = statement.query_and_then(
            params![short, webhook, from.as_millis(), until.as_millis()],
            |row| -> Outcome<Activity> {
                let record = Record::new(row, "activity", &["webhook", "from_at"]);
                let count = |column| record.convert(column, |count: i64| u64::try_from(count).ok());
                Ok(Activity {
                    environment,
                    webhook: WebhookId::from_raw(*webhook),
                    from: record.time("from_at")?,
                    counts: ActivityCounts {
                        accepted: count("accepted")?,
                        delivered: count("delivered")?,
                        failed: count("failed")?,
                    },
                })
            },
        )?;
        for activity in rows {
            found.push(activity?);
        }
    }
    found.sort_by_key(|activity| (activity.from, activity.webhook));
    Ok(found)
}

/// Forgets what is over or too old.
pub(crate) fn forget(tx: &WriteTx<'_>, at: Timestamp, audit_before: Timestamp, activity_before: Timestamp, limit: usize) -> Outcome<usize> {
    let run = |sql: &str, before: Timestamp| -> Outcome<usize> {
        let parameters = params![before.as_millis(), sql_count(limit)];
        Ok(tx.connection.prepare_cached(sql)?.execute(parameters)?)
    };
    let sessions = run(
        "-- history::forget: sessions that have ended
         DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ends_at <= ?1 LIMIT ?2)",
        at,
    )?;
    let entries = run(
        "-- history::forget: old entries of the audit log
         DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE at < ?1 ORDER BY at LIMIT ?2)",
        audit_before,
    )?;
    let spans = run(
        "-- history::forget: old activity
         DELETE FROM activity WHERE (environment, webhook, from_at) IN
             (SELECT environment, webhook, from_at FROM activity WHERE from_at < ?1 LIMIT ?2)",
        activity_before,
    )?;
    Ok(sessions + entries + spans)
}
