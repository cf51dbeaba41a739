//! What SQLite itself can say: every page, every index against its table, every reference. One table is one step.

use rusqlite::{OptionalExtension, params};
use tidings_store::Finding;

use super::Look;
use crate::fault::Outcome;

/// Faults that are named of one table; one is enough to know that the file is damaged.
const FAULTS_NAMED: usize = 10;

/// Tables whose references other checks look at, where they can be told by ids that people know.
const NAMED_ELSEWHERE: [&str; 3] = ["credentials", "event_types", "webhooks"];

pub(super) fn look(look: &mut Look<'_>, after: &str) -> Outcome<Option<String>> {
    let table: Option<String> = look
        .connection
        .prepare_cached(
            "-- verify::database: the next table
             SELECT name FROM sqlite_schema WHERE type = 'table' AND name > ?1 ORDER BY name LIMIT 1",
        )?
        .query_row(params![after], |row| row.get(0))
        .optional()?;
    let Some(table) = table else {
        return Ok(None);
    };
    look.looked_at = 1;
    let faults = faults(look, &table);
    for what in look.readable(faults)?.unwrap_or_default() {
        look.found(Finding::Damaged { what });
    }
    if !NAMED_ELSEWHERE.contains(&table.as_str()) {
        let broken = broken_references(look, &table);
        for what in look.readable(broken)?.unwrap_or_default() {
            look.found(Finding::Damaged { what });
        }
    }
    Ok(Some(table))
}

fn faults(look: &Look<'_>, table: &str) -> Outcome<Vec<String>> {
    let mut statement = look.connection.prepare(&format!(
        "-- verify::database: pages, values and indexes
         PRAGMA integrity_check(\"{table}\")"
    ))?;
    let mut faults = Vec::new();
    for fault in statement.query_map([], |row| row.get::<_, String>(0))?.take(FAULTS_NAMED) {
        let fault = fault?;
        if fault != "ok" {
            faults.push(format!("table {table}: {fault}"));
        }
    }
    Ok(faults)
}

fn broken_references(look: &Look<'_>, table: &str) -> Outcome<Vec<String>> {
    let mut statement = look.connection.prepare(&format!(
        "-- verify::database: references
         PRAGMA foreign_key_check(\"{table}\")"
    ))?;
    let broken = statement.query_map([], |row| {
        let (row_id, parent): (Option<i64>, String) = (row.get(1)?, row.get(2)?);
        let row_id = row_id.map_or_else(String::new, |id| format!(" {id}"));
        Ok(format!("table {table}: row{row_id} refers to a row of {parent} that is not there"))
    })?;
    Ok(broken.take(FAULTS_NAMED).collect::<rusqlite::Result<_>>()?)
}
