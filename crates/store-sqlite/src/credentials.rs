//! Credentials.

use rusqlite::{Connection, params};
use tidings_model::{Credential, CredentialId, EnvironmentId, Scopes};

use crate::environments;
use crate::fault::{Fault, Outcome};
use crate::record::Record;
use crate::writer::WriteTx;

const READ: i64 = 1;
const WRITE: i64 = 2;
const OPERATOR: i64 = 4;

/// Adds a credential.
pub(crate) fn create(tx: &WriteTx<'_>, credential: &Credential) -> Outcome<()> {
    let environment = environments::short_id(tx.connection, credential.environment)?
        .ok_or_else(|| Fault::Damaged(format!("there is no environment {} for a credential", credential.environment)))?;
    tx.connection
        .prepare_cached(
            "-- credentials::create: the credential
             INSERT INTO credentials (client_id, environment, name, scopes, secret_hash, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            credential.id.as_str(),
            environment,
            credential.name,
            scopes_to_bits(credential.scopes),
            credential.secret_hash,
            credential.created_at.as_millis(),
        ])?;
    Ok(())
}

/// All of them, by creation.
pub(crate) fn all(connection: &Connection) -> Outcome<Vec<Credential>> {
    connection
        .prepare_cached(
            "-- credentials::all: with the environment's full id
             SELECT c.id, c.client_id, e.uuid AS environment, c.name, c.scopes, c.secret_hash, c.created_at
             FROM credentials c JOIN environments e ON e.id = c.environment
             ORDER BY c.id",
        )?
        .query_and_then([], |row| {
            let record = Record::new(row, "credentials", &["id"]);
            Ok(Credential {
                id: record.convert("client_id", |text: String| text.parse::<CredentialId>().ok())?,
                environment: environments::uuid(&record, "environment")?,
                name: record.get("name")?,
                scopes: record.get("scopes").map(scopes_from_bits)?,
                secret_hash: record.get("secret_hash")?,
                created_at: record.time("created_at")?,
            })
        })?
        .collect()
}

/// Revokes a credential.
pub(crate) fn delete(tx: &WriteTx<'_>, environment: EnvironmentId, id: &CredentialId) -> Outcome<bool> {
    let Some(environment) = environments::short_id(tx.connection, environment)? else {
        return Ok(false);
    };
    let rows = tx
        .connection
        .prepare_cached(
            "-- credentials::delete: only in its environment
             DELETE FROM credentials WHERE client_id = ?1 AND environment = ?2",
        )?
        .execute(params![id.as_str(), environment])?;
    Ok(rows == 1)
}

const fn scopes_to_bits(scopes: Scopes) -> i64 {
    (if scopes.read { READ } else { 0 }) + (if scopes.write { WRITE } else { 0 }) + (if scopes.operator { OPERATOR } else { 0 })
}

const fn scopes_from_bits(bits: i64) -> Scopes {
    Scopes {
        read: bits & READ != 0,
        write: bits & WRITE != 0,
        operator: bits & OPERATOR != 0,
    }
}
