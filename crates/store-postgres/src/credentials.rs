//! Credentials.

use deadpool_postgres::{GenericClient, Transaction};
use tidings_model::{Credential, CredentialId, EnvironmentId, Scopes};
use tokio_postgres::Row;

use crate::changes;
use crate::fault::{Fault, Outcome};
use crate::record::{Record, rows, run, storable};

const READ: i16 = 1;
const WRITE: i16 = 2;
const OPERATOR: i16 = 4;

/// Adds a credential.
pub(crate) async fn create(db: &Transaction<'_>, credential: &Credential) -> Outcome<()> {
    let added = run(
        db,
        "-- credentials::create: the credential; its environment stays until the transaction ends
         INSERT INTO credentials (client_id, environment, name, scopes, secret_hash, created_at)
         SELECT $1, id, $3, $4, $5, $6 FROM environments WHERE uuid = $2 AND NOT deleted FOR SHARE",
        &[
            &credential.id.as_str(),
            credential.environment.as_uuid(),
            &credential.name,
            &bits(credential.scopes),
            &credential.secret_hash,
            &credential.created_at.as_millis(),
        ],
    )
    .await?;
    if added == 0 {
        return Err(Fault::Damaged(format!(
            "there is no environment {} for a credential",
            credential.environment
        )));
    }
    changes::tell(db).await
}

/// All of them, by creation.
pub(crate) async fn all(db: &impl GenericClient) -> Outcome<Vec<Credential>> {
    let found = rows(
        db,
        "-- credentials::all: with the environment's full id
         SELECT c.id, c.client_id, e.uuid, c.name, c.scopes, c.secret_hash, c.created_at
         FROM credentials c JOIN environments e ON e.id = c.environment
         ORDER BY c.id",
        &[],
    )
    .await?;
    found.iter().map(credential).collect()
}

fn credential(row: &Row) -> Outcome<Credential> {
    let record = Record::new(row, "credentials", &["id"]);
    Ok(Credential {
        id: record.parse("client_id")?,
        environment: record.environment("uuid")?,
        name: record.get("name")?,
        scopes: record.get("scopes").map(scopes)?,
        secret_hash: record.get("secret_hash")?,
        created_at: record.time("created_at")?,
    })
}

/// Revokes a credential.
pub(crate) async fn delete(db: &Transaction<'_>, environment: EnvironmentId, id: &CredentialId) -> Outcome<bool> {
    if !storable(id.as_str()) {
        return Ok(false);
    }
    let removed = run(
        db,
        "-- credentials::delete: only in its environment
         DELETE FROM credentials WHERE client_id = $1 AND environment = (SELECT id FROM environments WHERE uuid = $2 AND NOT deleted)",
        &[&id.as_str(), environment.as_uuid()],
    )
    .await?;
    if removed == 0 {
        return Ok(false);
    }
    changes::tell(db).await?;
    Ok(true)
}

const fn bits(scopes: Scopes) -> i16 {
    (if scopes.read { READ } else { 0 }) + (if scopes.write { WRITE } else { 0 }) + (if scopes.operator { OPERATOR } else { 0 })
}

const fn scopes(bits: i16) -> Scopes {
    Scopes {
        read: bits & READ != 0,
        write: bits & WRITE != 0,
        operator: bits & OPERATOR != 0,
    }
}
