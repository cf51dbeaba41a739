//! `tidings verify`.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tidings_model::Timestamp;
use tidings_runtime::{Clock, Stopwatch, SystemClock};
use tidings_store::{AsOf, Check, Finding, Place, Store, StoreError, Verified, watch_roll};
use tidings_store_postgres::{OpenError as DatabaseError, PostgresConfig, PostgresStore};
use tidings_store_sqlite::Inspection;

use crate::config::settings::{DATA, OUTPUT};
use crate::config::{DataAndOutput, Flags, database};
use crate::data_folder::{DATABASE_FILE, served_since};
use crate::failure::{CommandError, Outcome};
use crate::output::{Format, print, printable, say};
use crate::stores::options_of_commands;

/// Rows that one step looks at: a fraction of a second, after which the database is read as of a newer moment.
const STEP_ROWS: usize = 2_000;
/// Between two words about the progress.
const SAY_EVERY_US: u64 = 1_000_000;
/// Findings that are named; the others are counted. Where there are so many, the file is what is wrong.
const NAMED: usize = 1_000;

/// Hold a data folder, or the database that nodes share, against what is always true of it.
///
/// Servers may run. Every accepted event has its body and all its deliveries, every pending delivery its event and its webhook, every delivery the state that its
/// attempts say; nothing waits that nobody works on; nothing of one environment points into another; whatever is written twice, for lists, agrees with
/// what it was made from; and the file is whole. Nothing is changed, and a running server is not kept from anything: it is read beside it, a little at a
/// time. What is wrong is named by ids, with what it means and what to do; exit status 1 then. A data folder is looked at on the server's machine.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings verify
  tidings verify --data /var/lib/tidings
  tidings verify --database postgres://tidings@db/tidings
  tidings verify --output json > findings.json")]
pub(crate) struct Verify {
    #[command(flatten)]
    settings: Flags<DataAndOutput>,
}

/// What was looked at and found.
#[derive(Debug, Default)]
pub(super) struct Report {
    served: bool,
    looked_at: BTreeMap<Check, u64>,
    pub(super) found: usize,
    named: Vec<Finding>,
}

/// What is said while it lasts.
struct Progress {
    clock: SystemClock,
    said: Stopwatch,
    words: String,
}

impl Progress {
    fn new(clock: SystemClock) -> Self {
        Self {
            clock,
            said: Stopwatch::start(&clock),
            words: String::new(),
        }
    }

    fn tell(&mut self) {
        if self.said.elapsed_us(&self.clock) >= SAY_EVERY_US {
            self.said = Stopwatch::start(&self.clock);
            say(&self.words);
        }
    }
}

pub(crate) async fn run(args: Verify) -> Outcome {
    let layers = args.settings.layers()?;
    let (data, format) = (layers.value(&DATA)?, layers.value(&OUTPUT)?);
    let report = match database(&layers)? {
        Some(database) => verify_shared(&database).await?,
        None if !data.join(DATABASE_FILE).exists() => return Err(CommandError::NoDatabase { folder: data }),
        None => tokio::task::spawn_blocking(move || verify(Inspection::open(&data)?, || served_since(&data)))
            .await
            .map_err(|error| CommandError::Other(error.into()))??,
    };
    print(&match format {
        Format::Json => serde_json::to_string_pretty(&report.as_json()).map_err(anyhow::Error::from)?,
        Format::Table => report.in_words(),
    })?;
    if report.found == 0 { Ok(()) } else { Err(CommandError::No) }
}

/// Looks through all of it. `served_since` says since when a server has been working on it, if one is.
pub(super) fn verify(mut inspection: Inspection, served_since: impl Fn() -> Option<Timestamp>) -> Result<Report, CommandError> {
    let clock = SystemClock::new();
    let progress = Arc::new(Mutex::new(Progress::new(clock)));
    let teller = Arc::clone(&progress);
    inspection.on_progress(move || teller.lock().tell())?;
    let mut report = Report::default();
    let mut place = Some(Place::start());
    while let Some(here) = place {
        let served_since = served_since();
        report.served = served_since.is_some();
        let as_of = AsOf {
            at: clock.now(),
            served_since,
        };
        progress.lock().words = report.so_far(here.check);
        let step = inspection.step(&here, as_of, STEP_ROWS)?;
        place = report.add(here.check, step);
    }
    Ok(report)
}

/// Looks through all of a database that nodes share.
async fn verify_shared(database: &PostgresConfig) -> Result<Report, CommandError> {
    let clock = SystemClock::new();
    let (store, schema) = PostgresStore::open_as_it_is(database, options_of_commands()).await?;
    if !schema.missing.is_empty() {
        let (found, known) = (schema.found, schema.known);
        return Err(DatabaseError::Older { found, known }.into());
    }
    let (alive, _) = watch_roll(&store, &clock).await?;
    let served_since = alive.iter().map(|node| node.joined.at).min();
    let report = verify_through(&store, clock, served_since).await?;
    store.close().await;
    Ok(report)
}

/// Looks through all of a store, which has been served since then, or is served by nobody.
pub(super) async fn verify_through(store: &dyn Store, clock: SystemClock, served_since: Option<Timestamp>) -> Result<Report, StoreError> {
    let mut progress = Progress::new(clock);
    let mut report = Report {
        served: served_since.is_some(),
        ..Report::default()
    };
    let mut place = Some(Place::start());
    while let Some(here) = place {
        progress.words = report.so_far(here.check);
        progress.tell();
        let as_of = AsOf {
            at: clock.now(),
            served_since,
        };
        let step = store.verify(&here, as_of, STEP_ROWS).await?;
        place = report.add(here.check, step);
    }
    Ok(report)
}

impl Report {
    /// Takes what a step found, and gives where the next one begins.
    fn add(&mut self, check: Check, step: Verified) -> Option<Place> {
        *self.looked_at.entry(check).or_default() += step.looked_at;
        self.found += step.findings.len();
        let room = NAMED - self.named.len();
        self.named.extend(step.findings.into_iter().take(room));
        step.next
    }

    fn so_far(&self, check: Check) -> String {
        format!("{check}: {} looked at, {} found", self.counted(check), self.found)
    }

    fn counted(&self, check: Check) -> u64 {
        self.looked_at.get(&check).copied().unwrap_or_default()
    }

    pub(super) fn in_words(&self) -> String {
        let looked_at = format!(
            "{} events, {} pending deliveries, {} webhooks and {} idempotency keys were looked at.",
            self.counted(Check::Events),
            self.counted(Check::Pending),
            self.counted(Check::Webhooks),
            self.counted(Check::Keys)
        );
        if self.found == 0 {
            return format!("Nothing is wrong. {looked_at}");
        }
        let mut by_meaning: Vec<(&str, Vec<&Finding>)> = Vec::new();
        for finding in &self.named {
            match by_meaning.iter_mut().find(|(meaning, _)| *meaning == finding.meaning()) {
                Some((_, findings)) => findings.push(finding),
                None => by_meaning.push((finding.meaning(), vec![finding])),
            }
        }
        let mut lines = Vec::new();
        for (meaning, findings) in by_meaning {
            lines.extend(findings.iter().map(|finding| printable(&finding.to_string())));
            lines.push(format!("  = {meaning}\n"));
        }
        if self.found > self.named.len() {
            lines.push(format!("… and {} more.", self.found - self.named.len()));
        }
        lines.push(format!("{} findings. {looked_at}", self.found));
        lines.join("\n")
    }

    fn as_json(&self) -> Value {
        let findings = self.named.iter().map(|finding| {
            let mut told = json!(finding);
            told["words"] = json!(finding.to_string());
            told["meaning"] = json!(finding.meaning());
            told
        });
        json!({
            "sound": self.found == 0,
            "served": self.served,
            "lookedAt": {
                "events": self.counted(Check::Events),
                "pendingDeliveries": self.counted(Check::Pending),
                "webhooks": self.counted(Check::Webhooks),
                "idempotencyKeys": self.counted(Check::Keys),
            },
            "found": self.found,
            "findings": findings.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use tidings_model::EventId;

    use super::*;

    fn no_body(number: u16) -> Finding {
        Finding::NoBody {
            event: EventId::new(Timestamp::from_seconds(1_700_000_000), number),
        }
    }

    fn report(findings: Vec<Finding>) -> Report {
        let mut report = Report::default();
        let step = Verified {
            looked_at: 7,
            findings,
            next: None,
        };
        assert_eq!(report.add(Check::Events, step), None);
        report
    }

    #[test]
    fn what_is_found_is_told_by_id_with_its_meaning_once() {
        let report = report(vec![no_body(1), no_body(2)]);
        let words = report.in_words();
        assert_eq!(words.matches("has no body").count(), 2, "{words}");
        assert_eq!(words.matches(no_body(1).meaning()).count(), 1, "{words}");
        assert!(words.contains("2 findings. 7 events"), "{words}");
        let json = report.as_json();
        let Finding::NoBody { event } = no_body(1) else { unreachable!() };
        assert_eq!(json["findings"][0]["kind"], "noBody");
        assert_eq!(json["findings"][0]["event"], event.to_string());
        assert_eq!((json["sound"].as_bool(), json["found"].as_u64()), (Some(false), Some(2)));
    }

    #[test]
    fn what_is_more_than_can_be_named_is_counted() {
        let report = report((0..1_500).map(no_body).collect());
        assert_eq!((report.found, report.named.len()), (1_500, NAMED));
        assert!(report.in_words().contains("and 500 more"));
    }
}
