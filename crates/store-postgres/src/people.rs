//! Who may sign in, and who is signed in.

use deadpool_postgres::{GenericClient, Transaction};
use tidings_model::Timestamp;
use tidings_store::{ChangePersonError, NameTaken, Person, PersonChange, PersonRole, Session, SessionId};
use tokio_postgres::Row;

use crate::fault::Outcome;
use crate::locks::{self, Turn};
use crate::record::{self, Record, rows, run, sql_code, storable};

/// Adds a person.
pub(crate) async fn create(db: &impl GenericClient, person: &Person) -> Outcome<Result<(), NameTaken>> {
    let added = run(
        db,
        "-- people::create: unless the address is taken
         INSERT INTO people (email, role, password_hash, created_at, recovered_until) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (email) DO NOTHING",
        &[
            &person.email,
            &sql_code(person.role),
            &person.password_hash,
            &person.created_at.as_millis(),
            &person.recovered_until.map(Timestamp::as_millis),
        ],
    )
    .await?;
    Ok(if added == 1 { Ok(()) } else { Err(NameTaken) })
}

/// All of them, by creation.
pub(crate) async fn all(db: &impl GenericClient) -> Outcome<Vec<Person>> {
    let found = rows(
        db,
        "-- people::all: in the order in which they were added
         SELECT id, email, role, password_hash, created_at, recovered_until FROM people ORDER BY id",
        &[],
    )
    .await?;
    found.iter().map(person).collect()
}

/// Changes a person.
pub(crate) async fn change(db: &Transaction<'_>, email: &str, change: &PersonChange) -> Outcome<Result<(), ChangePersonError>> {
    if !storable(email) {
        return Ok(Err(ChangePersonError::NotFound));
    }
    locks::take(db, Turn::People).await?;
    let demoted = change.role.is_some_and(|role| role != PersonRole::Owner);
    if demoted && is_last_owner(db, email).await? {
        return Ok(Err(ChangePersonError::LastOwner));
    }
    let changed = run(
        db,
        "-- people::change: what is given, by a link that was not used
         UPDATE people SET role = coalesce($2, role), password_hash = coalesce($3, password_hash), recovered_until = coalesce($4::bigint, recovered_until)
         WHERE email = $1 AND ($4::bigint IS NULL OR recovered_until IS NULL OR recovered_until < $4)",
        &[
            &email,
            &change.role.map(sql_code),
            &change.password_hash,
            &change.recovered_until.map(Timestamp::as_millis),
        ],
    )
    .await?;
    if changed == 1 {
        return Ok(Ok(()));
    }
    let is_there = record::row(
        db,
        "-- people::change: who was meant\n SELECT 1 FROM people WHERE email = $1",
        &[&email],
    )
    .await?;
    Ok(Err(is_there.map_or(ChangePersonError::NotFound, |_| ChangePersonError::LinkUsed)))
}

/// Removes a person, with their sessions.
pub(crate) async fn delete(db: &Transaction<'_>, email: &str) -> Outcome<Result<(), ChangePersonError>> {
    if !storable(email) {
        return Ok(Err(ChangePersonError::NotFound));
    }
    locks::take(db, Turn::People).await?;
    if is_last_owner(db, email).await? {
        return Ok(Err(ChangePersonError::LastOwner));
    }
    let removed = run(
        db,
        "-- people::delete: their sessions go along
         DELETE FROM people WHERE email = $1",
        &[&email],
    )
    .await?;
    Ok(if removed == 1 { Ok(()) } else { Err(ChangePersonError::NotFound) })
}

/// Whether nobody but that person could sign in as an owner.
async fn is_last_owner(db: &Transaction<'_>, email: &str) -> Outcome<bool> {
    let owners = rows(
        db,
        "-- people::is_last_owner: those who could sign in, two at most
         SELECT email FROM people WHERE role = 0 AND password_hash <> '' LIMIT 2",
        &[],
    )
    .await?;
    Ok(match &owners[..] {
        [only] => only.try_get::<_, &str>(0)? == email,
        _ => false,
    })
}

/// Adds a session.
pub(crate) async fn create_session(db: &impl GenericClient, session: &Session) -> Outcome<bool> {
    if !storable(&session.email) {
        return Ok(false);
    }
    let added = run(
        db,
        "-- people::create_session: of somebody who is there
         INSERT INTO sessions (id, person, created_at, seen_at, ends_at, agent, address)
         SELECT $1, id, $3, $4, $5, $6, $7 FROM people WHERE email = $2 FOR KEY SHARE
         ON CONFLICT (id) DO UPDATE
         SET person = excluded.person, created_at = excluded.created_at, seen_at = excluded.seen_at, ends_at = excluded.ends_at,
             agent = excluded.agent, address = excluded.address",
        &[
            &&session.id.0[..],
            &session.email,
            &session.created_at.as_millis(),
            &session.seen_at.as_millis(),
            &session.ends_at.as_millis(),
            &session.agent,
            &session.address,
        ],
    )
    .await?;
    Ok(added == 1)
}

/// A session that has not ended, and whose it is.
pub(crate) async fn session(db: &impl GenericClient, id: SessionId, at: Timestamp) -> Outcome<Option<(Session, Person)>> {
    let found = record::row(
        db,
        "-- people::session: while it lasts
         SELECT s.id AS session, s.created_at AS began_at, s.seen_at, s.ends_at, s.agent, s.address, p.id, p.email, p.role, p.password_hash, p.created_at, p.recovered_until
         FROM sessions s JOIN people p ON p.id = s.person WHERE s.id = $1 AND s.ends_at > $2",
        &[&&id.0[..], &at.as_millis()],
    )
    .await?;
    found.map(|row| Ok((of_row(&row)?, person(&row)?))).transpose()
}

/// Notes that a session was seen.
pub(crate) async fn touch_session(db: &impl GenericClient, id: SessionId, seen_at: Timestamp, ends_at: Timestamp) -> Outcome<()> {
    run(
        db,
        "-- people::touch_session: while it lasts
         UPDATE sessions SET seen_at = $2, ends_at = $3 WHERE id = $1 AND ends_at > $2",
        &[&&id.0[..], &seen_at.as_millis(), &ends_at.as_millis()],
    )
    .await?;
    Ok(())
}

/// Sessions that last, newest first.
pub(crate) async fn sessions(db: &impl GenericClient, email: Option<&str>, at: Timestamp) -> Outcome<Vec<Session>> {
    if !email.is_none_or(storable) {
        return Ok(Vec::new());
    }
    let found = rows(
        db,
        "-- people::sessions: newest first
         SELECT s.id AS session, s.created_at AS began_at, s.seen_at, s.ends_at, s.agent, s.address, p.email
         FROM sessions s JOIN people p ON p.id = s.person
         WHERE s.ends_at > $2 AND ($1::text IS NULL OR p.email = $1)
         ORDER BY s.created_at DESC, s.id",
        &[&email, &at.as_millis()],
    )
    .await?;
    found.iter().map(of_row).collect()
}

/// Ends a session.
pub(crate) async fn delete_session(db: &impl GenericClient, id: SessionId) -> Outcome<bool> {
    let sql = "-- people::delete_session: one
        DELETE FROM sessions WHERE id = $1";
    Ok(run(db, sql, &[&&id.0[..]]).await? == 1)
}

/// Ends the sessions of a person but one.
pub(crate) async fn end_sessions(db: &impl GenericClient, email: &str, keep: Option<SessionId>) -> Outcome<usize> {
    if !storable(email) {
        return Ok(0);
    }
    let ended = run(
        db,
        "-- people::end_sessions: of one person
         DELETE FROM sessions WHERE person = (SELECT id FROM people WHERE email = $1) AND ($2::bytea IS NULL OR id <> $2)",
        &[&email, &keep.as_ref().map(|id| &id.0[..])],
    )
    .await?;
    Ok(usize::try_from(ended).unwrap_or(usize::MAX))
}

fn person(row: &Row) -> Outcome<Person> {
    let record = Record::new(row, "people", &["id"]);
    Ok(Person {
        email: record.get("email")?,
        role: record.code("role")?,
        password_hash: record.get("password_hash")?,
        created_at: record.time("created_at")?,
        recovered_until: record.optional_time("recovered_until")?,
    })
}

fn of_row(row: &Row) -> Outcome<Session> {
    let record = Record::new(row, "sessions", &["email"]);
    Ok(Session {
        id: SessionId(record.convert("session", |bytes: &[u8]| bytes.try_into().ok())?),
        email: record.get("email")?,
        created_at: record.time("began_at")?,
        seen_at: record.time("seen_at")?,
        ends_at: record.time("ends_at")?,
        agent: record.get("agent")?,
        address: record.get("address")?,
    })
}
