//! What can go wrong inside a verb, before it becomes the store's error.

use std::error::Error as _;
use std::fmt::{self, Write as _};
use std::io;

use rustls::Error::InvalidCertificate;
use tidings_store::StoreError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// The classes of errors that speak of what is asked for: what no column can have, what breaks a rule of the schema, what is too large.
const REFUSALS: [&str; 3] = ["22", "23", "54"];

/// What a server says that does not let us in or do what we have to, whenever it is asked: a wrong password or role, no such database, no right to
/// something, no schema to make tables in.
const DENIALS: [&str; 5] = ["28P01", "28000", "3D000", "42501", "3F000"];

/// What one connection says, and a new one would not: that another server writes now, that a statement was planned for a schema of before.
const OF_ITS_CONNECTION: [SqlState; 2] = [SqlState::READ_ONLY_SQL_TRANSACTION, SqlState::FEATURE_NOT_SUPPORTED];

/// A verb that could not be done; its transaction is rolled back, or nobody knows whether its commit came through.
#[derive(Debug)]
pub(crate) enum Fault {
    /// PostgreSQL said no, or the connection to it broke.
    Sql(Error),
    /// There is no connection to be had, or no answer in time: why.
    Away(String),
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
            Fault::Away(why) => Self::Unavailable(why),
            Fault::Sql(error) if is_damage(&error) => Self::Damaged(said(&error)),
            Fault::Sql(error) => Self::Unavailable(said(&error)),
        }
    }
}

impl Fault {
    /// What went wrong, in the words of whoever noticed.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Sql(error) => said(error),
            Self::Away(why) | Self::Damaged(why) => why.clone(),
        }
    }

    /// True when the connection is of no use any more, though it may still be open.
    pub(crate) fn ends_connection(&self) -> bool {
        match self {
            Self::Sql(error) => error.is_closed() || error.code().is_some_and(|code| OF_ITS_CONNECTION.contains(code)),
            Self::Away(_) | Self::Damaged(_) => false,
        }
    }

    /// True when whoever answers has not the certificate that was asked for.
    pub(crate) fn is_stranger(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        let mut source = error.source();
        while let Some(cause) = source {
            let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            if let Some(InvalidCertificate(_)) = inner.and_then(|inner| inner.downcast_ref()) {
                return true;
            }
            source = cause.source();
        }
        false
    }

    /// True when the server is there and will not have us.
    pub(crate) fn is_denial(&self) -> bool {
        matches!(self, Self::Sql(error) if error.code().is_some_and(|code| DENIALS.contains(&code.code())))
    }

    /// True when something has a name that one of our tables or indexes needs.
    pub(crate) fn is_collision(&self) -> bool {
        matches!(self, Self::Sql(error) if error.code() == Some(&SqlState::DUPLICATE_TABLE))
    }

    /// True when it speaks of what was asked for or of what is stored: then nothing was done, and other verbs may well be.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Sql(error) => error.code().is_some_and(|code| REFUSALS.contains(&&code.code()[..2])),
            Self::Damaged(_) => true,
            Self::Away(_) => false,
        }
    }
}

/// True when the error speaks of what is stored rather than of the moment.
pub(crate) fn is_damage(error: &Error) -> bool {
    let Some(code) = error.code() else { return false };
    [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code) || code.code().starts_with("23")
}

/// The error in words: the library's own leave out what the server said.
pub(crate) fn said(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("PostgreSQL says: {} ({})", said.message(), said.code().code());
    }
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(words, ": {cause}");
        source = cause.source();
    }
    words
}

/// Checks that a statement changed the one row that it was meant for.
pub(crate) fn exactly_one(rows: u64, table: &'static str, row: impl fmt::Display) -> Outcome<()> {
    if rows == 1 {
        return Ok(());
    }
    Err(Fault::Damaged(format!(
        "table {table}: {rows} rows were changed where only row {row} should be"
    )))
}
