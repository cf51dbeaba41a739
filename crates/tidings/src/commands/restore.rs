//! `tidings restore`.

use std::path::{Path, PathBuf};

use clap::Args;
use tidings_app::keys::MasterKeys;
use tidings_runtime::{Stopwatch, SystemClock};
use tidings_signing::{GIVE_OLD_KEY, KeyId};
use tidings_store_sqlite::{RestoreReport, RestoreStep, restore};

use crate::commands::backup::data_folder;
use crate::config::settings::{MASTER_KEY, OLD_MASTER_KEY};
use crate::config::{DataOnly, Flags};
use crate::failure::{CommandError, Outcome};
use crate::key_files::keys_at_hand;
use crate::output::{print, say};

/// Between two words about the progress.
const SAY_EVERY_US: u64 = 1_000_000;

/// Put a backup into a data folder that has no database.
///
/// The backup is copied, every page of the copy is read, and its schema and its master key are checked, before it becomes the folder's database: all of
/// it or nothing, whatever happens in between. Put the master key that belongs to it into the folder first, as master.key, or give it as
/// TIDINGS_MASTER_KEY. A backup that was made while the key was being changed needs the key before it, too, as TIDINGS_OLD_MASTER_KEY. Nothing is
/// overwritten.
///
/// What was accepted after the backup was made is not in it. What was delivered after it was made is delivered again: receivers tell by the webhook-id
/// header, which stays the same.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings restore --from tidings-backup.db
  tidings restore --from /backups/tidings-2026-01-31.db --data /var/lib/tidings")]
pub(crate) struct Restore {
    /// The backup, made by `tidings backup`.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    #[command(flatten)]
    settings: Flags<DataOnly>,
}

pub(crate) async fn run(args: Restore) -> Outcome {
    let layers = args.settings.layers()?;
    let data = data_folder(&layers)?;
    let (given, old) = (layers.optional(&MASTER_KEY)?, layers.optional(&OLD_MASTER_KEY)?);
    let at_hand = keys_at_hand(&data, given.as_ref(), old.as_ref(), false)?;
    let keys: Vec<_> = at_hand.iter().flat_map(MasterKeys::ids).map(KeyId::bytes).collect();
    let (from, folder) = (args.from, data.clone());
    let report = tokio::task::spawn_blocking(move || {
        let clock = SystemClock::new();
        let mut said = Stopwatch::start(&clock);
        restore(&from, &folder, &keys, move |step| {
            if said.elapsed_us(&clock) >= SAY_EVERY_US {
                said = Stopwatch::start(&clock);
                say(&match step {
                    RestoreStep::Copied { bytes, of } => format!("copied {bytes} of {} bytes", of.max(bytes)),
                    RestoreStep::Reading => "reading every page of the copy".to_owned(),
                });
            }
        })
    })
    .await
    .map_err(|error| CommandError::Other(error.into()))??;
    print(&data.display().to_string())?;
    say(&told(&report, &data));
    for id in report.missing_keys.iter().copied().map(KeyId::from_bytes) {
        say(&format!(
            "Before that: the backup was made while the master key was being changed, and a part of its secrets is sealed with the key {id}, which was not \
             given. Nothing that they belong to can be sent without it: {GIVE_OLD_KEY}."
        ));
    }
    Ok(())
}

fn told(report: &RestoreReport, data: &Path) -> String {
    let newest = match report.newest_event {
        Some(at) => format!("Its newest event was accepted at {at}: what was accepted later is not in it."),
        None => "It holds no event.".to_owned(),
    };
    let schema = if report.schema < report.known_schema {
        format!("schema {}, which the next start brings to {}", report.schema, report.known_schema)
    } else {
        format!("schema {}", report.schema)
    };
    let folder = data.display();
    let verify = if report.schema < report.known_schema {
        "afterwards"
    } else {
        "first"
    };
    format!(
        "Restored: {} bytes, {schema}; every page is whole. {newest}\n\
         What was delivered after the backup was made is delivered again, under the same webhook-id: at least once.\n\
         Next: `tidings serve --data {folder}`, and `tidings verify --data {folder}` {verify}.",
        report.bytes
    )
}
