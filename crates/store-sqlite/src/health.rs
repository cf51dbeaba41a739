//! How webhooks have been doing: read once, kept in the writer's memory, and written once a transaction, however many attempts it settles.

use std::collections::HashMap;

use rusqlite::{Connection, params};
use tidings_model::{Timestamp, WebhookId};

use crate::fault::Outcome;
use crate::record::Record;

/// Webhooks whose health is kept in memory, at most; then it is read anew.
const KEPT: usize = 16_384;

#[derive(Clone, Copy, Debug)]
struct Counts {
    attempts: u64,
    failures: u64,
    last_attempt_at: Timestamp,
    failing_since: Option<Timestamp>,
}

/// What the writer remembers. `None`: the webhook was deleted and has no health.
#[derive(Debug, Default)]
pub(crate) struct Health {
    known: HashMap<WebhookId, Option<Counts>>,
    changed: Vec<WebhookId>,
}

impl Health {
    /// Counts an attempt, and says since when the webhook has been failing.
    pub(crate) fn note(
        &mut self,
        connection: &Connection,
        webhook: WebhookId,
        success: bool,
        ended_at: Timestamp,
    ) -> Outcome<Option<Timestamp>> {
        let known = match self.known.get_mut(&webhook) {
            Some(known) => known,
            None => {
                let read = read(connection, webhook)?;
                self.known.entry(webhook).or_insert(read)
            }
        };
        let Some(counts) = known else {
            return Ok(None);
        };
        counts.attempts += 1;
        counts.failures += u64::from(!success);
        counts.last_attempt_at = ended_at;
        counts.failing_since = if success { None } else { counts.failing_since.or(Some(ended_at)) };
        if self.changed.last() != Some(&webhook) {
            self.changed.push(webhook);
        }
        Ok(counts.failing_since)
    }

    /// Writes what changed. Belongs at the end of every transaction, and before whatever else in it looks at health or takes a webhook away.
    pub(crate) fn write(&mut self, connection: &Connection) -> Outcome<()> {
        if self.changed.is_empty() {
            return Ok(());
        }
        self.changed.sort_unstable();
        self.changed.dedup();
        let mut statement = connection.prepare_cached(
            "-- health::write: as it is now
             INSERT INTO webhook_health (webhook, attempts, failures, last_attempt_at, failing_since) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (webhook) DO UPDATE SET attempts = ?2, failures = ?3, last_attempt_at = ?4, failing_since = ?5",
        )?;
        for webhook in self.changed.drain(..) {
            if let Some(Some(counts)) = self.known.get(&webhook) {
                statement.execute(params![
                    webhook.raw(),
                    counts.attempts,
                    counts.failures,
                    counts.last_attempt_at.as_millis(),
                    counts.failing_since.map(Timestamp::as_millis),
                ])?;
            }
        }
        if self.known.len() > KEPT {
            self.known.clear();
        }
        Ok(())
    }

    /// Forgets everything: the database is going to say something else, or the transaction came to nothing.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
        self.changed.clear();
    }
}

fn read(connection: &Connection, webhook: WebhookId) -> Outcome<Option<Counts>> {
    connection
        .prepare_cached(
            "-- health::read: of a webhook that is not deleted
             SELECT w.id, coalesce(h.attempts, 0) AS attempts, coalesce(h.failures, 0) AS failures,
                    coalesce(h.last_attempt_at, 0) AS last_attempt_at, h.failing_since
             FROM webhooks w LEFT JOIN webhook_health h ON h.webhook = w.id
             WHERE w.id = ?1 AND w.deleted_at IS NULL",
        )?
        .query_and_then([webhook.raw()], |row| {
            let record = Record::new(row, "webhook_health", &["id"]);
            Ok(Counts {
                attempts: record.get("attempts")?,
                failures: record.get("failures")?,
                last_attempt_at: record.time("last_attempt_at")?,
                failing_since: record.optional_time("failing_since")?,
            })
        })?
        .next()
        .transpose()
}
