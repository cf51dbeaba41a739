//! Rows into the model's words, with errors that name the table, the column and the row.

use std::fmt::Display;
use std::str::FromStr;

use rusqlite::Row;
use rusqlite::types::{FromSql, ValueRef};
use serde::de::DeserializeOwned;
use tidings_model::Timestamp;

use crate::codes::Code;
use crate::fault::{Fault, Outcome};

/// One row of one table, read by the names of its columns.
pub(crate) struct Record<'row, 'statement> {
    row: &'row Row<'statement>,
    table: &'static str,
    key: &'static [&'static str],
}

impl<'row, 'statement> Record<'row, 'statement> {
    /// A row of a table; `key` are the columns that tell it from its neighbours, for errors.
    pub(crate) const fn new(row: &'row Row<'statement>, table: &'static str, key: &'static [&'static str]) -> Self {
        Self { row, table, key }
    }

    /// A column as it is stored.
    pub(crate) fn get<T: FromSql>(&self, column: &str) -> Outcome<T> {
        self.row.get(column).map_err(|error| self.damaged(column, error))
    }

    /// A column whose number or bytes have to be turned into something else, which may refuse them.
    pub(crate) fn convert<T: FromSql, U>(&self, column: &str, into: impl FnOnce(T) -> Option<U>) -> Outcome<U> {
        into(self.get(column)?).ok_or_else(|| self.damaged(column, "not a value that it can have"))
    }

    /// A column of whichever type it is.
    pub(crate) fn value(&self, column: &str) -> Outcome<ValueRef<'row>> {
        self.row.get_ref(column).map_err(|error| self.damaged(column, error))
    }

    /// A column of bytes that are read where they lie.
    pub(crate) fn bytes<U>(&self, column: &str, into: impl FnOnce(&[u8]) -> Option<U>) -> Outcome<U> {
        let value = self.value(column)?;
        let bytes = value.as_blob().map_err(|error| self.damaged(column, error))?;
        into(bytes).ok_or_else(|| self.damaged(column, "not a value that it can have"))
    }

    /// A column that holds the code of a word.
    pub(crate) fn code<C: Code>(&self, column: &str) -> Outcome<C> {
        self.convert(column, C::from_code)
    }

    /// As [`Self::code`], where the column may be empty.
    pub(crate) fn optional_code<C: Code>(&self, column: &str) -> Outcome<Option<C>> {
        match self.get::<Option<i64>>(column)? {
            None => Ok(None),
            Some(_) => self.code(column).map(Some),
        }
    }

    /// A column whose text has a form of its own.
    pub(crate) fn parse<U: FromStr<Err: Display>>(&self, column: &str) -> Outcome<U> {
        let text = self.text(column)?;
        text.parse().map_err(|error: U::Err| self.damaged(column, error))
    }

    /// As [`Self::parse`], where the column may be empty.
    pub(crate) fn optional_parse<U: FromStr<Err: Display>>(&self, column: &str) -> Outcome<Option<U>> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            _ => self.parse(column).map(Some),
        }
    }

    /// A column that holds JSON.
    pub(crate) fn json<U: DeserializeOwned>(&self, column: &str) -> Outcome<U> {
        serde_json::from_str(self.text(column)?).map_err(|error| self.damaged(column, error))
    }

    /// A column that holds a time.
    pub(crate) fn time(&self, column: &str) -> Outcome<Timestamp> {
        self.get(column).map(Timestamp::from_millis)
    }

    /// As [`Self::time`], where the column may be empty.
    pub(crate) fn optional_time(&self, column: &str) -> Outcome<Option<Timestamp>> {
        self.get::<Option<i64>>(column).map(|millis| millis.map(Timestamp::from_millis))
    }

    /// That a column says something it cannot mean.
    pub(crate) fn damaged(&self, column: &str, why: impl Display) -> Fault {
        let key: Vec<_> = self.key.iter().map(|column| self.shown(column)).collect();
        Fault::Damaged(format!("table {}, column {column}, row {}: {why}", self.table, key.join("/")))
    }

    fn text(&self, column: &str) -> Outcome<&'row str> {
        let value = self.value(column)?;
        value.as_str().map_err(|error| self.damaged(column, error))
    }

    fn shown(&self, column: &str) -> String {
        match self.row.get_ref(column) {
            Ok(ValueRef::Integer(number)) => number.to_string(),
            Ok(ValueRef::Text(text)) => String::from_utf8_lossy(text).into_owned(),
            _ => "?".to_owned(),
        }
    }
}

/// A number of rows as a parameter of LIMIT and OFFSET.
pub(crate) fn sql_count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
