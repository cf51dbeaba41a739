//! People and their sessions.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tidings_model::Timestamp;
use tidings_store::{ChangePersonError, NameTaken, Person, PersonChange, PersonRole, Session, SessionId};

use crate::codes::Code;
use crate::fault::Outcome;
use crate::record::Record;
use crate::writer::WriteTx;

/// Adds a person.
pub(crate) fn create(tx: &WriteTx<'_>, person: &Person) -> Outcome<Result<(), NameTaken>> {
    let rows = tx
        .connection
        .prepare_cached(
            "-- people::create: unless the address is taken
             INSERT INTO people (email, role, password_hash, created_at, recovered_until) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (email) DO NOTHING",
        )?
        .execute(params![
            person.email,
            person.role.code(),
            person.password_hash,
            person.created_at.as_millis(),
            person.recovered_until.map(Timestamp::as_millis)
        ])?;
    Ok(if rows == 1 { Ok(()) } else { Err(NameTaken) })
}

/// All people, by creation.
pub(crate) fn all(connection: &Connection) -> Outcome<Vec<Person>> {
    connection
        .prepare_cached(
            "-- people::all: by creation
             SELECT id, email, role, password_hash, created_at, recovered_until FROM people ORDER BY id",
        )?
        .query_and_then([], person)?
        .collect()
}

fn person(row: &Row<'_>) -> Outcome<Person> {
    let record = Record::new(row, "people", &["email"]);
    Ok(Person {
        email: record.get("email")?,
        role: record.code("role")?,
        password_hash: record.get("password_hash")?,
        created_at: record.time("created_at")?,
        recovered_until: record.optional_time("recovered_until")?,
    })
}

/// The short id of a person, and whether nobody else could sign in as an owner.
fn find(connection: &Connection, email: &str) -> Outcome<Option<(i64, bool)>> {
    let found = connection
        .prepare_cached(
            "-- people::find: with whether they are the last owner who can sign in
             SELECT id, role = ?2 AND password_hash <> ''
                 AND NOT EXISTS (SELECT 1 FROM people other WHERE other.role = ?2 AND other.password_hash <> '' AND other.id <> people.id)
             FROM people WHERE email = ?1",
        )?
        .query_row(params![email, PersonRole::Owner.code()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found)
}

/// Changes a person.
pub(crate) fn change(tx: &WriteTx<'_>, email: &str, change: &PersonChange) -> Outcome<Result<(), ChangePersonError>> {
    let Some((id, last_owner)) = find(tx.connection, email)? else {
        return Ok(Err(ChangePersonError::NotFound));
    };
    if last_owner && change.role.is_some_and(|role| role != PersonRole::Owner) {
        return Ok(Err(ChangePersonError::LastOwner));
    }
    let changed = tx
        .connection
        .prepare_cached(
            "-- people::change: what is given, by a link that was not used
             UPDATE people SET role = coalesce(?2, role), password_hash = coalesce(?3, password_hash), recovered_until = coalesce(?4, recovered_until)
             WHERE id = ?1 AND (?4 IS NULL OR recovered_until IS NULL OR recovered_until < ?4)",
        )?
        .execute(params![
            id,
            change.role.map(Code::code),
            change.password_hash,
            change.recovered_until.map(Timestamp::as_millis)
        ])?;
    Ok(if changed == 1 { Ok(()) } else { Err(ChangePersonError::LinkUsed) })
}

/// Removes a person; their sessions go with them.
pub(crate) fn delete(tx: &WriteTx<'_>, email: &str) -> Outcome<Result<(), ChangePersonError>> {
    let Some((id, last_owner)) = find(tx.connection, email)? else {
        return Ok(Err(ChangePersonError::NotFound));
    };
    if last_owner {
        return Ok(Err(ChangePersonError::LastOwner));
    }
    tx.connection
        .prepare_cached(
            "-- people::delete: one
             DELETE FROM people WHERE id = ?1",
        )?
        .execute([id])?;
    Ok(Ok(()))
}

/// Adds a session of somebody who is there.
pub(crate) fn create_session(tx: &WriteTx<'_>, session: &Session) -> Outcome<bool> {
    let rows = tx
        .connection
        .prepare_cached(
            "-- people::create_session: of somebody who is there
             INSERT INTO sessions (id, person, created_at, seen_at, ends_at, agent, address)
             SELECT ?1, id, ?3, ?4, ?5, ?6, ?7 FROM people WHERE email = ?2",
        )?
        .execute(params![
            session.id.0,
            session.email,
            session.created_at.as_millis(),
            session.seen_at.as_millis(),
            session.ends_at.as_millis(),
            session.agent,
            session.address,
        ])?;
    Ok(rows == 1)
}

/// A session and whose it is.
pub(crate) fn session_of(connection: &Connection, id: SessionId, at: Timestamp) -> Outcome<Option<(Session, Person)>> {
    connection
        .prepare_cached(
            "-- people::session_of: one that has not ended, with its person
             SELECT s.id, p.email, s.created_at, s.seen_at, s.ends_at, s.agent, s.address,
                    p.role, p.password_hash, p.created_at AS added_at, p.recovered_until
             FROM sessions s JOIN people p ON p.id = s.person
             WHERE s.id = ?1 AND s.ends_at > ?2",
        )?
        .query_and_then(params![id.0, at.as_millis()], |row| {
            let record = Record::new(row, "people", &["email"]);
            let person = Person {
                email: record.get("email")?,
                role: record.code("role")?,
                password_hash: record.get("password_hash")?,
                created_at: record.time("added_at")?,
                recovered_until: record.optional_time("recovered_until")?,
            };
            Ok((session(row)?, person))
        })?
        .next()
        .transpose()
}

fn session(row: &Row<'_>) -> Outcome<Session> {
    let record = Record::new(row, "sessions", &["email", "created_at"]);
    Ok(Session {
        id: SessionId(record.get("id")?),
        email: record.get("email")?,
        created_at: record.time("created_at")?,
        seen_at: record.time("seen_at")?,
        ends_at: record.time("ends_at")?,
        agent: record.get("agent")?,
        address: record.get("address")?,
    })
}

/// Notes that a session was seen.
pub(crate) fn touch_session(tx: &WriteTx<'_>, id: SessionId, seen_at: Timestamp, ends_at: Timestamp) -> Outcome<()> {
    tx.connection
        .prepare_cached(
            "-- people::touch_session: if it is there and has not ended
             UPDATE sessions SET seen_at = ?2, ends_at = ?3 WHERE id = ?1 AND ends_at > ?2",
        )?
        .execute(params![id.0, seen_at.as_millis(), ends_at.as_millis()])?;
    Ok(())
}

/// Sessions that have not ended, of one person or of all.
pub(crate) fn sessions(connection: &Connection, email: Option<&str>, at: Timestamp) -> Outcome<Vec<Session>> {
    let walk = if email.is_some() {
        "people p CROSS JOIN sessions s INDEXED BY sessions_by_person ON s.person = p.id WHERE p.email = ?1 AND s.ends_at > ?2"
    } else {
        "sessions s INDEXED BY sessions_by_end CROSS JOIN people p ON p.id = s.person WHERE ?1 IS NULL AND s.ends_at > ?2"
    };
    connection
        .prepare_cached(&format!(
            "-- people::sessions: newest first
             SELECT s.id, p.email, s.created_at, s.seen_at, s.ends_at, s.agent, s.address FROM {walk} ORDER BY s.created_at DESC, s.id"
        ))?
        .query_and_then(params![email, at.as_millis()], session)?
        .collect()
}

/// Ends a session.
pub(crate) fn delete_session(tx: &WriteTx<'_>, id: SessionId) -> Outcome<bool> {
    let rows = tx
        .connection
        .prepare_cached(
            "-- people::delete_session: one
             DELETE FROM sessions WHERE id = ?1",
        )?
        .execute([id.0])?;
    Ok(rows == 1)
}

/// Ends all sessions of a person but one.
pub(crate) fn end_sessions(tx: &WriteTx<'_>, email: &str, keep: Option<SessionId>) -> Outcome<usize> {
    let rows = tx
        .connection
        .prepare_cached(
            "-- people::end_sessions: all but one
             DELETE FROM sessions WHERE person = (SELECT id FROM people WHERE email = ?1) AND id IS NOT ?2",
        )?
        .execute(params![email, keep.map(|id| id.0)])?;
    Ok(rows)
}
