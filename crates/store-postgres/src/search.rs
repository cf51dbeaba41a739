//! Statements that are put together from what is asked for. They are planned with the values that they are run with, each time anew: which index a list
//! walks depends on them.

use deadpool_postgres::Client;
use tidings_model::Timestamp;
use tidings_model::id::LOW_BITS;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::fault::Outcome;

/// A statement with its parameters.
#[derive(Default)]
pub(crate) struct Search {
    conditions: Vec<String>,
    parameters: Vec<(Box<dyn ToSql + Sync + Send>, Type)>,
}

impl Search {
    /// A parameter, as it is written in the statement.
    pub(crate) fn parameter(&mut self, value: impl ToSql + Sync + Send + 'static, kind: Type) -> String {
        self.parameters.push((Box::new(value), kind));
        format!("${}", self.parameters.len())
    }

    /// A number as a parameter.
    pub(crate) fn number(&mut self, value: i64) -> String {
        self.parameter(value, Type::INT8)
    }

    /// A text as a parameter.
    pub(crate) fn text(&mut self, value: &str) -> String {
        self.parameter(value.to_owned(), Type::TEXT)
    }

    /// Something more that has to hold.
    pub(crate) fn only(&mut self, condition: impl Into<String>) {
        self.conditions.push(condition.into());
    }

    /// That the event with the id in a column was accepted between two times.
    pub(crate) fn only_between(&mut self, column: &str, from: Option<Timestamp>, until: Option<Timestamp>) {
        for (time, comparison) in [(from, ">="), (until, "<")] {
            if let Some(time) = time {
                let first = self.number(first_id(time));
                self.only(format!("{column} {comparison} {first}"));
            }
        }
    }

    /// All that has to hold.
    pub(crate) fn conditions(&self) -> String {
        if self.conditions.is_empty() {
            return "true".to_owned();
        }
        self.conditions.join(" AND ")
    }

    /// Runs a statement.
    pub(crate) async fn run(&self, client: &Client, sql: &str) -> Outcome<Vec<Row>> {
        let parameters: Vec<(&(dyn ToSql + Sync), Type)> = self
            .parameters
            .iter()
            .map(|(value, kind)| (&**value as &(dyn ToSql + Sync), kind.clone()))
            .collect();
        Ok(client.query_typed(sql, &parameters).await?)
    }
}

/// No event that was accepted then or later has a smaller id. Times may be any.
pub(crate) fn first_id(time: Timestamp) -> i64 {
    let (least, most) = (i64::MIN >> LOW_BITS, i64::MAX >> LOW_BITS);
    time.as_millis().clamp(least, most) << LOW_BITS
}
