//! What can go wrong inside a verb, before it becomes the store's error.

use std::fmt;

use rusqlite::{Error, ErrorCode};
use tidings_store::StoreError;

/// A verb that could not be done; its transaction is rolled back.
#[derive(Debug)]
pub(crate) enum Fault {
    /// SQLite said no.
    Sql(Error),
    /// A row says something that it cannot mean: which table, column and row.
    Damaged(String),
}

/// What a verb gives.
pub(crate) type Outcome<T> = Result<T, Fault>;

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Damaged(what) => Self::Damaged(what),
            Fault::Sql(error) if is_damage(&error) => Self::Damaged(error.to_string()),
            Fault::Sql(error) => Self::Unavailable(error.to_string()),
        }
    }
}

/// True when the error speaks of the bytes in the file rather than of the moment.
pub(crate) fn is_damage(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation)
    ) || matches!(
        error,
        Error::FromSqlConversionFailure(..) | Error::IntegralValueOutOfRange(..) | Error::InvalidColumnType(..) | Error::Utf8Error(..)
    )
}

/// Checks that a statement changed the one row that it was meant for.
pub(crate) fn exactly_one(rows: usize, table: &'static str, row: impl fmt::Display) -> Outcome<()> {
    if rows == 1 {
        return Ok(());
    }
    Err(Fault::Damaged(format!(
        "table {table}: {rows} rows were changed where only row {row} should be"
    )))
}
