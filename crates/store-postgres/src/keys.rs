//! Master keys, the server's own keys, and what they seal. An envelope's bytes two to five are the id of the key that sealed it.

use deadpool_postgres::{GenericClient, Transaction};
use tidings_model::{SealedSecret, SealedSecretSet, Timestamp, WebhookId};
use tidings_store::{MasterKeyId, MasterKeyState, MasterKeyUse, NewServerKey, Reseal, SealedPlace, SealedWebhook, ServerKey};
use tokio_postgres::Row;

use crate::changes;
use crate::fault::{Fault, Outcome};
use crate::locks::{self, Turn};
use crate::record::{self, Record, count, rows, run, sql_code, sql_count};

const CURRENT: i16 = 0;
const RETIRING: i16 = 1;
const RETIRED: i16 = 2;

/// Remembers the master key, once.
pub(crate) async fn keep(db: &Transaction<'_>, id: MasterKeyId, at: Timestamp) -> Outcome<MasterKeyId> {
    locks::take(db, Turn::Keys).await?;
    if let Some(kept) = current(db).await? {
        return Ok(kept);
    }
    insert(db, id, at).await?;
    Ok(id)
}

async fn current(db: &Transaction<'_>) -> Outcome<Option<MasterKeyId>> {
    let found = record::row(
        db,
        "-- keys::current: the one that seals
         SELECT number, id FROM master_keys WHERE state = 0",
        &[],
    )
    .await?;
    found
        .map(|row| master_key_id(&Record::new(&row, "master_keys", &["number"])))
        .transpose()
}

async fn insert(db: &Transaction<'_>, id: MasterKeyId, at: Timestamp) -> Outcome<()> {
    run(
        db,
        "-- keys::insert: it seals
         INSERT INTO master_keys (id, state, since) VALUES ($1, $2, $3)",
        &[&&id[..], &CURRENT, &at.as_millis()],
    )
    .await?;
    Ok(())
}

/// Remembers another master key.
pub(crate) async fn change(db: &Transaction<'_>, id: MasterKeyId, at: Timestamp) -> Outcome<bool> {
    locks::take(db, Turn::Keys).await?;
    if current(db).await?.is_none_or(|before| before == id) {
        return Ok(false);
    }
    run(
        db,
        "-- keys::change: it may have been here before
         DELETE FROM master_keys WHERE id = $1",
        &[&&id[..]],
    )
    .await?;
    run(
        db,
        "-- keys::change: the one before is retiring
         UPDATE master_keys SET state = $1 WHERE state = 0",
        &[&RETIRING],
    )
    .await?;
    insert(db, id, at).await?;
    changes::tell(db).await?;
    Ok(true)
}

/// Notes that nothing is left of what a master key sealed.
pub(crate) async fn retire(db: &Transaction<'_>, id: MasterKeyId) -> Outcome<bool> {
    locks::take(db, Turn::Keys).await?;
    if sealed_with(db, id).await? > 0 {
        return Ok(false);
    }
    let retired = run(
        db,
        "-- keys::retire: only one that is retiring
         UPDATE master_keys SET state = $2 WHERE id = $1 AND state = $3",
        &[&&id[..], &RETIRED, &RETIRING],
    )
    .await?;
    Ok(retired == 1)
}

/// Every master key that was ever remembered.
pub(crate) async fn all(db: &impl GenericClient) -> Outcome<Vec<MasterKeyUse>> {
    let found = rows(
        db,
        "-- keys::all: the current one, then the others, the latest first
         SELECT number, id, state, since FROM master_keys ORDER BY number DESC",
        &[],
    )
    .await?;
    let mut keys = Vec::with_capacity(found.len());
    for row in &found {
        let record = Record::new(row, "master_keys", &["number"]);
        let id = master_key_id(&record)?;
        keys.push(MasterKeyUse {
            id,
            state: record.convert("state", master_key_state)?,
            since: record.time("since")?,
            sealed: sealed_with(db, id).await?,
        });
    }
    Ok(keys)
}

const fn master_key_state(code: i16) -> Option<MasterKeyState> {
    match code {
        CURRENT => Some(MasterKeyState::Current),
        RETIRING => Some(MasterKeyState::Retiring),
        RETIRED => Some(MasterKeyState::Retired),
        _ => None,
    }
}

fn master_key_id(record: &Record<'_>) -> Outcome<MasterKeyId> {
    record.convert("id", |bytes: &[u8]| bytes.try_into().ok())
}

async fn sealed_with(db: &impl GenericClient, id: MasterKeyId) -> Outcome<u64> {
    count(
        db,
        "-- keys::sealed_with: in one walk through the webhooks
         SELECT (SELECT coalesce(sum((secret IS NOT NULL AND substr(secret, 2, 4) = $1)::int
                        + (old_secret IS NOT NULL AND substr(old_secret, 2, 4) = $1)::int
                        + (headers IS NOT NULL AND substr(headers, 2, 4) = $1)::int), 0)::bigint FROM webhooks)
              + (SELECT count(*) FROM server_keys WHERE substr(sealed, 2, 4) = $1)",
        &[&&id[..]],
    )
    .await
}

/// Webhooks that keep something which another master key sealed.
pub(crate) async fn sealed_webhooks(
    db: &impl GenericClient,
    but: MasterKeyId,
    after: Option<WebhookId>,
    limit: usize,
) -> Outcome<Vec<SealedWebhook>> {
    let found = rows(
        db,
        "-- keys::sealed_webhooks: by id
         SELECT w.id, e.uuid, w.secret, w.old_secret, w.old_until, w.headers
         FROM webhooks w JOIN environments e ON e.id = w.environment
         WHERE w.id > $2 AND w.deleted_at IS NULL
           AND (substr(w.secret, 2, 4) <> $1 OR substr(w.old_secret, 2, 4) <> $1 OR substr(w.headers, 2, 4) <> $1)
         ORDER BY w.id LIMIT $3",
        &[&&but[..], &after.map_or(0, WebhookId::raw), &sql_count(limit)],
    )
    .await?;
    found.iter().map(sealed_webhook).collect()
}

fn sealed_webhook(row: &Row) -> Outcome<SealedWebhook> {
    let record = Record::new(row, "webhooks", &["id"]);
    let sealed = |column: &str| record.get::<Option<Vec<u8>>>(column).map(|bytes| bytes.map(SealedSecret));
    Ok(SealedWebhook {
        environment: record.environment("uuid")?,
        id: record.convert("id", WebhookId::from_raw)?,
        secrets: SealedSecretSet {
            current: sealed("secret")?,
            rotating_out: sealed("old_secret")?.zip(record.optional_time("old_until")?),
        },
        headers: sealed("headers")?,
    })
}

/// Replaces sealed values that are still what they were.
pub(crate) async fn reseal(db: &Transaction<'_>, values: &[Reseal]) -> Outcome<usize> {
    locks::take(db, Turn::Keys).await?;
    let mut done = 0;
    for Reseal { place, from, to } in values {
        let (sql, row) = match place {
            SealedPlace::Secret(id) => (
                "-- keys::reseal: a secret
                 UPDATE webhooks SET secret = $3 WHERE id = $1 AND secret = $2",
                id.raw(),
            ),
            SealedPlace::RotatingOut(id) => (
                "-- keys::reseal: a secret that is being rotated out
                 UPDATE webhooks SET old_secret = $3 WHERE id = $1 AND old_secret = $2",
                id.raw(),
            ),
            SealedPlace::Headers(id) => (
                "-- keys::reseal: headers
                 UPDATE webhooks SET headers = $3 WHERE id = $1 AND headers = $2",
                id.raw(),
            ),
            SealedPlace::ServerKey(number) => (
                "-- keys::reseal: a key of the server's own
                 UPDATE server_keys SET sealed = $3 WHERE number = $1 AND sealed = $2",
                i64::try_from(*number).unwrap_or(i64::MAX),
            ),
        };
        done += run(db, sql, &[&row, &from.0, &to.0]).await?;
    }
    Ok(usize::try_from(done).unwrap_or(usize::MAX))
}

/// The server's own keys.
pub(crate) async fn own(db: &impl GenericClient) -> Outcome<Vec<ServerKey>> {
    let found = rows(
        db,
        "-- keys::own: by number
         SELECT number, purpose, sealed, made_at, ends_at FROM server_keys ORDER BY number",
        &[],
    )
    .await?;
    let keys = found.iter().map(|row| {
        let record = Record::new(row, "server_keys", &["number"]);
        Ok::<_, Fault>(ServerKey {
            number: record.number("number")?,
            purpose: record.code("purpose")?,
            sealed: SealedSecret(record.get("sealed")?),
            made_at: record.time("made_at")?,
            ends_at: record.optional_time("ends_at")?,
        })
    });
    keys.collect()
}

/// Puts a key of the server's own in the place of the one in use.
pub(crate) async fn change_own(db: &Transaction<'_>, new: &NewServerKey) -> Outcome<bool> {
    locks::take(db, Turn::Keys).await?;
    let purpose = sql_code(new.purpose);
    let in_use = record::row(
        db,
        "-- keys::change_own: the one in use
         SELECT number FROM server_keys WHERE purpose = $1 AND ends_at IS NULL",
        &[&purpose],
    )
    .await?;
    let in_use = in_use
        .map(|row| Record::new(&row, "server_keys", &["number"]).number("number"))
        .transpose()?;
    if in_use != new.replaces {
        return Ok(false);
    }
    run(
        db,
        "-- keys::change_own: the others end
         UPDATE server_keys SET ends_at = least(ends_at, $2) WHERE purpose = $1",
        &[&purpose, &new.older_until.as_millis()],
    )
    .await?;
    run(
        db,
        "-- keys::change_own: those that have ended are forgotten
         DELETE FROM server_keys WHERE purpose = $1 AND ends_at <= $2",
        &[&purpose, &new.at.as_millis()],
    )
    .await?;
    run(
        db,
        "-- keys::change_own: the new one
         INSERT INTO server_keys (purpose, sealed, made_at) VALUES ($1, $2, $3)",
        &[&purpose, &new.sealed.0, &new.at.as_millis()],
    )
    .await?;
    changes::tell(db).await?;
    Ok(true)
}
