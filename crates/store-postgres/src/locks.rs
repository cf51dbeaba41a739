//! What nodes take turns at. An advisory lock is held until its transaction ends; a statement after it sees everything that was committed under it before.

use deadpool_postgres::GenericClient;

use crate::fault::Outcome;
use crate::record::run;

/// Something that one transaction at a time does in the whole database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Changing the schema.
    Schema,
    /// Appending events, and raising the routing version that appends are held against.
    Road,
    /// Naming environments.
    Names,
    /// Changing people.
    People,
    /// Changing the keys that seal and sign.
    Keys,
}

impl Turn {
    /// The number of its lock; an older version beside this one has to mean the same by it.
    pub(crate) const fn lock(self) -> i64 {
        let number = match self {
            Self::Schema => 0,
            Self::Road => 1,
            Self::Names => 2,
            Self::People => 3,
            Self::Keys => 4,
        };
        0x7469_6469_6e67_0000 + number // "tiding", so that nobody else in the database has it
    }
}

/// Waits for a lock. The parameter is its number.
pub(crate) const TAKE: &str = "-- locks::take: until the transaction ends
    SELECT pg_advisory_xact_lock($1)";

/// Waits until nobody has this turn, and keeps whoever wants to take it waiting until the transaction ends. Many may share it.
pub(crate) async fn share(db: &impl GenericClient, turn: Turn) -> Outcome<()> {
    let sql = "-- locks::share: until the transaction ends\n SELECT pg_advisory_xact_lock_shared($1)";
    run(db, sql, &[&turn.lock()]).await?;
    Ok(())
}

/// Waits for this transaction's turn.
pub(crate) async fn take(db: &impl GenericClient, turn: Turn) -> Outcome<()> {
    run(db, TAKE, &[&turn.lock()]).await?;
    Ok(())
}
