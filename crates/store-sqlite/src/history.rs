//! The audit log and the activity, and forgetting both.

use rusqlite::{CachedStatement, Connection, params};
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

/// What a list of the audit log walks, from its newest end.
fn prepare_audit<'a>(connection: &'a Connection, filter: &AuditFilter) -> Outcome<CachedStatement<'a>> {
    let walk = if filter.environment.is_some() {
        "audit INDEXED BY audit_by_environment WHERE environment = ?2"
    } else if filter.actor.is_some() {
        "audit INDEXED BY audit_by_actor WHERE actor = ?3"
    } else {
        "audit WHERE true"
    };
    Ok(connection.prepare_cached(&format!(
        "-- history::audit: newest first
         SELECT number, at, actor, action, environment, target, detail FROM {walk}
           AND number < ?1 AND (?2 IS NULL OR environment = ?2) AND (?3 IS NULL OR actor = ?3)
           AND (?4 IS NULL OR substr(action, 1, length(?4)) = ?4)
         ORDER BY number DESC LIMIT ?5 OFFSET ?6"
    ))?)
}

/// Entries of the audit log.
pub(crate) fn audit(connection: &Connection, filter: &AuditFilter, page: Page<u64>) -> Outcome<Vec<AuditRecord>> {
    prepare_audit(connection, filter)?
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
            accepted.cast_signed(),
            delivered.cast_signed(),
            failed.cast_signed(),
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
    let mut ids: Vec<i64> = webhooks.iter().map(|id| id.raw()).collect();
    ids.sort_unstable();
    ids.dedup();
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
    found.sort_by_key(|activity| activity.from); // stable: by webhook among equals
    Ok(found)
}

const FORGET_SESSIONS: &str = "-- history::forget: sessions that have ended
    DELETE FROM sessions WHERE id IN (
        SELECT id FROM sessions INDEXED BY sessions_by_end WHERE ends_at <= ?1 ORDER BY ends_at LIMIT ?2)";
const FORGET_ENTRIES: &str = "-- history::forget: old entries of the audit log
    DELETE FROM audit WHERE number IN (SELECT number FROM audit INDEXED BY audit_by_time WHERE at < ?1 ORDER BY at LIMIT ?2)";
const FORGET_SPANS: &str = "-- history::forget: old activity
    DELETE FROM activity WHERE (environment, webhook, from_at) IN (
        SELECT environment, webhook, from_at FROM activity INDEXED BY activity_by_time WHERE from_at < ?1 ORDER BY from_at LIMIT ?2)";

/// Forgets what is over or too old.
pub(crate) fn forget(tx: &WriteTx<'_>, at: Timestamp, audit_before: Timestamp, activity_before: Timestamp, limit: usize) -> Outcome<usize> {
    let run = |sql: &str, before: Timestamp| -> Outcome<usize> {
        let parameters = params![before.as_millis(), sql_count(limit)];
        Ok(tx.connection.prepare_cached(sql)?.execute(parameters)?)
    };
    let sessions = run(FORGET_SESSIONS, at)?;
    let entries = run(FORGET_ENTRIES, audit_before)?;
    let spans = run(FORGET_SPANS, activity_before)?;
    Ok(sessions + entries + spans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;

    #[test]
    fn the_audit_log_is_walked_from_its_end_by_whoever_is_asked_for() {
        let connection = plan::database();
        let here = AuditFilter {
            environment: Some(EnvironmentId::from_chance([1; 16])),
            ..AuditFilter::default()
        };
        let by_zoe = AuditFilter {
            actor: Some("person zoe@example.com".to_owned()),
            ..AuditFilter::default()
        };
        for (filter, expected) in [
            (here, "SEARCH audit USING INDEX audit_by_environment (environment=? AND number<?)"),
            (by_zoe, "SEARCH audit USING INDEX audit_by_actor (actor=? AND number<?)"),
            (AuditFilter::default(), "SEARCH audit USING INTEGER PRIMARY KEY (rowid<?)"),
        ] {
            let statement = prepare_audit(&connection, &filter).unwrap();
            assert_eq!(plan::of(&connection, &statement.expanded_sql().unwrap()), expected);
        }
    }

    #[test]
    fn what_is_forgotten_is_found_by_its_time() {
        let connection = plan::database();
        for (sql, index) in [
            (FORGET_SESSIONS, "sessions_by_end (ends_at<?)"),
            (FORGET_ENTRIES, "audit_by_time (at<?)"),
            (FORGET_SPANS, "activity_by_time (from_at<?)"),
        ] {
            let plan = plan::of(&connection, sql);
            assert!(
                plan.contains(index) && !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"),
                "{plan}"
            );
        }
    }
}
