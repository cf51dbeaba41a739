//! The audit log and the activity, and forgetting both.

use std::collections::BTreeMap;

use deadpool_postgres::{GenericClient, Transaction};
use tidings_model::{EnvironmentId, Timestamp, WebhookId};
use tidings_store::{Activity, ActivityCounts, AuditEntry, AuditFilter, AuditRecord, Page};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::fault::Outcome;
use crate::record::{Record, rows, run, sql_count, storable};

/// Adds an entry to the audit log.
pub(crate) async fn record_audit(db: &impl GenericClient, entry: &AuditEntry) -> Outcome<()> {
    run(
        db,
        "-- history::record_audit: at the end
         INSERT INTO audit (at, actor, action, environment, target, detail) VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            &entry.at.as_millis(),
            &entry.actor,
            &entry.action,
            &entry.environment.map(|id| *id.as_uuid()),
            &entry.target,
            &entry.detail,
        ],
    )
    .await?;
    Ok(())
}

/// Entries of the audit log, newest first.
pub(crate) async fn audit(db: &impl GenericClient, filter: &AuditFilter, page: Page<u64>) -> Outcome<Vec<AuditRecord>> {
    let texts = [&filter.actor, &filter.action];
    if !texts.into_iter().flatten().all(|text| storable(text)) {
        return Ok(Vec::new());
    }
    // Which index is walked depends on what is asked for, so each has a statement of its own.
    let walk = match (filter.environment, &filter.actor) {
        (Some(_), _) => "environment = $2 AND ($3::text IS NULL OR actor = $3)",
        (None, Some(_)) => "$2::uuid IS NULL AND actor = $3",
        (None, None) => "$2::uuid IS NULL AND $3::text IS NULL",
    };
    let found = rows(
        db,
        &format!(
            "-- history::audit: newest first
             SELECT number, at, actor, action, environment, target, detail FROM audit
             WHERE number < $1 AND {walk} AND ($4::text IS NULL OR starts_with(action, $4))
             ORDER BY number DESC LIMIT $5 OFFSET $6"
        ),
        &[
            &page.before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX),
            &filter.environment.map(|id| *id.as_uuid()),
            &filter.actor,
            &filter.action,
            &sql_count(page.limit),
            &sql_count(page.skip),
        ],
    )
    .await?;
    found.iter().map(audit_record).collect()
}

fn audit_record(row: &Row) -> Outcome<AuditRecord> {
    let record = Record::new(row, "audit", &["number"]);
    Ok(AuditRecord {
        number: record.number("number")?,
        entry: AuditEntry {
            at: record.time("at")?,
            actor: record.get("actor")?,
            action: record.get("action")?,
            environment: record.get::<Option<Uuid>>("environment")?.map(EnvironmentId::from_uuid),
            target: record.get("target")?,
            detail: record.get("detail")?,
        },
    })
}

/// Adds counts to spans, in the order of the spans, as every node does.
pub(crate) async fn add_activity(db: &impl GenericClient, activity: &[Activity]) -> Outcome<()> {
    let mut spans = BTreeMap::<(Uuid, i64, i64), ActivityCounts>::new();
    for added in activity {
        let webhook = added.webhook.map_or(0, WebhookId::raw);
        let span = (*added.environment.as_uuid(), webhook, added.from.as_millis());
        spans.entry(span).or_default().add(added.counts);
    }
    let counts = |which: fn(&ActivityCounts) -> u64| spans.values().map(|counts| which(counts).cast_signed()).collect::<Vec<_>>();
    run(
        db,
        "-- history::add_activity: of environments that are there
         INSERT INTO activity (environment, webhook, from_at, accepted, delivered, failed)
         SELECT e.id, g.webhook, g.from_at, g.accepted, g.delivered, g.failed
         FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
              AS g(uuid, webhook, from_at, accepted, delivered, failed)
         JOIN environments e ON e.uuid = g.uuid AND NOT e.deleted
         ORDER BY e.id, g.webhook, g.from_at
         ON CONFLICT (environment, webhook, from_at) DO UPDATE
         SET accepted = activity.accepted + excluded.accepted, delivered = activity.delivered + excluded.delivered,
             failed = activity.failed + excluded.failed",
        &[
            &spans.keys().map(|span| span.0).collect::<Vec<_>>(),
            &spans.keys().map(|span| span.1).collect::<Vec<_>>(),
            &spans.keys().map(|span| span.2).collect::<Vec<_>>(),
            &counts(|counts| counts.accepted),
            &counts(|counts| counts.delivered),
            &counts(|counts| counts.failed),
        ],
    )
    .await?;
    Ok(())
}

/// What was counted of an environment, or of some of its webhooks.
pub(crate) async fn activity(
    db: &impl GenericClient,
    environment: EnvironmentId,
    webhooks: &[WebhookId],
    from: Timestamp,
    until: Timestamp,
) -> Outcome<Vec<Activity>> {
    let ids = if webhooks.is_empty() {
        vec![0]
    } else {
        webhooks.iter().map(|id| id.raw()).collect()
    };
    let found = rows(
        db,
        "-- history::activity: of the environment or of webhooks
         SELECT a.webhook, a.from_at, a.accepted, a.delivered, a.failed
         FROM activity a
         WHERE a.environment = (SELECT id FROM environments WHERE uuid = $1 AND NOT deleted)
           AND a.webhook = ANY ($2) AND a.from_at >= $3 AND a.from_at < $4
         ORDER BY a.from_at, a.webhook",
        &[environment.as_uuid(), &ids, &from.as_millis(), &until.as_millis()],
    )
    .await?;
    let activity = found.iter().map(|row| {
        let record = Record::new(row, "activity", &["webhook", "from_at"]);
        Ok(Activity {
            environment,
            webhook: WebhookId::from_raw(record.get("webhook")?),
            from: record.time("from_at")?,
            counts: ActivityCounts {
                accepted: record.number("accepted")?,
                delivered: record.number("delivered")?,
                failed: record.number("failed")?,
            },
        })
    });
    activity.collect()
}

const FORGET_SESSIONS: &str = "-- history::forget: sessions that have ended
    DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
const FORGET_ENTRIES: &str = "-- history::forget: old entries of the audit log
    DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE at < $1 ORDER BY at, number LIMIT $2 FOR UPDATE SKIP LOCKED)";
const FORGET_SPANS: &str = "-- history::forget: old activity
    DELETE FROM activity WHERE (environment, webhook, from_at) IN (
        SELECT environment, webhook, from_at FROM activity WHERE from_at < $1 ORDER BY from_at LIMIT $2 FOR UPDATE SKIP LOCKED)";

/// Forgets what is over or too old.
pub(crate) async fn forget(
    db: &Transaction<'_>,
    at: Timestamp,
    audit_before: Timestamp,
    activity_before: Timestamp,
    limit: usize,
) -> Outcome<usize> {
    let mut forgotten = 0;
    for (sql, before) in [
        (FORGET_SESSIONS, at),
        (FORGET_ENTRIES, audit_before),
        (FORGET_SPANS, activity_before),
    ] {
        forgotten += run(db, sql, &[&before.as_millis(), &sql_count(limit)]).await?;
    }
    Ok(usize::try_from(forgotten).unwrap_or(usize::MAX))
}
