//! Lists and their cursors.

use serde::Deserialize;

use crate::client::Query;

/// One page of a list, newest first.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Give this as the next request's cursor; `None` on the last page.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// A list that always comes whole.
#[derive(Clone, Debug, Deserialize)]
pub struct Listing<T> {
    /// The rows.
    pub data: Vec<T>,
}

/// Which part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// Rows, 1 to 200; the server's default is 50.
    pub limit: Option<u32>,
    /// The cursor of the page before.
    pub cursor: Option<String>,
}

impl PageRequest {
    pub(crate) fn put(&self, query: &mut Query) {
        query.put("limit", self.limit);
        query.put("cursor", self.cursor.as_ref());
    }
}
