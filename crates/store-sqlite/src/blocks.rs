//! Which events an environment had and which went to a webhook, without an index that every event would have to be written into.
//!
//! Events are appended in the order of their ids. Whenever [`BLOCK_EVENTS`] have gathered, their ids are sorted by environment and by webhook and written
//! as one row for each: a block. A list walks the blocks from the newest, and before them the *tail*: the events after the last block, which it finds
//! by looking through them.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ops::{ControlFlow, Range};

use integer_encoding::VarInt;
use rusqlite::{Connection, OptionalExtension, params};
use tidings_model::{EventId, WebhookId};

use crate::fault::{Fault, Outcome};
use crate::record::Record;

/// Events of one block: fewer make lists of rare webhooks walk more blocks, more make the tail longer.
/// Tests have it small, so that every promise of the store is also tried across blocks.
const BLOCK_EVENTS: usize = if cfg!(test) { 4 } else { 4_096 };

/// An event that is in no block yet.
#[derive(Debug)]
struct Loose {
    event: i64,
    environment: i64,
    webhooks: Vec<i64>,
}

/// The writer's memory of the tail: what is committed, and what the open transaction does to it.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    committed: VecDeque<Loose>,
    added: Vec<Loose>,
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
                 SELECT id, environment, targets FROM events WHERE id > ?1 ORDER BY id",
            )?
            .query_and_then([last], |row| {
                let record = Record::new(row, "events", &["id"]);
                tail.committed.push_back(Loose {
                    event: record.get("id")?,
                    environment: record.get("environment")?,
                    webhooks: targets(&record)?,
                });
                Ok(())
            })?
            .collect::<Outcome<()>>()?;
        Ok(tail)
    }

    /// An event was appended.
    pub(crate) fn add(&mut self, event: EventId, environment: i64, webhooks: Vec<i64>) {
        self.added.push(Loose {
            event: event.raw(),
            environment,
            webhooks,
        });
    }

    /// True when there is enough for a block.
    pub(crate) fn is_full(&self) -> bool {
        self.committed.len() + self.added.len() - self.placed >= BLOCK_EVENTS
    }

    /// Writes a block of the oldest.
    pub(crate) fn write(&mut self, connection: &Connection, settled_before: i64) -> Outcome<()> {
        let all = self.committed.iter().chain(&self.added).skip(self.placed);
        let taken = all.clone().take(BLOCK_EVENTS).count();
        let loose: Vec<&Loose> = all.take(taken).filter(|loose| !self.pruned.contains(&loose.event)).collect();
        self.placed += taken;
        let (Some(first), Some(last)) = (loose.first(), loose.last()) else {
            return Ok(());
        };
        let (first, last) = (first.event, last.event);
        let (mut environments, mut webhooks) = (BTreeMap::<i64, Vec<i64>>::new(), BTreeMap::<i64, Vec<i64>>::new());
        for loose in loose {
            environments.entry(loose.environment).or_default().push(loose.event);
            for webhook in &loose.webhooks {
                webhooks.entry(*webhook).or_default().push(loose.event);
            }
        }
        connection
            .prepare_cached(
                "-- blocks::write: the block
                 INSERT INTO blocks (first, last, settled_before) VALUES (?1, ?2, ?3)",
            )?
            .execute([first, last, settled_before])?;
        for (owner, parts) in [(Owner::Environment, environments), (Owner::Webhook, webhooks)] {
            for (id, events) in parts {
                put(connection, owner, first, id, &events)?;
            }
        }
        self.written = Some(last);
        Ok(())
    }

    /// Events were pruned; those of the tail leave it, and those of blocks leave their blocks.
    pub(crate) fn prune(&mut self, connection: &Connection, events: &[Pruned]) -> Outcome<()> {
        self.pruned.extend(events.iter().map(|pruned| pruned.event));
        let last = last(connection)?;
        let mut by_block: BTreeMap<i64, Vec<&Pruned>> = BTreeMap::new();
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
            self.committed.retain(|loose| !pruned.contains(&loose.event));
        }
        self.placed = 0;
        if let Some(written) = self.written.take() {
            while self.committed.front().is_some_and(|loose| loose.event <= written) {
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

/// An event that was removed, and where it is to be found in blocks.
#[derive(Debug)]
pub(crate) struct Pruned {
    /// Its id.
    pub(crate) event: i64,
    /// The short id of its environment.
    pub(crate) environment: i64,
    /// Its targets.
    pub(crate) webhooks: Vec<i64>,
}

/// The two kinds of rows that a block has.
#[derive(Clone, Copy, Debug)]
enum Owner {
    Environment,
    Webhook,
}

impl Owner {
    const fn pick<'a>(self, environment: &'a str, webhook: &'a str) -> &'a str {
        match self {
            Self::Environment => environment,
            Self::Webhook => webhook,
        }
    }
}

/// Whose events a walk wants.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    /// An environment's, by its short id.
    Environment(i64),
    /// Those that went to a webhook.
    Webhook(WebhookId),
}

impl Scope {
    const fn owner(self) -> (Owner, i64) {
        match self {
            Self::Environment(short) => (Owner::Environment, short),
            Self::Webhook(webhook) => (Owner::Webhook, webhook.raw()),
        }
    }

    fn has(self, environment: i64, webhooks: &[i64]) -> usize {
        match self {
            Self::Environment(short) => usize::from(short == environment),
            Self::Webhook(webhook) => webhooks.iter().filter(|target| **target == webhook.raw()).count(),
        }
    }
}

/// Visits the events of a scope whose ids are in a range, newest first, until the visitor breaks. An event comes as often as it has the webhook among
/// its targets.
pub(crate) fn walk(
    connection: &Connection,
    scope: Scope,
    ids: &Range<i64>,
    mut visit: impl FnMut(i64) -> Outcome<ControlFlow<()>>,
) -> Outcome<()> {
    let last = last(connection)?;
    if ids.end > last + 1 && walk_tail(connection, scope, &(ids.start.max(last + 1)..ids.end), &mut visit)?.is_break() {
        return Ok(());
    }
    let (owner, id) = scope.owner();
    let mut statement = connection.prepare_cached(owner.pick(
        "-- blocks::walk: of an environment, the newest first
         SELECT b.first, p.events FROM blocks b CROSS JOIN environment_blocks p ON p.block = b.first AND p.environment = ?1
         WHERE b.first < ?3 AND b.first >= coalesce((SELECT max(first) FROM blocks WHERE first <= ?2), 0) ORDER BY b.first DESC",
        "-- blocks::walk: of a webhook, the newest first
         SELECT b.first, p.events FROM blocks b CROSS JOIN webhook_blocks p ON p.block = b.first AND p.webhook = ?1
         WHERE b.first < ?3 AND b.first >= coalesce((SELECT max(first) FROM blocks WHERE first <= ?2), 0) ORDER BY b.first DESC",
    ))?;
    let mut rows = statement.query([id, ids.start, ids.end])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let first = row.get(0)?;
        unpack(first, row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, &mut events)?;
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
    scope: Scope,
    ids: &Range<i64>,
    visit: &mut impl FnMut(i64) -> Outcome<ControlFlow<()>>,
) -> Outcome<ControlFlow<()>> {
    let mut statement = connection.prepare_cached(
        "-- blocks::walk_tail: what is in no block yet
         SELECT id, environment, targets FROM events WHERE id >= ?1 AND id < ?2 ORDER BY id DESC",
    )?;
    let mut rows = statement.query([ids.start, ids.end])?;
    while let Some(row) = rows.next()? {
        let record = Record::new(row, "events", &["id"]);
        let webhooks = match scope {
            Scope::Environment(_) => Vec::new(),
            Scope::Webhook(_) => targets(&record)?,
        };
        for _ in 0..scope.has(record.get("environment")?, &webhooks) {
            if visit(record.get("id")?)?.is_break() {
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
    let mut statement = connection.prepare_cached(
        "-- blocks::climb: of an environment, the oldest first
         SELECT b.first, p.events FROM blocks b CROSS JOIN environment_blocks p ON p.block = b.first AND p.environment = ?1
         WHERE b.first < ?2 ORDER BY b.first",
    )?;
    let mut rows = statement.query([environment, end])?;
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

fn put(connection: &Connection, owner: Owner, block: i64, id: i64, events: &[i64]) -> Outcome<()> {
    let sql = owner.pick(
        "-- blocks::put: an environment's part
         INSERT OR REPLACE INTO environment_blocks (block, environment, events) VALUES (?1, ?2, ?3)",
        "-- blocks::put: a webhook's part
         INSERT OR REPLACE INTO webhook_blocks (block, webhook, events) VALUES (?1, ?2, ?3)",
    );
    connection.prepare_cached(sql)?.execute(params![block, id, pack(block, events)])?;
    Ok(())
}

/// Takes events out of a block, and the block away when it is empty.
fn prune_block(connection: &Connection, block: i64, pruned: &[&Pruned]) -> Outcome<()> {
    let gone: HashSet<i64> = pruned.iter().map(|pruned| pruned.event).collect();
    let mut parts: HashSet<(bool, i64)> = HashSet::new();
    for pruned in pruned {
        parts.insert((true, pruned.environment));
        parts.extend(pruned.webhooks.iter().map(|webhook| (false, *webhook)));
    }
    for (is_environment, id) in parts {
        let owner = if is_environment { Owner::Environment } else { Owner::Webhook };
        prune_part(connection, owner, block, id, &gone)?;
    }
    connection
        .prepare_cached(
            "-- blocks::prune_block: when none of its events is left
             DELETE FROM blocks WHERE first = ?1 AND NOT EXISTS (SELECT 1 FROM events WHERE id BETWEEN first AND last)",
        )?
        .execute([block])?;
    Ok(())
}

fn prune_part(connection: &Connection, owner: Owner, block: i64, id: i64, gone: &HashSet<i64>) -> Outcome<()> {
    let sql = owner.pick(
        "-- blocks::prune_part: an environment's
         SELECT events FROM environment_blocks WHERE block = ?1 AND environment = ?2",
        "-- blocks::prune_part: a webhook's
         SELECT events FROM webhook_blocks WHERE block = ?1 AND webhook = ?2",
    );
    let packed: Option<Vec<u8>> = connection
        .prepare_cached(sql)?
        .query_row([block, id], |row| row.get(0))
        .optional()?;
    let Some(packed) = packed else {
        return Ok(());
    };
    let mut events = Vec::new();
    unpack(block, &packed, &mut events)?;
    events.retain(|event| !gone.contains(event));
    if !events.is_empty() {
        return put(connection, owner, block, id, &events);
    }
    let sql = owner.pick(
        "-- blocks::prune_part: the whole of an environment's
         DELETE FROM environment_blocks WHERE block = ?1 AND environment = ?2",
        "-- blocks::prune_part: the whole of a webhook's
         DELETE FROM webhook_blocks WHERE block = ?1 AND webhook = ?2",
    );
    connection.prepare_cached(sql)?.execute([block, id])?;
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

fn unpack(first: i64, mut packed: &[u8], events: &mut Vec<i64>) -> Outcome<()> {
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
