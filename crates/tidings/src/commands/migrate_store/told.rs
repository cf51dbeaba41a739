//! What is said of a move: how far it is, what went over, and what is to be done next.

use parking_lot::Mutex;
use serde_json::{Value, json};
use tidings_runtime::{Stopwatch, SystemClock};
use tidings_signing::KeyId;
use tidings_store::MasterKeyId;
use tidings_store::transfer::{Compared, Moved, Progress};

use super::place::Place;
use crate::commands::verify::Report;
use crate::key_files::{KEY_FILE, read_key};
use crate::output::{say, table};

/// Between two words about the progress.
const SAY_EVERY_US: u64 = 1_000_000;

/// Says how far a move is.
pub(super) struct Teller {
    clock: SystemClock,
    begun: Stopwatch,
    told: Mutex<Told>,
}

struct Told {
    last: Stopwatch,
    /// When the last chunk had gone over.
    copied_us: u64,
}

impl Teller {
    pub(super) fn new(clock: SystemClock) -> Self {
        let begun = Stopwatch::start(&clock);
        Self {
            clock,
            begun,
            told: Mutex::new(Told { last: begun, copied_us: 0 }),
        }
    }

    pub(super) fn tell(&self, progress: Progress) {
        let mut told = self.told.lock();
        let elapsed_us = self.begun.elapsed_us(&self.clock);
        if matches!(progress, Progress::Copying { .. }) {
            told.copied_us = elapsed_us;
        }
        if told.last.elapsed_us(&self.clock) < SAY_EVERY_US {
            return;
        }
        told.last = Stopwatch::start(&self.clock);
        say(&match progress {
            Progress::Copying { kind, events: 0, .. } => format!("{kind} …"),
            Progress::Copying { kind, events, of } => {
                format!("{kind}: {events}{} events moved, {} a second", out_of(of), rate(events, elapsed_us))
            }
            Progress::Comparing { events, of } => format!("comparing both ends: {events}{} events", out_of(of)),
        });
    }

    /// How long copying took.
    pub(super) fn copied_us(&self) -> u64 {
        self.told.lock().copied_us
    }
}

/// A store knows only about how many events it has.
fn out_of(all: u64) -> String {
    match all {
        0 => String::new(),
        all => format!(" of about {all}"),
    }
}

fn rate(events: u64, elapsed_us: u64) -> u64 {
    events.saturating_mul(1_000_000) / elapsed_us.max(1)
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1_000_000.0
}

/// What came of a move.
pub(super) struct Ended {
    /// What went over.
    pub(super) moved: Moved,
    /// How long copying took, and all of it with the comparison.
    pub(super) copied_us: u64,
    pub(super) took_us: u64,
    /// What is wrong in the target.
    pub(super) findings: Report,
    /// The master keys that it needs, the one that seals first.
    pub(super) master_keys: Vec<MasterKeyId>,
}

impl Ended {
    fn was_over(&self) -> bool {
        self.moved.compared.is_empty()
    }

    pub(super) fn in_words(&self, from: &str, to: &str) -> String {
        if self.was_over() {
            return format!("{from} was moved to {to} before: nothing is left to do.");
        }
        format!(
            "{from} was moved to {to}: {} events in {:.1} s, {} a second, and with the comparison {:.1} s. Both ends hold the same.",
            self.moved.events,
            seconds(self.copied_us),
            rate(self.moved.events, self.copied_us),
            seconds(self.took_us)
        )
    }

    pub(super) fn as_table(&self) -> String {
        let rows = self.moved.compared.iter().map(|Compared { kind, target, .. }| {
            let (records, checksum) = (target.records.to_string(), target.checksum.clone());
            [kind.to_string(), records, checksum]
        });
        table(["kind", "records", "sha-256"], rows)
    }

    pub(super) fn as_json(&self, from: &str, to: &str) -> Value {
        let records = self.moved.compared.iter().map(|Compared { kind, target, .. }| {
            let told = json!({ "records": target.records, "sha256": target.checksum });
            (kind.name().to_owned(), told)
        });
        json!({
            "from": from,
            "to": to,
            "wasOver": self.was_over(),
            "eventsMoved": self.moved.events,
            "copiedSeconds": seconds(self.copied_us),
            "eventsPerSecond": rate(self.moved.events, self.copied_us),
            "seconds": seconds(self.took_us),
            "kinds": records.collect::<serde_json::Map<_, _>>(),
            "sound": self.findings.found == 0,
            "found": self.findings.found,
        })
    }
}

/// What people do next.
pub(super) fn next(from: &Place, to: &Place, keys: &[MasterKeyId]) -> String {
    let named: Vec<_> = keys.iter().map(|id| KeyId::from_bytes(*id).to_string()).collect();
    let of_source = match from {
        Place::Folder(folder) => Some(folder.join(KEY_FILE)).filter(|file| file.exists()),
        Place::Database(_) => None,
    };
    let shown = of_source.as_ref().map(|file| file.display().to_string());
    let mut lines = vec!["Next:".to_owned()];
    match to {
        Place::Folder(folder) => {
            let has = read_key(folder).ok().flatten().map(|key| key.id().bytes());
            let folder = folder.display();
            if has.is_none() || has != keys.first().copied() {
                lines.push(format!(
                    "  install -m 600 {} {folder}/{KEY_FILE}",
                    shown.as_deref().unwrap_or("/path/to/the/master.key")
                ));
            }
            lines.push(format!("  tidings serve --data {folder}"));
        }
        Place::Database(config) => {
            let key = shown.as_deref().unwrap_or("/path/to/the/master.key");
            let url = &config.url; // without a password, as it was given
            let password = config
                .password_file
                .as_ref()
                .map(|file| format!(" --database-password-file {}", file.display()));
            let password = password.unwrap_or_default();
            lines.push(format!(
                "  TIDINGS_MASTER_KEY=\"$(cat {key})\" tidings serve --database '{url}'{password}"
            ));
        }
    }
    let needs = match named.as_slice() {
        [] => "Nothing is sealed there yet.".to_owned(),
        [key] => format!("What is sealed there needs the master key {key}, which was not moved, as before."),
        keys => format!(
            "What is sealed there needs the master keys {}, which were not moved, as before.",
            keys.join(" and ")
        ),
    };
    lines.push(needs);
    lines.push("The source stays as it was, and cannot be served: remove it when the target has proved itself.".to_owned());
    lines.join("\n")
}
