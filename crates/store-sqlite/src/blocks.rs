//! Which events an environment had, which went to a webhook, which are of an event type or a tenant, without an index that every event would have to
//! be written into.
//!
//! Events are appended in the order of their ids. Whenever [`BLOCK_EVENTS`] have gathered, their ids are sorted by what they have in common ([`Scope`])
//! and written as one row for each: the parts of a block. A list walks the blocks from the newest, and before them the *tail*: the events after the last
//! block, which it finds by looking through them.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use integer_encoding::VarInt;
use rusqlite::{Connection, OptionalExtension, params};

use crate::fault::{Fault, Outcome};
use crate::record::Record;

/// Events of one block: fewer make lists of rare things walk more blocks, more make the tail longer.
/// Tests have it small, so that every promise of the store is also tried across blocks.
const BLOCK_EVENTS: usize = if cfg!(test) { 4 } else { 4_096 };

/// What events have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope<'a> {
    /// They are of an environment, by its short id.
    Environment(i64),
    /// They went to a webhook.
    Webhook(i64),
    /// They are of an environment and an event type.
    Key(i64, &'a str),
    /// They are of an environment and a tenant.
    Tenant(i64, &'a str),
}

impl<'a> Scope<'a> {
    /// As the columns `kind`, `owner` and `name`.
    pub(crate) const fn columns(self) -> (i64, i64, &'a str) {
        match self {
            Self::Environment(environment) => (0, environment, ""),
            Self::Webhook(webhook) => (1, webhook, ""),
            Self::Key(environment, key) => (2, environment, key),
            Self::Tenant(environment, tenant) => (3, environment, tenant),
        }
    }
}

/// An event with what decides about its places in blocks.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its id.
    pub(crate) event: i64,
    /// The short id of its environment.
    pub(crate) environment: i64,
    /// The key of its event type.
    pub(crate) key: Arc<str>,
    /// Its tenant.
    pub(crate) tenant: Option<Arc<str>>,
    /// Its targets.
    pub(crate) webhooks: Vec<i64>,
}

impl Entry {
    /// Where it belongs: into a webhook's part as often as it has the webhook among its targets.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = Scope<'_>> {
        let own = [Scope::Environment(self.environment), Scope::Key(self.environment, &self.key)];
        let tenant = self.tenant.as_ref().map(|tenant| Scope::Tenant(self.environment, tenant));
        own.into_iter()
            .chain(tenant)
            .chain(self.webhooks.iter().map(|webhook| Scope::Webhook(*webhook)))
    }
}

/// The writer's memory of the tail: what is committed, and what the open transaction does to it.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    committed: VecDeque<Entry>,
    added: Vec<Entry>,
    pruned: HashSet<i64>,
    /// Events up to this one are in a block that the open transaction wrote.
    written: Option<i64>,
    /// How many those are.
    placed: usize,
}

impl Tail {
    /// The tail of a database.
    pub(crate) fn read(connection: &Connection) -> Outcome<Self> {
        let mut tail = Self::default();
        let last = last(connection)?;
        connection
            .prepare(
                "-- blocks::read: events after the last block
                 SELECT id, environment, key, tenant, targets FROM events WHERE id > ?1 ORDER BY id",
            )?
            .query_and_then([last], |row| {
                let record = Record::new(row, "events", &["id"]);
                tail.committed.push_back(entry(&record)?);
                Ok(())
            })?
            .collect::<Outcome<()>>()?;
        Ok(tail)
    }

    /// An event was appended.
    pub(crate) fn add(&mut self, entry: Entry) {
        self.added.push(entry);
    }

    /// True when there is enough for a block.
    pub(crate) fn is_full(&self) -> bool {
        self.committed.len() + self.added.len() - self.placed >= BLOCK_EVENTS
    }

    /// Writes a block of the oldest.
    pub(crate) fn write(&mut self, connection: &Connection, settled_before: i64) -> Outcome<()> {
        let all = self.committed.iter().chain(&self.added).skip(self.placed);
        let taken = all.clone().take(BLOCK_EVENTS).count();
        let entries: Vec<&Entry> = all.take(taken).filter(|entry| !self.pruned.contains(&entry.event)).collect();
        self.placed += taken;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok(());
        };
        let (first, last) = (first.event, last.event);
        let mut parts = BTreeMap::<Scope<'_>, Vec<i64>>::new();
        for entry in entries {
            for scope in entry.scopes() {
                parts.entry(scope).or_default().push(entry.event);
            }
        }
        connection
            .prepare_cached(
                "-- blocks::write: the block
                 INSERT INTO blocks (first, last, settled_before) VALUES (?1, ?2, ?3)",
            )?
            .execute([first, last, settled_before])?;
        for (scope, events) in parts {
            put(connection, first, scope, &events)?;
        }
        self.written = Some(last);
        Ok(())
    }

    /// Events were pruned; those of the tail leave it, and those of blocks leave their blocks.
    pub(crate) fn prune(&mut self, connection: &Connection, events: &[Entry]) -> Outcome<()> {
        self.pruned.extend(events.iter().map(|pruned| pruned.event));
        let last = last(connection)?;
        let mut by_block: BTreeMap<i64, Vec<&Entry>> = BTreeMap::new();
        for pruned in events.iter().filter(|pruned| pruned.event <= last) {
            by_block.entry(block_of(connection, pruned.event)?).or_default().push(pruned);
        }
        for (block, pruned) in by_block {
            prune_block(connection, block, &pruned)?;
        }
        Ok(())
    }

    /// The transaction is durable.
    pub(crate) fn committed(&mut self) {
        self.committed.extend(self.added.drain(..));
        if !self.pruned.is_empty() {
            let pruned = std::mem::take(&mut self.pruned);
            self.committed.retain(|entry| !pruned.contains(&entry.event));
        }
        self.placed = 0;
        if let Some(written) = self.written.take() {
            while self.committed.front().is_some_and(|entry| entry.event <= written) {
                self.committed.pop_front();
            }
        }
    }

    /// The transaction came to nothing.
    pub(crate) fn rolled_back(&mut self) {
        self.added.clear();
        self.pruned.clear();
        self.written = None;
        self.placed = 0;
    }
}

/// Visits the events that are in all of some scopes, and whose ids are in a range, newest first, until the visitor breaks. An event comes as often as it
/// is in the first scope, which should be the one with the fewest events: as often as it has a webhook among its targets.
pub(crate) fn walk(
    connection: &Connection,
    scopes: &[Scope<'_>],
    ids: &Range<i64>,
    mut visit: impl FnMut(i64) -> Outcome<ControlFlow<()>>,
) -> Outcome<()> {
    let Some((scope, others)) = scopes.split_first() else {
        return Ok(());
    };
    let last = last(connection)?;
    if ids.end > last + 1 && walk_tail(connection, *scope, others, &(ids.start.max(last + 1)..ids.end), &mut visit)?.is_break() {
        return Ok(());
    }
    let (kind, owner, name) = scope.columns();
    let mut statement = connection.prepare_cached(
        "-- blocks::walk: parts of a scope, the newest first
         SELECT b.first, p.events FROM blocks b CROSS JOIN parts p ON p.block = b.first AND p.kind = ?1 AND p.owner = ?2 AND p.name = ?3
         WHERE b.first < ?5 AND b.first >= coalesce((SELECT max(first) FROM blocks WHERE first <= ?4), 0) ORDER BY b.first DESC",
    )?;
    let mut rows = statement.query(params![kind, owner, name, ids.start, ids.end])?;
    let mut events = Vec::new();
    'blocks: while let Some(row) = rows.next()? {
        let block = row.get(0)?;
        unpack(block, row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, &mut events)?;
        for other in others {
            let Some(part) = part(connection, block, *other)? else {
                continue 'blocks;
            };
            events.retain(|event| part.binary_search(event).is_ok());
        }
        for event in events.iter().rev().filter(|event| ids.contains(event)) {
            if visit(*event)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn walk_tail(
    connection: &Connection,
    scope: Scope<'_>,
    others: &[Scope<'_>],
    ids: &Range<i64>,
    visit: &mut impl FnMut(i64) -> Outcome<ControlFlow<()>>,
) -> Outcome<ControlFlow<()>> {
    let mut statement = connection.prepare_cached(
        "-- blocks::walk_tail: what is in no block yet
         SELECT id, environment, key, tenant, targets FROM events WHERE id >= ?1 AND id < ?2 ORDER BY id DESC",
    )?;
    let mut rows = statement.query([ids.start, ids.end])?;
    while let Some(row) = rows.next()? {
        let entry = entry(&Record::new(row, "events", &["id"]))?;
        if others.iter().any(|other| !entry.scopes().any(|own| own == *other)) {
            continue;
        }
        for _ in entry.scopes().filter(|own| *own == scope) {
            if visit(entry.event)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Visits the events of an environment with ids below an end, oldest first, until the visitor breaks.
pub(crate) fn climb(
    connection: &Connection,
    environment: i64,
    end: i64,
    mut visit: impl FnMut(i64) -> Outcome<ControlFlow<()>>,
) -> Outcome<()> {
    let (kind, owner, name) = Scope::Environment(environment).columns();
    let mut statement = connection.prepare_cached(
        "-- blocks::climb: parts of a scope, the oldest first
         SELECT b.first, p.events FROM blocks b CROSS JOIN parts p ON p.block = b.first AND p.kind = ?1 AND p.owner = ?2 AND p.name = ?3
         WHERE b.first < ?4 ORDER BY b.first",
    )?;
    let mut rows = statement.query(params![kind, owner, name, end])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let first = row.get(0)?;
        unpack(first, row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, &mut events)?;
        for event in events.iter().take_while(|event| **event < end) {
            if visit(*event)?.is_break() {
                return Ok(());
            }
        }
    }
    let mut statement = connection.prepare_cached(
        "-- blocks::climb: what is in no block yet
         SELECT id FROM events WHERE id > ?1 AND id < ?2 AND environment = ?3 ORDER BY id",
    )?;
    let mut rows = statement.query([last(connection)?, end, environment])?;
    while let Some(row) = rows.next()? {
        if visit(row.get(0)?)?.is_break() {
            return Ok(());
        }
    }
    Ok(())
}

/// An event with what decides about its places, by its row.
pub(crate) fn entry(record: &Record<'_, '_>) -> Outcome<Entry> {
    Ok(Entry {
        event: record.get("id")?,
        environment: record.get("environment")?,
        key: record.get("key")?,
        tenant: record.get("tenant")?,
        webhooks: targets(record)?,
    })
}

/// From where on recovery has to look: before it every delivery is settled or has a row.
pub(crate) fn settled_before(connection: &Connection) -> Outcome<i64> {
    let settled_before = connection
        .prepare_cached(
            "-- blocks::settled_before: as of the last block
             SELECT settled_before FROM blocks ORDER BY first DESC LIMIT 1",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(settled_before.unwrap_or(0))
}

/// The targets of an event, from its column.
pub(crate) fn targets(record: &Record<'_, '_>) -> Outcome<Vec<i64>> {
    record.bytes("targets", |bytes| {
        let (ids, rest) = bytes.as_chunks::<8>();
        rest.is_empty().then(|| ids.iter().map(|id| i64::from_le_bytes(*id)).collect())
    })
}

/// The last event that is in a block; 0 when there is no block.
fn last(connection: &Connection) -> Outcome<i64> {
    let last = connection
        .prepare_cached(
            "-- blocks::last: of the last block
             SELECT last FROM blocks ORDER BY first DESC LIMIT 1",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(last.unwrap_or(0))
}

fn block_of(connection: &Connection, event: i64) -> Outcome<i64> {
    Ok(connection
        .prepare_cached(
            "-- blocks::block_of: the one that begins before it
             SELECT max(first) FROM blocks WHERE first <= ?1",
        )?
        .query_row([event], |row| row.get(0))?)
}

/// The events of a block that are in a scope.
fn part(connection: &Connection, block: i64, scope: Scope<'_>) -> Outcome<Option<Vec<i64>>> {
    let (kind, owner, name) = scope.columns();
    let mut statement = connection.prepare_cached(
        "-- blocks::part: of one scope
         SELECT events FROM parts WHERE block = ?1 AND kind = ?2 AND owner = ?3 AND name = ?4",
    )?;
    let mut rows = statement.query(params![block, kind, owner, name])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let mut events = Vec::new();
    unpack(block, row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?, &mut events)?;
    Ok(Some(events))
}

fn put(connection: &Connection, block: i64, scope: Scope<'_>, events: &[i64]) -> Outcome<()> {
    let (kind, owner, name) = scope.columns();
    connection
        .prepare_cached(
            "-- blocks::put: a part
             INSERT OR REPLACE INTO parts (block, kind, owner, name, events) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![block, kind, owner, name, pack(block, events)])?;
    Ok(())
}

/// Takes events out of a block, and the block away when it is empty.
fn prune_block(connection: &Connection, block: i64, pruned: &[&Entry]) -> Outcome<()> {
    let gone: HashSet<i64> = pruned.iter().map(|pruned| pruned.event).collect();
    let scopes: BTreeSet<Scope<'_>> = pruned.iter().flat_map(|pruned| pruned.scopes()).collect();
    for scope in scopes {
        prune_part(connection, block, scope, &gone)?;
    }
    connection
        .prepare_cached(
            "-- blocks::prune_block: when none of its events is left
             DELETE FROM blocks WHERE first = ?1 AND NOT EXISTS (SELECT 1 FROM events WHERE id BETWEEN first AND last)",
        )?
        .execute([block])?;
    Ok(())
}

fn prune_part(connection: &Connection, block: i64, scope: Scope<'_>, gone: &HashSet<i64>) -> Outcome<()> {
    let Some(mut events) = part(connection, block, scope)? else {
        return Ok(());
    };
    events.retain(|event| !gone.contains(event));
    if !events.is_empty() {
        return put(connection, block, scope, &events);
    }
    let (kind, owner, name) = scope.columns();
    connection
        .prepare_cached(
            "-- blocks::prune_part: the whole
             DELETE FROM parts WHERE block = ?1 AND kind = ?2 AND owner = ?3 AND name = ?4",
        )?
        .execute(params![block, kind, owner, name])?;
    Ok(())
}

/// Each event as its distance from the one before, the first from the block's.
fn pack(first: i64, events: &[i64]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(events.len() * 3);
    let mut digits = [0; 10];
    let mut before = first;
    for event in events {
        let length = (event - before).unsigned_abs().encode_var(&mut digits);
        packed.extend_from_slice(&digits[..length]);
        before = *event;
    }
    packed
}

/// The events of a part of the block that begins with `first`.
pub(crate) fn unpack(first: i64, mut packed: &[u8], events: &mut Vec<i64>) -> Outcome<()> {
    events.clear();
    let mut before = first;
    while !packed.is_empty() {
        let read = u64::decode_var(packed).and_then(|(distance, length)| Some((before.checked_add_unsigned(distance)?, length)));
        let Some((event, length)) = read else {
            return Err(Fault::Damaged(format!("table blocks, row {first}: its events cannot be read")));
        };
        events.push(event);
        before = event;
        packed = &packed[length..];
    }
    Ok(())
}
