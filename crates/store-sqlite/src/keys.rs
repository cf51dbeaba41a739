//! Master keys, the server's own keys, and what they seal. An envelope's bytes two to five are the id of the key that sealed it.

use rusqlite::{Connection, OptionalExtension, params};
use tidings_model::{SealedSecret, SealedSecretSet, Timestamp, WebhookId};
use tidings_store::{MasterKeyId, MasterKeyState, MasterKeyUse, NewServerKey, Reseal, SealedPlace, SealedWebhook, ServerKey};

use crate::codes::Code;
use crate::environments;
use crate::fault::Outcome;
use crate::record::{Record, sql_count};
use crate::writer::WriteTx;

/// The first schema that remembers the master key.
const KEPT_SINCE: u32 = 2;
/// The first schema that remembers those before it, too.
const CHANGED_SINCE: u32 = 7;

/// Asks which master key is remembered; no row when none is.
const KEPT_MASTER_KEY: &str = "
    -- keys::KEPT_MASTER_KEY
    SELECT id FROM master_key";

/// Remembers the master key, once.
pub(crate) fn keep(tx: &WriteTx<'_>, id: MasterKeyId, at: Timestamp) -> Outcome<MasterKeyId> {
    tx.connection
        .prepare_cached(
            "-- keys::keep: the first stays
             INSERT INTO master_key (only, id, since) VALUES (0, ?1, ?2) ON CONFLICT (only) DO NOTHING",
        )?
        .execute(params![id, at.as_millis()])?;
    let kept = tx.connection.query_row(KEPT_MASTER_KEY, [], |row| row.get(0))?;
    Ok(kept)
}

/// Remembers another master key.
pub(crate) fn change(tx: &WriteTx<'_>, id: MasterKeyId, at: Timestamp) -> Outcome<bool> {
    let moved = tx
        .connection
        .prepare_cached(
            "-- keys::change: the one before is retiring
             INSERT INTO former_master_keys (id, since, retired) SELECT id, since, 0 FROM master_key WHERE id <> ?1",
        )?
        .execute([id])?;
    if moved == 0 {
        return Ok(false);
    }
    tx.connection
        .prepare_cached(
            "-- keys::change: it may have been here before
             DELETE FROM former_master_keys WHERE id = ?1",
        )?
        .execute([id])?;
    tx.connection
        .prepare_cached(
            "-- keys::change: it seals
             UPDATE master_key SET id = ?1, since = ?2",
        )?
        .execute(params![id, at.as_millis()])?;
    Ok(true)
}

/// Notes that nothing is left of what a master key sealed.
pub(crate) fn retire(tx: &WriteTx<'_>, id: MasterKeyId) -> Outcome<bool> {
    if sealed_with(tx.connection, id)? > 0 {
        return Ok(false);
    }
    let retired = tx
        .connection
        .prepare_cached(
            "-- keys::retire: only one that is retiring
             UPDATE former_master_keys SET retired = 1 WHERE id = ?1 AND retired = 0",
        )?
        .execute([id])?;
    Ok(retired == 1)
}

/// Every master key that was ever remembered.
pub(crate) fn all(connection: &Connection) -> Outcome<Vec<MasterKeyUse>> {
    let mut keys = connection
        .prepare_cached(
            "-- keys::all: the current one, then the others, the latest first
             SELECT id, since, NULL AS retired, NULL AS number FROM master_key
             UNION ALL SELECT id, since, retired, number FROM former_master_keys
             ORDER BY number DESC NULLS FIRST",
        )?
        .query_and_then([], |row| {
            let record = Record::new(row, "master_key", &["number"]);
            let state = match record.get::<Option<bool>>("retired")? {
                None => MasterKeyState::Current,
                Some(false) => MasterKeyState::Retiring,
                Some(true) => MasterKeyState::Retired,
            };
            Ok(MasterKeyUse {
                id: record.get("id")?,
                state,
                since: record.time("since")?,
                sealed: 0,
            })
        })?
        .collect::<Outcome<Vec<_>>>()?;
    for key in &mut keys {
        key.sealed = sealed_with(connection, key.id)?;
    }
    Ok(keys)
}

/// The master keys without which something in a database of that schema cannot be opened: the one that seals now, then those that sealed something
/// that is not sealed anew yet.
pub(crate) fn needed(connection: &Connection, schema: u32) -> Outcome<Vec<MasterKeyId>> {
    match schema {
        ..KEPT_SINCE => Ok(Vec::new()),
        KEPT_SINCE..CHANGED_SINCE => {
            let kept = connection.query_row(KEPT_MASTER_KEY, [], |row| row.get(0)).optional()?;
            Ok(kept.into_iter().collect())
        }
        _ => {
            let keys = all(connection)?.into_iter();
            let needed = keys.filter(|key| key.state == MasterKeyState::Current || key.sealed > 0);
            Ok(needed.map(|key| key.id).collect())
        }
    }
}

fn sealed_with(connection: &Connection, id: MasterKeyId) -> Outcome<u64> {
    let sealed = connection
        .prepare_cached(
            "-- keys::sealed_with: in one walk through the webhooks
             SELECT (SELECT coalesce(sum((secret IS NOT NULL AND substr(secret, 2, 4) = ?1) + (old_secret IS NOT NULL AND substr(old_secret, 2, 4) = ?1)
                            + (headers IS NOT NULL AND substr(headers, 2, 4) = ?1)), 0) FROM webhooks)
                  + (SELECT count(*) FROM server_keys WHERE substr(sealed, 2, 4) = ?1)",
        )?
        .query_row([id], |row| row.get(0))?;
    Ok(sealed)
}

/// Webhooks that keep something which another master key sealed.
pub(crate) fn sealed_webhooks(
    connection: &Connection,
    but: MasterKeyId,
    after: Option<WebhookId>,
    limit: usize,
) -> Outcome<Vec<SealedWebhook>> {
    connection
        .prepare_cached(
            "-- keys::sealed_webhooks: by id
             SELECT w.id, e.uuid AS environment, w.secret, w.old_secret, w.old_until, w.headers
             FROM webhooks w JOIN environments e ON e.id = w.environment
             WHERE w.id > ?2 AND w.deleted_at IS NULL
               AND (substr(w.secret, 2, 4) <> ?1 OR substr(w.old_secret, 2, 4) <> ?1 OR substr(w.headers, 2, 4) <> ?1)
             ORDER BY w.id LIMIT ?3",
        )?
        .query_and_then(params![but, after.map_or(0, WebhookId::raw), sql_count(limit)], |row| {
            let record = Record::new(row, "webhooks", &["id"]);
            let sealed = |column: &str| record.get::<Option<Vec<u8>>>(column).map(|bytes| bytes.map(SealedSecret));
            Ok(SealedWebhook {
                environment: environments::uuid(&record, "environment")?,
                id: record.convert("id", WebhookId::from_raw)?,
                secrets: SealedSecretSet {
                    current: sealed("secret")?,
                    rotating_out: sealed("old_secret")?.zip(record.optional_time("old_until")?),
                },
                headers: sealed("headers")?,
            })
        })?
        .collect()
}

/// Replaces sealed values that are still what they were.
pub(crate) fn reseal(tx: &WriteTx<'_>, values: &[Reseal]) -> Outcome<usize> {
    let mut done = 0;
    for Reseal { place, from, to } in values {
        let (sql, row) = match place {
            SealedPlace::Secret(id) => (
                "-- keys::reseal: a secret
                 UPDATE webhooks SET secret = ?3 WHERE id = ?1 AND secret = ?2",
                id.raw(),
            ),
            SealedPlace::RotatingOut(id) => (
                "-- keys::reseal: a secret that is being rotated out
                 UPDATE webhooks SET old_secret = ?3 WHERE id = ?1 AND old_secret = ?2",
                id.raw(),
            ),
            SealedPlace::Headers(id) => (
                "-- keys::reseal: headers
                 UPDATE webhooks SET headers = ?3 WHERE id = ?1 AND headers = ?2",
                id.raw(),
            ),
            SealedPlace::ServerKey(number) => (
                "-- keys::reseal: a key of the server's own
                 UPDATE server_keys SET sealed = ?3 WHERE number = ?1 AND sealed = ?2",
                i64::try_from(*number).unwrap_or(i64::MAX),
            ),
        };
        done += tx.connection.prepare_cached(sql)?.execute(params![row, from.0, to.0])?;
    }
    Ok(done)
}

/// The server's own keys.
pub(crate) fn own(connection: &Connection) -> Outcome<Vec<ServerKey>> {
    connection
        .prepare_cached(
            "-- keys::own: by number
             SELECT number, purpose, sealed, made_at, ends_at FROM server_keys ORDER BY number",
        )?
        .query_and_then([], |row| {
            let record = Record::new(row, "server_keys", &["number"]);
            Ok(ServerKey {
                number: record.get("number")?,
                purpose: record.code("purpose")?,
                sealed: SealedSecret(record.get("sealed")?),
                made_at: record.time("made_at")?,
                ends_at: record.optional_time("ends_at")?,
            })
        })?
        .collect()
}

/// Puts a key of the server's own in the place of the one in use.
pub(crate) fn change_own(tx: &WriteTx<'_>, new: &NewServerKey) -> Outcome<bool> {
    let purpose = new.purpose.code();
    let in_use: Option<u64> = tx
        .connection
        .prepare_cached(
            "-- keys::change_own: the one in use
             SELECT number FROM server_keys WHERE purpose = ?1 AND ends_at IS NULL",
        )?
        .query_row([purpose], |row| row.get(0))
        .optional()?;
    if in_use != new.replaces {
        return Ok(false);
    }
    tx.connection
        .prepare_cached(
            "-- keys::change_own: the others end
             UPDATE server_keys SET ends_at = min(coalesce(ends_at, ?2), ?2) WHERE purpose = ?1",
        )?
        .execute(params![purpose, new.older_until.as_millis()])?;
    tx.connection
        .prepare_cached(
            "-- keys::change_own: those that have ended are forgotten
             DELETE FROM server_keys WHERE purpose = ?1 AND ends_at <= ?2",
        )?
        .execute(params![purpose, new.at.as_millis()])?;
    tx.connection
        .prepare_cached(
            "-- keys::change_own: the new one
             INSERT INTO server_keys (purpose, sealed, made_at) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![purpose, new.sealed.0, new.at.as_millis()])?;
    Ok(true)
}
