//! Lists: how much of one is asked for, and what comes back.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use tidings_app::Page;
use tidings_model::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use utoipa::ToSchema;

/// Rows of a page: 1 to [`PAGE_ROWS_MAX`].
#[derive(Clone, Copy)]
pub(super) struct Limit(usize);

impl Default for Limit {
    fn default() -> Self {
        Self(PAGE_ROWS_DEFAULT)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let rows = text.parse().ok().filter(|rows| (1..=PAGE_ROWS_MAX).contains(rows));
        let error = || serde::de::Error::custom(format_args!("has to be a whole number between 1 and {PAGE_ROWS_MAX}"));
        rows.map(Self).ok_or_else(error)
    }
}

impl Limit {
    /// The page after `cursor`, with one row more than is shown: it tells whether there is another page.
    pub(super) const fn after<C>(self, cursor: Option<C>) -> Page<C> {
        Page {
            before: cursor,
            skip: 0,
            limit: self.0 + 1,
        }
    }
}

/// A page of a list, newest first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct List<T> {
    /// Its rows.
    data: Vec<T>,
    /// Send it as `cursor` to get the rows after these; null when there are none.
    next_cursor: Option<String>,
}

impl<T> List<T> {
    /// The rows that [`Limit::after`] asked for, each with its cursor.
    pub(super) fn new(mut data: Vec<T>, limit: Limit, cursor: impl Fn(&T) -> String) -> Self {
        let more = data.len() > limit.0;
        data.truncate(limit.0);
        let next_cursor = data.last().filter(|_| more).map(cursor);
        Self { data, next_cursor }
    }
}

/// A whole list.
#[derive(Serialize, ToSchema)]
pub(super) struct All<T> {
    /// Its rows.
    pub(super) data: Vec<T>,
}
