//! How SQLite means to find what a statement asks for: for tests that no list grows with the table behind it.

use std::path::Path;

use rusqlite::Connection;

use crate::migrations;

/// An empty database of the newest schema.
pub(crate) fn database() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrations::apply(&mut connection, Path::new("tidings.db"), 0).unwrap();
    connection
}

/// The steps of a statement's plan, in a line.
pub(crate) fn of(connection: &Connection, sql: &str) -> String {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps = explain.raw_query().mapped(|row| row.get::<_, String>("detail")); // what is not bound is NULL
    steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
}
