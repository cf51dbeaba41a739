//! Blocks and their parts, from which lists are read: each holds the events that belong into it, and no others. One block is one step.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, params};
use tidings_store::Finding;

use super::{Look, event_id, numbers};
use crate::blocks::{self, Scope};
use crate::fault::Outcome;
use crate::record::Record;

/// Parts without a block that are named in a step.
const PARTS_NAMED: i64 = 10;

/// The columns by which a part is told from its neighbours.
type PartKey = (i64, i64, String);

pub(super) fn look(look: &mut Look<'_>, after: &str) -> Outcome<Option<String>> {
    let [before] = numbers(after)?;
    let last_before: i64 = look
        .connection
        .prepare_cached(
            "-- verify::lists: where the block before ends
             SELECT last FROM blocks WHERE first = ?1",
        )?
        .query_row([before], |row| row.get(0))
        .optional()?
        .unwrap_or(0);
    let block: Option<(i64, i64)> = look
        .connection
        .prepare_cached(
            "-- verify::lists: the next block
             SELECT first, last FROM blocks WHERE first > ?1 ORDER BY first LIMIT 1",
        )?
        .query_row([before], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    parts_without_block(look, before, block.map_or(i64::MAX, |(first, _)| first))?;
    let Some((first, last)) = block else {
        return Ok(None);
    };
    if first <= last_before {
        look.found(Finding::ListsBroken {
            what: format!("table blocks: block {first} begins before block {before} ends"),
        });
    }
    events_in_no_block(look, last_before, first)?;
    let checked = compare(look, first, last);
    look.readable(checked)?;
    Ok(Some(first.to_string()))
}

fn parts_without_block(look: &mut Look<'_>, after: i64, before: i64) -> Outcome<()> {
    let strays = look
        .connection
        .prepare_cached(
            "-- verify::parts_without_block: between two blocks
             SELECT DISTINCT block FROM parts WHERE block > ?1 AND block < ?2 LIMIT ?3",
        )?
        .query_map([after, before, PARTS_NAMED], |row| row.get::<_, i64>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for block in strays {
        look.found(Finding::ListsBroken {
            what: format!("table parts: there are parts of block {block}, which is not there"),
        });
    }
    Ok(())
}

fn events_in_no_block(look: &mut Look<'_>, after: i64, before: i64) -> Outcome<()> {
    let strays = look
        .connection
        .prepare_cached(
            "-- verify::events_in_no_block: between two blocks
             SELECT id FROM events WHERE id > ?1 AND id < ?2 LIMIT ?3",
        )?
        .query_map([after, before, super::REMNANTS_NAMED], |row| row.get::<_, i64>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for event in strays {
        look.found(Finding::ListDisagrees {
            event: event_id(event)?,
            list: "its environment, its type and its webhooks".to_owned(),
            listed: false,
        });
    }
    Ok(())
}

/// Compares the parts of a block with those that its events make.
fn compare(look: &mut Look<'_>, first: i64, last: i64) -> Outcome<()> {
    let mut expected = expected(look, first, last)?;
    let connection = look.connection;
    let mut statement = connection.prepare_cached(
        "-- verify::compare: all parts of a block
         SELECT kind, owner, name, events FROM parts WHERE block = ?1",
    )?;
    let mut rows = statement.query([first])?;
    let mut listed = Vec::new();
    while let Some(row) = rows.next()? {
        let key: PartKey = (row.get(0)?, row.get(1)?, row.get(2)?);
        let unpacked = blocks::unpack(first, row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?, &mut listed);
        if look.readable(unpacked)?.is_none() {
            expected.remove(&key);
            continue;
        }
        let belong = expected.remove(&key).unwrap_or_default();
        if listed != belong {
            differences(look, &key, &belong, &listed)?;
        }
    }
    for (key, belong) in expected {
        differences(look, &key, &belong, &[])?;
    }
    Ok(())
}

fn expected(look: &mut Look<'_>, first: i64, last: i64) -> Outcome<BTreeMap<PartKey, Vec<i64>>> {
    let connection = look.connection;
    let mut statement = connection.prepare_cached(
        "-- verify::expected: the events of a block
         SELECT id, environment, key, tenant, targets FROM events WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
    )?;
    let mut rows = statement.query(params![first, last])?;
    let mut expected = BTreeMap::<PartKey, Vec<i64>>::new();
    while let Some(row) = rows.next()? {
        look.looked_at += 1;
        let entry = blocks::entry(&Record::new(row, "events", &["id"]));
        let Some(entry) = look.readable(entry)? else { continue };
        for scope in entry.scopes() {
            let (kind, owner, name) = scope.columns();
            expected.entry((kind, owner, name.to_owned())).or_default().push(entry.event);
        }
    }
    Ok(expected)
}

fn differences(look: &mut Look<'_>, key: &PartKey, belong: &[i64], listed: &[i64]) -> Outcome<()> {
    let list = named(key);
    let (belong_once, listed_once): (BTreeSet<_>, BTreeSet<_>) = (belong.iter().collect(), listed.iter().collect());
    for event in belong_once.difference(&listed_once) {
        look.found(Finding::ListDisagrees {
            event: event_id(**event)?,
            list: list.clone(),
            listed: false,
        });
    }
    for event in listed_once.difference(&belong_once) {
        look.found(Finding::ListDisagrees {
            event: event_id(**event)?,
            list: list.clone(),
            listed: true,
        });
    }
    if belong_once == listed_once {
        look.found(Finding::ListsBroken {
            what: format!("table parts: {list} has its events in another order, or another number of times"),
        });
    }
    Ok(())
}

fn named((kind, owner, name): &PartKey) -> String {
    let webhook = tidings_model::WebhookId::from_raw(*owner);
    match (*kind, webhook) {
        (kind, _) if kind == Scope::Environment(0).columns().0 => format!("environment number {owner}"),
        (kind, Some(webhook)) if kind == Scope::Webhook(0).columns().0 => format!("webhook {webhook}"),
        (kind, _) if kind == Scope::Key(0, "").columns().0 => format!("event type {name} in environment number {owner}"),
        _ => format!("tenant {name} in environment number {owner}"),
    }
}
