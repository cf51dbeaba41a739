//! Asking, and rows into the model's words, with errors that name the table, the column and the row.

use std::fmt::Display;
use std::str::FromStr;

use deadpool_postgres::GenericClient;
use serde::de::DeserializeOwned;
use tidings_model::{DeliveryId, EnvironmentId, EventId, Timestamp};
use tidings_store::codes::Code;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql};
use uuid::Uuid;

use crate::fault::{Fault, Outcome};

/// The parameters of a statement.
pub(crate) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// All rows of a statement that is prepared once a connection.
pub(crate) async fn rows(db: &impl GenericClient, sql: &str, parameters: Parameters<'_>) -> Outcome<Vec<Row>> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.query(&statement, parameters).await?)
}

/// The row of a statement that has one or none.
pub(crate) async fn row(db: &impl GenericClient, sql: &str, parameters: Parameters<'_>) -> Outcome<Option<Row>> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.query_opt(&statement, parameters).await?)
}

/// Runs a statement, and says how many rows it changed.
pub(crate) async fn run(db: &impl GenericClient, sql: &str, parameters: Parameters<'_>) -> Outcome<u64> {
    let statement = db.prepare_cached(sql).await?;
    Ok(db.execute(&statement, parameters).await?)
}

/// The number that a statement counts.
pub(crate) async fn count(db: &impl GenericClient, sql: &str, parameters: Parameters<'_>) -> Outcome<u64> {
    let found = row(db, sql, parameters).await?;
    Ok(found.map(|row| row.try_get::<_, i64>(0)).transpose()?.unwrap_or(0).unsigned_abs())
}

/// One row of one table, read by the names of its columns.
pub(crate) struct Record<'row> {
    row: &'row Row,
    table: &'static str,
    key: &'static [&'static str],
}

impl<'row> Record<'row> {
    /// A row of a table; `key` are the columns that tell it from its neighbours, for errors.
    pub(crate) const fn new(row: &'row Row, table: &'static str, key: &'static [&'static str]) -> Self {
        Self { row, table, key }
    }

    /// A column as it is stored.
    pub(crate) fn get<T: FromSql<'row>>(&self, column: &str) -> Outcome<T> {
        self.row.try_get(column).map_err(|error| self.damaged(column, error))
    }

    /// A column whose number or bytes have to be turned into something else, which may refuse them.
    pub(crate) fn convert<T: FromSql<'row>, U>(&self, column: &str, into: impl FnOnce(T) -> Option<U>) -> Outcome<U> {
        into(self.get(column)?).ok_or_else(|| self.damaged(column, "not a value that it can have"))
    }

    /// As [`Self::convert`], where the column may be empty.
    pub(crate) fn optional<T: FromSql<'row>, U>(&self, column: &str, into: impl FnOnce(T) -> Option<U>) -> Outcome<Option<U>> {
        match self.get::<Option<T>>(column)? {
            None => Ok(None),
            Some(value) => match into(value) {
                Some(read) => Ok(Some(read)),
                None => Err(self.damaged(column, "not a value that it can have")),
            },
        }
    }

    /// A column that holds the code of a word.
    pub(crate) fn code<C: Code>(&self, column: &str) -> Outcome<C> {
        self.convert(column, |code: i16| C::from_code(code.into()))
    }

    /// As [`Self::code`], where the column may be empty.
    pub(crate) fn optional_code<C: Code>(&self, column: &str) -> Outcome<Option<C>> {
        self.optional(column, |code: i16| C::from_code(code.into()))
    }

    /// A column whose text has a form of its own.
    pub(crate) fn parse<U: FromStr<Err: Display>>(&self, column: &str) -> Outcome<U> {
        let text: &str = self.get(column)?;
        text.parse().map_err(|error: U::Err| self.damaged(column, error))
    }

    /// As [`Self::parse`], where the column may be empty.
    pub(crate) fn optional_parse<U: FromStr<Err: Display>>(&self, column: &str) -> Outcome<Option<U>> {
        match self.get::<Option<&str>>(column)? {
            None => Ok(None),
            Some(_) => self.parse(column).map(Some),
        }
    }

    /// A column that holds JSON.
    pub(crate) fn json<U: DeserializeOwned>(&self, column: &str) -> Outcome<U> {
        serde_json::from_str(self.get(column)?).map_err(|error| self.damaged(column, error))
    }

    /// A column that holds a time.
    pub(crate) fn time(&self, column: &str) -> Outcome<Timestamp> {
        self.get(column).map(Timestamp::from_millis)
    }

    /// As [`Self::time`], where the column may be empty.
    pub(crate) fn optional_time(&self, column: &str) -> Outcome<Option<Timestamp>> {
        self.get::<Option<i64>>(column).map(|millis| millis.map(Timestamp::from_millis))
    }

    /// A column that counts.
    pub(crate) fn number(&self, column: &str) -> Outcome<u64> {
        self.convert(column, |number: i64| u64::try_from(number).ok())
    }

    /// A column that holds a number of 16 bits, as PostgreSQL has none without a sign.
    pub(crate) fn small(&self, column: &str) -> Outcome<u16> {
        self.convert(column, |number: i32| u16::try_from(number).ok())
    }

    /// As [`Self::small`], where the column may be empty.
    pub(crate) fn optional_small(&self, column: &str) -> Outcome<Option<u16>> {
        self.optional(column, |number: i32| u16::try_from(number).ok())
    }

    /// A column that holds the full id of an environment.
    pub(crate) fn environment(&self, column: &str) -> Outcome<EnvironmentId> {
        self.get::<Uuid>(column).map(EnvironmentId::from_uuid)
    }

    /// The columns `event` and `ordinal`.
    pub(crate) fn delivery_id(&self) -> Outcome<DeliveryId> {
        Ok(DeliveryId {
            event: self.convert("event", EventId::from_raw)?,
            ordinal: self.convert("ordinal", |number: i32| u32::try_from(number).ok())?,
        })
    }

    /// That a column says something it cannot mean.
    pub(crate) fn damaged(&self, column: &str, why: impl Display) -> Fault {
        let key: Vec<_> = self.key.iter().map(|column| self.shown(column)).collect();
        Fault::Damaged(format!("table {}, column {column}, row {}: {why}", self.table, key.join("/")))
    }

    fn shown(&self, column: &str) -> String {
        let wide = |_| self.row.try_get::<_, i64>(column).map(|number| number.to_string());
        let narrow = |_| self.row.try_get::<_, i32>(column).map(|number| number.to_string());
        let text = self.row.try_get::<_, String>(column);
        text.or_else(wide).or_else(narrow).unwrap_or_else(|_| "?".to_owned())
    }
}

/// A number of rows as a parameter of LIMIT and OFFSET.
pub(crate) fn sql_count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// The code of a word as its column has it.
pub(crate) fn sql_code(word: impl Code) -> i16 {
    i16::try_from(word.code()).unwrap_or(i16::MAX)
}

/// An ordinal as its column has it. No event has so many deliveries that this would matter.
pub(crate) fn sql_ordinal(ordinal: u32) -> i32 {
    i32::try_from(ordinal).unwrap_or(i32::MAX)
}

/// Whether the database can hold a text: none has a zero in it, so nothing is found by such a text.
pub(crate) fn storable(text: &str) -> bool {
    !text.contains('\0')
}
