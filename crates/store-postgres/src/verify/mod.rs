//! Holding the database against what is always true of it, a step at a time. Every step reads as of one commit and writes nothing.
//!
//! Pages and indexes are PostgreSQL's own matter (`pg_amcheck`, data checksums); here it is asked only what it knows to be unusable.

mod configuration;
mod events;
mod keys;
mod pending;
mod webhooks;

use deadpool_postgres::Transaction;
use tidings_model::WebhookId;
use tidings_store::{AsOf, Check, Finding, Place, Verified};

use crate::fault::{Fault, Outcome, is_damage, said};

/// Of what is left of events that are not there, so much of each kind is named in a step.
const REMNANTS_NAMED: i64 = 100;

/// What a step knows and what it has found.
struct Look<'a> {
    db: &'a Transaction<'a>,
    as_of: AsOf,
    limit: usize,
    looked_at: u64,
    findings: Vec<Finding>,
}

/// Takes one step.
pub(crate) async fn step(db: &Transaction<'_>, place: &Place, as_of: AsOf, limit: usize) -> Outcome<Verified> {
    let mut look = Look {
        db,
        as_of,
        limit: limit.max(1),
        looked_at: 0,
        findings: Vec::new(),
    };
    let after = place.after.as_str();
    let looked = match place.check {
        Check::Database => configuration::look_at_database(&mut look).await.map(|()| None),
        Check::Configuration => configuration::look(&mut look).await.map(|()| None),
        Check::Webhooks => webhooks::look(&mut look, after).await,
        Check::Pending => pending::look(&mut look, after).await,
        Check::Events => events::look(&mut look, after).await,
        Check::Keys => keys::look(&mut look, after).await,
        Check::Lists => Ok(None), // nothing is written twice
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
                self.found(Finding::Damaged { what: said(&error) });
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Where to go on after a page of `rows` that ended with `last`: nowhere when it was not full.
    fn next(&self, rows: usize, last: Option<String>) -> Option<String> {
        last.filter(|_| rows == self.limit)
    }
}

/// The numbers of a place; what comes before everything at the beginning, whatever damage made of its numbers.
fn numbers<const N: usize>(after: &str) -> Outcome<[i64; N]> {
    let mut numbers = [i64::MIN; N];
    if after.is_empty() {
        return Ok(numbers);
    }
    let mut parts = after.split('/');
    for number in &mut numbers {
        let part = parts.next().and_then(|part| part.parse().ok());
        *number = part.ok_or_else(|| no_place(after))?;
    }
    Ok(numbers)
}

fn no_place(after: &str) -> Fault {
    Fault::Damaged(format!("'{after}' is no place of this store"))
}

fn webhook_id(raw: i64, column: &str) -> Outcome<WebhookId> {
    WebhookId::from_raw(raw).ok_or_else(|| Fault::Damaged(format!("{column}: {raw} is no webhook")))
}
