//! What is noted of a move, in the table `moved`.

use std::path::Path;

use rusqlite::{Connection, params};
use tidings_store::transfer::{Chunk, Mark, MoveId, Position, Role};
use uuid::Uuid;

use crate::fault::{Fault, Outcome};
use crate::folder::{DATABASE, OpenError};
use crate::record::Record;

const SOURCE: i64 = 0;
const TARGET: i64 = 1;

/// Refuses a store that was moved away, or is being moved.
pub(crate) fn refuse(connection: &Connection, folder: &Path) -> Result<(), OpenError> {
    let mark = read(connection).map_err(|fault| OpenError::of_fault(&folder.join(DATABASE), fault))?;
    match mark.and_then(|mark| mark.refusal(&folder.display().to_string())) {
        Some(why) => Err(OpenError::Moved { why }),
        None => Ok(()),
    }
}

/// The move that is noted.
pub(super) fn read(connection: &Connection) -> Outcome<Option<Mark>> {
    connection
        .prepare_cached(
            "-- mark::read: the last move
             SELECT only, id, role, other, reached, finished_at FROM moved",
        )?
        .query_and_then([], |row| {
            let record = Record::new(row, "moved", &["only"]);
            let reached = record.get::<Option<String>>("reached")?;
            let reached = reached.map(|text| serde_json::from_str(&text).map_err(|error| record.damaged("reached", error)));
            Ok(Mark {
                id: MoveId(Uuid::from_bytes(record.get("id")?)),
                role: match record.get("role")? {
                    SOURCE => Role::Source,
                    _ => Role::Target {
                        reached: reached.transpose()?,
                    },
                },
                other: record.get("other")?,
                finished_at: record.optional_time("finished_at")?,
            })
        })?
        .next()
        .transpose()
}

/// Notes a move.
pub(super) fn write(connection: &Connection, mark: &Mark) -> Outcome<()> {
    let (role, reached) = match &mark.role {
        Role::Source => (SOURCE, None),
        Role::Target { reached } => (TARGET, reached.as_ref().map(Position::written)),
    };
    connection
        .prepare_cached(
            "-- mark::write: in the place of the one before
             INSERT OR REPLACE INTO moved (only, id, role, other, reached, finished_at) VALUES (0, ?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            mark.id.0.as_bytes(),
            role,
            mark.other,
            reached,
            mark.finished_at.map(tidings_model::Timestamp::as_millis)
        ])?;
    Ok(())
}

/// Forgets it.
pub(super) fn forget(connection: &Connection) -> Outcome<()> {
    connection.execute("-- mark::forget\n DELETE FROM moved", [])?;
    Ok(())
}

/// Notes that a chunk is here, if it is the one that comes next.
pub(super) fn go_on(connection: &Connection, id: MoveId, chunk: &Chunk) -> Outcome<()> {
    let rows = connection
        .prepare_cached(
            "-- mark::go_on: past a chunk
             UPDATE moved SET reached = ?3 WHERE id = ?1 AND role = 1 AND finished_at IS NULL AND reached = ?2",
        )?
        .execute(params![
            id.0.as_bytes(),
            chunk.from.written(),
            chunk.next.as_ref().map(Position::written)
        ])?;
    if rows == 1 {
        return Ok(());
    }
    Err(Fault::Damaged(
        "table moved: another move than this one is noted, or another chunk comes next".to_owned(),
    ))
}
