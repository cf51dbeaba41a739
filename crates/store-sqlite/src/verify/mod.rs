//! Holding the database against what is always true of it, a step at a time. Every step reads as of one commit and writes nothing.
//!
//! What the writer keeps in memory is not looked at: the database tells the same (see [`crate::fresh`]), so that a folder can be verified from outside
//! the process that serves it.

mod configuration;
mod database;
mod events;
mod keys;
mod lists;
mod pending;
mod webhooks;

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};
use tidings_model::{EventId, WebhookId};
use tidings_store::{AsOf, Check, Finding, Place, Verified};

use crate::fault::{Fault, Outcome, is_damage};

/// Of what is left of events that are not there, so much of each kind is named in a step.
const REMNANTS_NAMED: i64 = 100;

/// What a step knows and what it has found.
struct Look<'a> {
    connection: &'a Connection,
    as_of: AsOf,
    limit: usize,
    looked_at: u64,
    findings: Vec<Finding>,
    /// The short environment ids of webhooks that were asked for.
    homes: HashMap<i64, Option<i64>>,
}

/// Takes one step.
pub(crate) fn step(connection: &Connection, place: &Place, as_of: AsOf, limit: usize) -> Outcome<Verified> {
    let mut look = Look {
        connection,
        as_of,
        limit: limit.max(1),
        looked_at: 0,
        findings: Vec::new(),
        homes: HashMap::new(),
    };
    let after = place.after.as_str();
    let looked = match place.check {
        Check::Database => database::look(&mut look, after),
        Check::Configuration => configuration::look(&mut look).map(|()| None),
        Check::Webhooks => webhooks::look(&mut look, after),
        Check::Pending => pending::look(&mut look, after),
        Check::Events => events::look(&mut look, after),
        Check::Keys => keys::look(&mut look, after),
        Check::Lists => lists::look(&mut look, after),
    };
    // What cannot be read at all ends a check, and not the verification.
    let after = look.readable(looked)?.flatten();
    Ok(Verified {
        looked_at: look.looked_at,
        findings: look.findings,
        next: match after {
            Some(after) => Some(Place { check: place.check, after }),
            None => place.next_check(),
        },
    })
}

impl Look<'_> {
    fn found(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// What was read; what cannot be read because it is damaged is a finding.
    fn readable<T>(&mut self, read: Outcome<T>) -> Outcome<Option<T>> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(Fault::Damaged(what)) => {
                self.found(Finding::Unreadable { what });
                Ok(None)
            }
            Err(Fault::Sql(error)) if is_damage(&error) => {
                self.found(Finding::Damaged { what: error.to_string() });
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// The environment of a webhook that is there, or was; `None` where there has never been such a webhook.
    fn home_of(&mut self, webhook: i64) -> Outcome<Option<i64>> {
        if let Some(known) = self.homes.get(&webhook) {
            return Ok(*known);
        }
        let home = self
            .connection
            .prepare_cached(
                "-- verify::home_of: a webhook's
                 SELECT environment FROM webhooks WHERE id = ?1",
            )?
            .query_row([webhook], |row| row.get(0))
            .optional()?;
        self.homes.insert(webhook, home);
        Ok(home)
    }

    /// Where to go on after a page of `rows` that ended with `last`: nowhere when it was not full.
    fn next<T>(&self, rows: usize, last: Option<T>, written: impl FnOnce(T) -> String) -> Option<String> {
        last.filter(|_| rows == self.limit).map(written)
    }
}

/// The numbers of a place; zeros at the beginning.
fn numbers<const N: usize>(after: &str) -> Outcome<[i64; N]> {
    let mut numbers = [0; N];
    if after.is_empty() {
        return Ok(numbers);
    }
    let mut parts = after.split('/');
    for number in &mut numbers {
        let part = parts.next().and_then(|part| part.parse().ok());
        *number = part.ok_or_else(|| Fault::Damaged(format!("'{after}' is no place of this store")))?;
    }
    Ok(numbers)
}

fn event_id(raw: i64) -> Outcome<EventId> {
    EventId::from_raw(raw).ok_or_else(|| Fault::Damaged(format!("{raw} is no event")))
}

fn webhook_id(raw: i64, column: &str) -> Outcome<WebhookId> {
    WebhookId::from_raw(raw).ok_or_else(|| Fault::Damaged(format!("{column}: {raw} is no webhook")))
}
