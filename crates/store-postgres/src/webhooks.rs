//! Webhooks, their health, and the routing that is made of them.

use deadpool_postgres::{GenericClient, Transaction};
use tidings_model::{
    DisableReason, EnvironmentId, SealedSecret, SealedSecretSet, TenantId, Timestamp, Webhook, WebhookHealth, WebhookId, WebhookState,
};
use tidings_store::{CreateWebhookError, Page, ReplaceWebhookError, Routing, RoutingChanges, WebhookFilter, WebhookWithHealth};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::environments;
use crate::fault::{Fault, Outcome, exactly_one};
use crate::record::{self, Record, rows, run, sql_code, sql_count, storable};

/// What [`webhook`] reads.
pub(crate) const COLUMNS: &str = "w.id, w.tenant, w.name, w.description, w.url, w.secret, w.old_secret, w.old_until, w.subscription, w.headers, \
    w.disabled_at, w.disabled_why, w.created_at, w.updated_at";

/// Adds a webhook.
pub(crate) async fn create(db: &Transaction<'_>, webhook: &Webhook) -> Outcome<Result<(), CreateWebhookError>> {
    let Some(locked) = environments::lock(db, webhook.environment).await? else {
        return Ok(Err(CreateWebhookError::NoEnvironment));
    };
    let written = Written::of(webhook)?;
    let added = run(
        db,
        "-- webhooks::create: the webhook
         INSERT INTO webhooks (id, environment, changed, tenant, name, description, url, secret, old_secret, old_until, subscription, headers,
                               disabled_at, disabled_why, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         ON CONFLICT (id) DO NOTHING",
        &written.parameters(webhook, &locked.row, &locked.next_version),
    )
    .await?;
    if added == 0 {
        return Ok(Err(CreateWebhookError::IdTaken));
    }
    run(
        db,
        "-- webhooks::create: its health
         INSERT INTO webhook_health (webhook, attempts, failures) VALUES ($1, 0, 0)",
        &[&webhook.id.raw()],
    )
    .await?;
    locked.raise(db).await?;
    Ok(Ok(()))
}

/// One webhook with its health.
pub(crate) async fn one(db: &impl GenericClient, environment: EnvironmentId, id: WebhookId) -> Outcome<Option<WebhookWithHealth>> {
    let found = record::row(
        db,
        &format!(
            "-- webhooks::one: by its id, with its health
             SELECT {COLUMNS}, h.attempts, h.failures, h.last_attempt_at, h.failing_since
             FROM webhooks w JOIN environments e ON e.id = w.environment LEFT JOIN webhook_health h ON h.webhook = w.id
             WHERE w.id = $1 AND e.uuid = $2 AND NOT e.deleted AND w.deleted_at IS NULL"
        ),
        &[&id.raw(), environment.as_uuid()],
    )
    .await?;
    found.map(|row| with_health(&row, environment)).transpose()
}

/// Webhooks of an environment, newest first.
pub(crate) async fn list(
    db: &impl GenericClient,
    environment: EnvironmentId,
    filter: &WebhookFilter,
    page: Page<WebhookId>,
) -> Outcome<Vec<WebhookWithHealth>> {
    if !filter.search.as_deref().is_none_or(storable) {
        return Ok(Vec::new());
    }
    let found = rows(
        db,
        &format!(
            "-- webhooks::list: newest first, with their health
             SELECT {COLUMNS}, h.attempts, h.failures, h.last_attempt_at, h.failing_since
             FROM webhooks w LEFT JOIN webhook_health h ON h.webhook = w.id
             WHERE w.environment = (SELECT id FROM environments WHERE uuid = $1 AND NOT deleted) AND w.deleted_at IS NULL AND w.id < $2
               AND ($3::text IS NULL OR w.tenant = $3)
               AND ($4::text IS NULL OR strpos(lower(w.name), $4) > 0 OR strpos(lower(w.url), $4) > 0)
               AND ($5::boolean IS NULL OR (w.disabled_at IS NULL) = $5)
               AND (NOT $8::boolean OR w.disabled_why IN (1, 2) OR h.failing_since IS NOT NULL)
             ORDER BY w.id DESC LIMIT $6 OFFSET $7"
        ),
        &[
            environment.as_uuid(),
            &page.before.map_or(i64::MAX, WebhookId::raw),
            &filter.tenant.as_ref().map(TenantId::as_str),
            &filter.search.as_ref().map(|text| text.to_ascii_lowercase()),
            &filter.active,
            &sql_count(page.limit),
            &sql_count(page.skip),
            &filter.in_trouble,
        ],
    )
    .await?;
    found.iter().map(|row| with_health(row, environment)).collect()
}

/// Replaces a webhook that has not changed since it was read.
pub(crate) async fn replace(
    db: &Transaction<'_>,
    webhook: &Webhook,
    unchanged_since: Timestamp,
) -> Outcome<Result<(), ReplaceWebhookError>> {
    let Some(locked) = environments::lock(db, webhook.environment).await? else {
        return Ok(Err(ReplaceWebhookError::NotFound));
    };
    let Some(before) = one(db, webhook.environment, webhook.id).await? else {
        return Ok(Err(ReplaceWebhookError::NotFound));
    };
    if before.webhook.updated_at != unchanged_since {
        return Ok(Err(ReplaceWebhookError::Changed));
    }
    let written = Written::of(webhook)?;
    let replaced = run(
        db,
        "-- webhooks::replace: everything of it
         UPDATE webhooks
         SET changed = $3, tenant = $4, name = $5, description = $6, url = $7, secret = $8, old_secret = $9, old_until = $10, subscription = $11,
             headers = $12, disabled_at = $13, disabled_why = $14, created_at = $15, updated_at = $16
         WHERE id = $1 AND environment = $2 AND deleted_at IS NULL",
        &written.parameters(webhook, &locked.row, &locked.next_version),
    )
    .await?;
    exactly_one(replaced, "webhooks", webhook.id)?;
    if webhook.state.is_active() && !before.webhook.state.is_active() {
        run(
            db,
            "-- webhooks::replace: health starts anew
             UPDATE webhook_health SET attempts = 0, failures = 0, last_attempt_at = NULL, failing_since = NULL WHERE webhook = $1",
            &[&webhook.id.raw()],
        )
        .await?;
    }
    locked.raise(db).await?;
    Ok(Ok(()))
}

/// Deletes a webhook; what its log needs of it stays.
pub(crate) async fn delete(db: &Transaction<'_>, environment: EnvironmentId, id: WebhookId, at: Timestamp) -> Outcome<bool> {
    let Some(locked) = environments::lock(db, environment).await? else {
        return Ok(false);
    };
    let deleted = run(
        db,
        "-- webhooks::delete: keep whose it was, drop the rest
         UPDATE webhooks
         SET deleted_at = $3, changed = $4, description = '', url = '', secret = NULL, old_secret = NULL, old_until = NULL, headers = NULL
         WHERE id = $1 AND environment = $2 AND deleted_at IS NULL",
        &[&id.raw(), &locked.row, &at.as_millis(), &locked.next_version],
    )
    .await?;
    if deleted == 0 {
        return Ok(false);
    }
    run(
        db,
        "-- webhooks::delete: it has no health any more
         DELETE FROM webhook_health WHERE webhook = $1",
        &[&id.raw()],
    )
    .await?;
    locked.raise(db).await?;
    Ok(true)
}

/// Deletes all webhooks of an environment that is being deleted, which is not told when: then is when they were last changed.
pub(crate) async fn delete_all(db: &Transaction<'_>, environment: i64) -> Outcome<()> {
    run(
        db,
        "-- webhooks::delete_all: they have no health any more
         DELETE FROM webhook_health WHERE webhook IN (SELECT id FROM webhooks WHERE environment = $1)",
        &[&environment],
    )
    .await?;
    run(
        db,
        "-- webhooks::delete_all: keep whose they were, drop the rest
         UPDATE webhooks
         SET deleted_at = updated_at, description = '', url = '', secret = NULL, old_secret = NULL, old_until = NULL, headers = NULL
         WHERE environment = $1 AND deleted_at IS NULL",
        &[&environment],
    )
    .await?;
    Ok(())
}

/// Disables an active webhook.
pub(crate) async fn disable(db: &Transaction<'_>, id: WebhookId, why: DisableReason, at: Timestamp) -> Outcome<bool> {
    let home = record::row(
        db,
        "-- webhooks::disable: whose it is
         SELECT w.id, e.uuid FROM webhooks w JOIN environments e ON e.id = w.environment WHERE w.id = $1 AND w.deleted_at IS NULL",
        &[&id.raw()],
    )
    .await?;
    let Some(home) = home else { return Ok(false) };
    let environment = Record::new(&home, "webhooks", &["id"]).environment("uuid")?;
    let Some(locked) = environments::lock(db, environment).await? else {
        return Ok(false);
    };
    let disabled = run(
        db,
        "-- webhooks::disable: only when it is active
         UPDATE webhooks SET disabled_at = $2, disabled_why = $3, changed = $4, updated_at = greatest($2, updated_at + 1)
         WHERE id = $1 AND disabled_at IS NULL AND deleted_at IS NULL",
        &[&id.raw(), &at.as_millis(), &sql_code(why), &locked.next_version],
    )
    .await?;
    if disabled == 0 {
        return Ok(false);
    }
    locked.raise(db).await?;
    Ok(true)
}

/// Everything that matching and sending need of an environment.
pub(crate) async fn routing(db: &impl GenericClient, id: EnvironmentId) -> Outcome<Option<Routing>> {
    let Some((short, mut routing)) = environments::routing(db, id).await? else {
        return Ok(None);
    };
    let found = rows(
        db,
        &format!(
            "-- webhooks::routing: all of an environment
             SELECT {COLUMNS} FROM webhooks w WHERE w.environment = $1 AND w.deleted_at IS NULL ORDER BY w.id"
        ),
        &[&short],
    )
    .await?;
    routing.webhooks = found.iter().map(|row| webhook(row, id)).collect::<Outcome<_>>()?;
    Ok(Some(routing))
}

/// What has changed of that since a version.
pub(crate) async fn routing_changes(db: &impl GenericClient, id: EnvironmentId, since: u64) -> Outcome<Option<RoutingChanges>> {
    let Some((short, mut routing)) = environments::routing(db, id).await? else {
        return Ok(None);
    };
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let changed = rows(
        db,
        &format!(
            "-- webhooks::routing_changes: those that are there, and those that are not any more
             SELECT {COLUMNS}, w.deleted_at FROM webhooks w WHERE w.environment = $1 AND w.changed > $2 ORDER BY w.id"
        ),
        &[&short, &since],
    )
    .await?;
    let mut deleted = Vec::new();
    for row in &changed {
        let record = Record::new(row, "webhooks", &["id"]);
        if record.optional_time("deleted_at")?.is_some() {
            deleted.push(record.convert("id", WebhookId::from_raw)?);
        } else {
            routing.webhooks.push(webhook(row, id)?);
        }
    }
    Ok(Some(RoutingChanges { routing, deleted }))
}

/// What of a webhook has to be turned into something else to be written.
struct Written<'a> {
    id: i64,
    tenant: Option<&'a str>,
    secret: Option<&'a [u8]>,
    old_secret: Option<&'a [u8]>,
    old_until: Option<i64>,
    subscription: String,
    headers: Option<&'a [u8]>,
    disabled_at: Option<i64>,
    disabled_why: Option<i16>,
    created_at: i64,
    updated_at: i64,
}

impl<'a> Written<'a> {
    fn of(webhook: &'a Webhook) -> Outcome<Self> {
        let (disabled_at, disabled_why) = match webhook.state {
            WebhookState::Active => (None, None),
            WebhookState::Disabled { at, why } => (Some(at.as_millis()), Some(sql_code(why))),
        };
        let sealed = |secret: &'a SealedSecret| &secret.0[..];
        let rotating_out = webhook.secrets.rotating_out.as_ref();
        Ok(Self {
            id: webhook.id.raw(),
            tenant: webhook.tenant.as_ref().map(TenantId::as_str),
            secret: webhook.secrets.current.as_ref().map(sealed),
            old_secret: rotating_out.map(|(secret, _)| sealed(secret)),
            old_until: rotating_out.map(|(_, until)| until.as_millis()),
            subscription: serde_json::to_string(&webhook.subscription)
                .map_err(|error| Fault::Damaged(format!("the subscription of {} cannot be written: {error}", webhook.id)))?,
            headers: webhook.headers.as_ref().map(sealed),
            disabled_at,
            disabled_why,
            created_at: webhook.created_at.as_millis(),
            updated_at: webhook.updated_at.as_millis(),
        })
    }

    fn parameters<'b>(&'b self, webhook: &'b Webhook, environment: &'b i64, changed: &'b i64) -> [&'b (dyn ToSql + Sync); 16] {
        [
            &self.id,
            environment,
            changed,
            &self.tenant,
            &webhook.name,
            &webhook.description,
            &webhook.url,
            &self.secret,
            &self.old_secret,
            &self.old_until,
            &self.subscription,
            &self.headers,
            &self.disabled_at,
            &self.disabled_why,
            &self.created_at,
            &self.updated_at,
        ]
    }
}

/// A webhook, by its row.
pub(crate) fn webhook(row: &Row, environment: EnvironmentId) -> Outcome<Webhook> {
    let record = Record::new(row, "webhooks", &["id"]);
    let sealed = |column: &str| record.get::<Option<Vec<u8>>>(column).map(|bytes| bytes.map(SealedSecret));
    let state = match (record.optional_time("disabled_at")?, record.optional_code("disabled_why")?) {
        (None, None) => WebhookState::Active,
        (Some(at), Some(why)) => WebhookState::Disabled { at, why },
        _ => return Err(record.damaged("disabled_why", "there with a time, or not there without one")),
    };
    Ok(Webhook {
        id: record.convert("id", WebhookId::from_raw)?,
        environment,
        tenant: record.optional_parse("tenant")?,
        name: record.get("name")?,
        description: record.get("description")?,
        url: record.get("url")?,
        secrets: SealedSecretSet {
            current: sealed("secret")?,
            rotating_out: sealed("old_secret")?.zip(record.optional_time("old_until")?),
        },
        subscription: record.json("subscription")?,
        headers: sealed("headers")?,
        state,
        created_at: record.time("created_at")?,
        updated_at: record.time("updated_at")?,
    })
}

fn with_health(row: &Row, environment: EnvironmentId) -> Outcome<WebhookWithHealth> {
    let record = Record::new(row, "webhook_health", &["id"]);
    let count = |column| record.convert(column, |count: Option<i64>| u64::try_from(count.unwrap_or(0)).ok());
    Ok(WebhookWithHealth {
        webhook: webhook(row, environment)?,
        health: WebhookHealth {
            attempts: count("attempts")?,
            failures: count("failures")?,
            last_attempt_at: record.optional_time("last_attempt_at")?,
            failing_since: record.optional_time("failing_since")?,
        },
    })
}
