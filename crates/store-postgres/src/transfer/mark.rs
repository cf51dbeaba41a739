//! What is noted of a move, in the table `moved`.

use deadpool_postgres::{GenericClient, Transaction};
use tidings_model::Timestamp;
use tidings_store::transfer::{Chunk, Mark, MoveId, Position, Role};

use crate::fault::{Fault, Outcome};
use crate::locks::{self, Turn};
use crate::record::{self, Record, run};

const SOURCE: i16 = 0;
const TARGET: i16 = 1;

/// The move that is noted.
pub(super) async fn read(db: &impl GenericClient) -> Outcome<Option<Mark>> {
    let found = record::row(
        db,
        "-- mark::read: the last move
         SELECT place, id, role, other, reached, finished_at FROM moved",
        &[],
    )
    .await?;
    let Some(row) = found else { return Ok(None) };
    let record = Record::new(&row, "moved", &["place"]);
    let reached = record.get::<Option<&str>>("reached")?;
    let reached = reached.map(|text| serde_json::from_str(text).map_err(|error| record.damaged("reached", error)));
    Ok(Some(Mark {
        id: MoveId(record.get("id")?),
        role: match record.get("role")? {
            SOURCE => Role::Source,
            TARGET => Role::Target {
                reached: reached.transpose()?,
            },
            other => return Err(record.damaged("role", format!("{other} is no role"))),
        },
        other: record.get("other")?,
        finished_at: record.optional_time("finished_at")?,
    }))
}

/// Notes a move, unless nodes are on the roll. Who joins waits until it is noted, and so does who appends without knowing yet that it is off the roll.
pub(super) async fn write(db: &Transaction<'_>, mark: &Mark) -> Outcome<bool> {
    locks::take(db, Turn::Road).await?;
    db.batch_execute("LOCK TABLE nodes IN EXCLUSIVE MODE").await?;
    let node = record::row(db, "-- mark::write: who serves\n SELECT 1 FROM nodes LIMIT 1", &[]).await?;
    if node.is_some() {
        return Ok(false);
    }
    let (role, reached) = match &mark.role {
        Role::Source => (SOURCE, None),
        Role::Target { reached } => (TARGET, reached.as_ref().map(Position::written)),
    };
    run(
        db,
        "-- mark::write: in the place of the one before
         INSERT INTO moved (place, id, role, other, reached, finished_at) VALUES (0, $1, $2, $3, $4, $5)
         ON CONFLICT (place) DO UPDATE
         SET id = excluded.id, role = excluded.role, other = excluded.other, reached = excluded.reached, finished_at = excluded.finished_at",
        &[&mark.id.0, &role, &mark.other, &reached, &mark.finished_at.map(Timestamp::as_millis)],
    )
    .await?;
    Ok(true)
}

/// Forgets it.
pub(super) async fn forget(db: &Transaction<'_>) -> Outcome<()> {
    run(db, "-- mark::forget\n DELETE FROM moved", &[]).await?;
    Ok(())
}

/// Notes that a chunk is here, if it is the one that comes next.
pub(super) async fn go_on(db: &Transaction<'_>, MoveId(id): MoveId, chunk: &Chunk) -> Outcome<()> {
    let next = chunk.next.as_ref().map(Position::written);
    let rows = run(
        db,
        "-- mark::go_on: past a chunk
         UPDATE moved SET reached = $3 WHERE id = $1 AND role = 1 AND finished_at IS NULL AND reached = $2",
        &[&id as &(dyn tokio_postgres::types::ToSql + Sync), &chunk.from.written(), &next],
    )
    .await?;
    if rows == 1 {
        return Ok(());
    }
    Err(Fault::Damaged(
        "table moved: another move than this one is noted, or another chunk comes next".to_owned(),
    ))
}
