//! Whether a server keeps what it is given, and understands what it is told.

use deadpool_postgres::Transaction;

use crate::fault::Outcome;
use crate::record::{Record, row};
use crate::store::OpenError;

/// The oldest version that statements are written for, as the server numbers it.
const OLDEST: i32 = 140_000;

/// Refuses a server that cannot be used, and warns of one that loses what it has answered for.
pub(crate) async fn look(db: &Transaction<'_>) -> Outcome<Result<(), OpenError>> {
    let found = row(
        db,
        "-- fitness::look: at the settings that matter
         SELECT current_setting('server_version_num')::integer AS version, current_setting('server_version') AS name,
                current_setting('server_encoding') AS encoding, current_setting('fsync')::boolean AS fsync,
                current_setting('full_page_writes')::boolean AS full_page_writes",
        &[],
    )
    .await?;
    let Some(row) = found else { return Ok(Ok(())) };
    let record = Record::new(&row, "settings", &["name"]);
    let (version, name): (i32, &str) = (record.get("version")?, record.get("name")?);
    if version < OLDEST {
        let why = format!("it is PostgreSQL {name}: use version 14 or newer");
        return Ok(Err(OpenError::Unfit { why }));
    }
    let encoding: &str = record.get("encoding")?;
    if encoding != "UTF8" {
        let why = format!("the database keeps text as {encoding}: make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0");
        return Ok(Err(OpenError::Unfit { why }));
    }
    for setting in ["fsync", "full_page_writes"] {
        if !record.get::<bool>(setting)? {
            tracing::warn!(
                setting,
                "the database server has this setting off: events that were accepted may be lost when its power goes"
            );
        }
    }
    Ok(Ok(()))
}
