//! Webhooks, their health, and the routing that is made of them.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params};
use tidings_model::{
    DisableReason, EnvironmentId, SealedSecret, SealedSecretSet, TenantId, Timestamp, Webhook, WebhookHealth, WebhookId, WebhookState,
};
use tidings_store::{CreateWebhookError, Page, ReplaceWebhookError, Routing, RoutingChanges, WebhookFilter, WebhookWithHealth};

use crate::codes::Code;
use crate::environments;
use crate::fault::{Fault, Outcome, exactly_one};
use crate::record::{Record, sql_count};
use crate::writer::WriteTx;

/// Adds a webhook.
pub(crate) fn create(tx: &mut WriteTx<'_>, webhook: &Webhook) -> Outcome<Result<(), CreateWebhookError>> {
    let Some(environment) = environments::short_id(tx.connection, webhook.environment)? else {
        return Ok(Err(CreateWebhookError::NoEnvironment));
    };
    let added = tx
        .connection
        .prepare_cached(
            "-- webhooks::create: the webhook
             INSERT INTO webhooks (id, environment, tenant, name, description, url, secret, old_secret, old_until, subscription, headers,
                                   disabled_at, disabled_why, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(columns(webhook, environment)?)?;
    if added == 0 {
        return Ok(Err(CreateWebhookError::IdTaken));
    }
    note_change(tx, environment, webhook.id.raw())?;
    Ok(Ok(()))
}

/// One webhook with its health.
pub(crate) fn one(connection: &Connection, environment: EnvironmentId, id: WebhookId) -> Outcome<Option<WebhookWithHealth>> {
    let Some(short) = environments::short_id(connection, environment)? else {
        return Ok(None);
    };
    connection
        .prepare_cached(
            "-- webhooks::one: by its id, with its health
             SELECT w.*, h.attempts, h.failures, h.last_attempt_at, h.failing_since
             FROM webhooks w LEFT JOIN webhook_health h ON h.webhook = w.id
             WHERE w.id = ?1 AND w.environment = ?2 AND w.deleted_at IS NULL",
        )?
        .query_and_then([id.raw(), short], |row| with_health(row, environment))?
        .next()
        .transpose()
}

/// Webhooks of an environment, newest first.
pub(crate) fn list(
    connection: &Connection,
    environment: EnvironmentId,
    filter: &WebhookFilter,
    page: Page<WebhookId>,
) -> Outcome<Vec<WebhookWithHealth>> {
    let Some(short) = environments::short_id(connection, environment)? else {
        return Ok(Vec::new());
    };
    connection
        .prepare_cached(
            "-- webhooks::list: newest first, with their health
             SELECT w.*, h.attempts, h.failures, h.last_attempt_at, h.failing_since
             FROM webhooks w LEFT JOIN webhook_health h ON h.webhook = w.id
             WHERE w.environment = ?1 AND w.deleted_at IS NULL AND w.id < ?2
               AND (?3 IS NULL OR w.tenant = ?3)
               AND (?4 IS NULL OR instr(lower(w.name), ?4) > 0 OR instr(lower(w.url), ?4) > 0)
               AND (?5 IS NULL OR (w.disabled_at IS NULL) = ?5)
               AND (NOT ?8 OR w.disabled_why IN (1, 2) OR h.failing_since IS NOT NULL)
             ORDER BY w.id DESC LIMIT ?6 OFFSET ?7",
        )?
        .query_and_then(
            params![
                short,
                page.before.map_or(i64::MAX, WebhookId::raw),
                filter.tenant.as_ref().map(TenantId::as_str),
                filter.search.as_ref().map(|text| text.to_ascii_lowercase()),
                filter.active,
                sql_count(page.limit),
                sql_count(page.skip),
                filter.in_trouble,
            ],
            |row| with_health(row, environment),
        )?
        .collect()
}

/// Replaces a webhook that nobody changed in between.
pub(crate) fn replace(tx: &mut WriteTx<'_>, webhook: &Webhook, unchanged_since: Timestamp) -> Outcome<Result<(), ReplaceWebhookError>> {
    tx.settle_health()?;
    let Some(environment) = environments::short_id(tx.connection, webhook.environment)? else {
        return Ok(Err(ReplaceWebhookError::NotFound));
    };
    let Some(before) = one(tx.connection, webhook.environment, webhook.id)? else {
        return Ok(Err(ReplaceWebhookError::NotFound));
    };
    if before.webhook.updated_at != unchanged_since {
        return Ok(Err(ReplaceWebhookError::Changed));
    }
    let rows = tx
        .connection
        .prepare_cached(
            "-- webhooks::replace: everything of it
             UPDATE webhooks
             SET tenant = ?3, name = ?4, description = ?5, url = ?6, secret = ?7, old_secret = ?8, old_until = ?9, subscription = ?10,
                 headers = ?11, disabled_at = ?12, disabled_why = ?13, created_at = ?14, updated_at = ?15
             WHERE id = ?1 AND environment = ?2 AND deleted_at IS NULL",
        )?
        .execute(columns(webhook, environment)?)?;
    exactly_one(rows, "webhooks", webhook.id)?;
    if webhook.state.is_active() && !before.webhook.state.is_active() {
        tx.connection
            .prepare_cached(
                "-- webhooks::replace: health starts anew
                 DELETE FROM webhook_health WHERE webhook = ?1",
            )?
            .execute([webhook.id.raw()])?;
    }
    note_change(tx, environment, webhook.id.raw())?;
    Ok(Ok(()))
}

/// Deletes a webhook; what its log needs of it stays.
pub(crate) fn delete(tx: &mut WriteTx<'_>, environment: EnvironmentId, id: WebhookId, at: Timestamp) -> Outcome<bool> {
    tx.settle_health()?;
    let Some(environment) = environments::short_id(tx.connection, environment)? else {
        return Ok(false);
    };
    let rows = tx
        .connection
        .prepare_cached(
            "-- webhooks::delete: keep whose it was, drop the rest
             UPDATE webhooks
             SET deleted_at = ?3, description = '', url = '', secret = NULL, old_secret = NULL, old_until = NULL, headers = NULL
             WHERE id = ?1 AND environment = ?2 AND deleted_at IS NULL",
        )?
        .execute(params![id.raw(), environment, at.as_millis()])?;
    if rows == 1 {
        note_change(tx, environment, id.raw())?;
    }
    Ok(rows == 1)
}

/// Deletes all webhooks of an environment that is being deleted, which is not told when: then is when they were last changed.
pub(crate) fn delete_all(connection: &Connection, environment: i64) -> Outcome<()> {
    connection
        .prepare_cached(
            "-- webhooks::delete_all: keep whose they were, drop the rest
             UPDATE webhooks
             SET deleted_at = updated_at, description = '', url = '', secret = NULL, old_secret = NULL, old_until = NULL, headers = NULL
             WHERE environment = ?1 AND deleted_at IS NULL",
        )?
        .execute([environment])?;
    Ok(())
}

/// Disables an active webhook.
pub(crate) fn disable(tx: &mut WriteTx<'_>, id: WebhookId, why: DisableReason, at: Timestamp) -> Outcome<bool> {
    tx.settle_health()?;
    let environment = tx
        .connection
        .prepare_cached(
            "-- webhooks::disable: only when it is active
             UPDATE webhooks SET disabled_at = ?2, disabled_why = ?3, updated_at = max(?2, updated_at + 1)
             WHERE id = ?1 AND disabled_at IS NULL AND deleted_at IS NULL
             RETURNING environment",
        )?
        .query_and_then(params![id.raw(), at.as_millis(), why.code()], |row| row.get::<_, i64>(0))?
        .next()
        .transpose()?;
    if let Some(environment) = environment {
        note_change(tx, environment, id.raw())?;
    }
    Ok(environment.is_some())
}

/// Raises the routing version for a change of a webhook, which is found by that version from now on.
fn note_change(tx: &mut WriteTx<'_>, environment: i64, webhook: i64) -> Outcome<()> {
    environments::raise_version(tx, environment)?;
    let noted = tx
        .connection
        .prepare_cached(
            "-- webhooks::note_change: in the version that it raised
             UPDATE webhooks SET changed = (SELECT routing_version FROM environments WHERE id = ?2) WHERE id = ?1",
        )?
        .execute([webhook, environment])?;
    exactly_one(noted, "webhooks", webhook)
}

/// Everything that matching and sending need of an environment.
pub(crate) fn routing(connection: &Connection, id: EnvironmentId) -> Outcome<Option<Routing>> {
    let Some((short, mut routing)) = environments::routing(connection, id)? else {
        return Ok(None);
    };
    routing.webhooks = connection
        .prepare_cached(
            "-- webhooks::routing: all of an environment
             SELECT * FROM webhooks WHERE environment = ?1 AND deleted_at IS NULL ORDER BY id",
        )?
        .query_and_then([short], |row| webhook(row, id))?
        .collect::<Outcome<_>>()?;
    Ok(Some(routing))
}

/// What has changed of that since a version.
pub(crate) fn routing_changes(connection: &Connection, id: EnvironmentId, since: u64) -> Outcome<Option<RoutingChanges>> {
    let Some((short, mut routing)) = environments::routing(connection, id)? else {
        return Ok(None);
    };
    routing.webhooks = connection
        .prepare_cached(
            "-- webhooks::routing_changes: those that are there
             SELECT * FROM webhooks WHERE environment = ?1 AND changed > ?2 AND deleted_at IS NULL ORDER BY id",
        )?
        .query_and_then(params![short, since], |row| webhook(row, id))?
        .collect::<Outcome<_>>()?;
    let deleted = connection
        .prepare_cached(
            "-- webhooks::routing_changes: those that are not
             SELECT id FROM webhooks WHERE environment = ?1 AND changed > ?2 AND deleted_at IS NOT NULL ORDER BY id",
        )?
        .query_and_then(params![short, since], |row| {
            Record::new(row, "webhooks", &["id"]).convert("id", WebhookId::from_raw)
        })?
        .collect::<Outcome<_>>()?;
    Ok(Some(RoutingChanges { routing, deleted }))
}

/// A whole webhook as the parameters of the statements that write it.
fn columns(webhook: &Webhook, environment: i64) -> Outcome<[Value; 15]> {
    let (disabled_at, disabled_why) = match webhook.state {
        WebhookState::Active => (None, None),
        WebhookState::Disabled { at, why } => (Some(at.as_millis()), Some(why.code())),
    };
    let (old_secret, old_until) = match webhook.secrets.rotating_out.clone() {
        Some((secret, until)) => (Some(secret.0), Some(until.as_millis())),
        None => (None, None),
    };
    let subscription = serde_json::to_string(&webhook.subscription)
        .map_err(|error| Fault::Damaged(format!("the subscription of {} cannot be written: {error}", webhook.id)))?;
    Ok([
        webhook.id.raw().into(),
        environment.into(),
        webhook.tenant.as_ref().map(ToString::to_string).into(),
        webhook.name.clone().into(),
        webhook.description.clone().into(),
        webhook.url.clone().into(),
        webhook.secrets.current.clone().map(|secret| secret.0).into(),
        old_secret.into(),
        old_until.into(),
        subscription.into(),
        webhook.headers.clone().map(|headers| headers.0).into(),
        disabled_at.into(),
        disabled_why.into(),
        webhook.created_at.as_millis().into(),
        webhook.updated_at.as_millis().into(),
    ])
}

/// A webhook, by its row.
pub(crate) fn webhook(row: &Row<'_>, environment: EnvironmentId) -> Outcome<Webhook> {
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

fn with_health(row: &Row<'_>, environment: EnvironmentId) -> Outcome<WebhookWithHealth> {
    let record = Record::new(row, "webhook_health", &["id"]);
    Ok(WebhookWithHealth {
        webhook: webhook(row, environment)?,
        health: WebhookHealth {
            attempts: record.get::<Option<u64>>("attempts")?.unwrap_or(0),
            failures: record.get::<Option<u64>>("failures")?.unwrap_or(0),
            last_attempt_at: record.optional_time("last_attempt_at")?,
            failing_since: record.optional_time("failing_since")?,
        },
    })
}
