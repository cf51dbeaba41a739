//! `tidings backup`.

use std::path::{Path, PathBuf};

use clap::Args;
use tidings_signing::KeyId;
use tidings_store_sqlite::{BackupReport, Inspection, OpenError, backup};

use crate::commands::verify::{Report, verify};
use crate::config::settings::DATA;
use crate::config::{DataOnly, Flags, Layers, database};
use crate::data_folder::{DATABASE_FILE, is_own_name};
use crate::failure::{CommandError, Outcome};
use crate::key_files::KEY_FILE;
use crate::output::{print, say};

/// Between two words about the progress, in percent.
const STEP_PERCENT: u64 = 10;

/// Copy the database into a file, while the server runs.
///
/// The copy is one new file, and the database as it is at this moment.
/// It is looked through as `tidings verify` does; what is wrong in it, as in the store, is said. It is made all the same.
///
/// The copy holds events, deliveries, webhooks and credentials. Secrets in it are sealed with the master key, which is not in it: keep a copy of the key as
/// well, apart from the backups, because who has both has the secrets. `tidings restore` puts a backup back.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings backup --to tidings-backup.db
  tidings backup --data /var/lib/tidings --to /backups/tidings-2026-01-31.db")]
pub(crate) struct Backup {
    /// The file to make; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    #[command(flatten)]
    settings: Flags<DataOnly>,
}

/// The data folder, whose database is one file that can be copied and put back.
pub(super) fn data_folder(layers: &Layers) -> Result<PathBuf, CommandError> {
    if database(layers)?.is_some() {
        let words = "the database is a PostgreSQL, which has its own means for this (pg_dump and pg_restore, or copies of the server and its log): see \
                     docs/operating.md. For the database of a data folder, leave the setting database out";
        return Err(CommandError::Usage(words.to_owned()));
    }
    Ok(layers.value(&DATA)?)
}

pub(crate) async fn run(args: Backup) -> Outcome {
    let data = data_folder(&args.settings.layers()?)?;
    let Backup { to, .. } = args;
    if !data.join(DATABASE_FILE).exists() {
        return Err(CommandError::NoDatabase { folder: data });
    }
    if is_own_name(&data, &to) {
        return Err(CommandError::Usage(format!(
            "--to {} is a name that the server uses itself in its data folder: name another file, best one apart from that folder",
            to.display()
        )));
    }
    let from = data.clone();
    let (report, found, to) = tokio::task::spawn_blocking(move || {
        let mut said = 0;
        let report = backup(&from, &to, |done, all| {
            let percent = done * 100 / all.max(1);
            if percent >= said + STEP_PERCENT {
                said = percent;
                say(&format!("copied {percent} % of {all} pages"));
            }
        })?;
        let found = look_through(&to)?;
        Ok::<_, CommandError>((report, found, to))
    })
    .await
    .map_err(|error| CommandError::Other(error.into()))??;
    print(&to.display().to_string())?;
    say(&format!("{} bytes, schema {}. {}", report.bytes, report.schema, needs(&report)));
    if let Some(found) = found.filter(|found| found.found > 0) {
        say(&found.in_words());
        say(&format!(
            "WARNING: the backup is a faithful copy of a store in which something is wrong. Keep the backups before it, and run `tidings verify --data {}`.",
            data.display()
        ));
    }
    Ok(())
}

/// Verifies the copy; `None` when its schema is an older one, of which it is not known what is always true.
fn look_through(copy: &Path) -> Result<Option<Report>, CommandError> {
    match Inspection::of_backup(copy) {
        Err(OpenError::Older { .. }) => {
            say("The copy was not verified: the next start brings its schema to the newest first.");
            Ok(None)
        }
        opened => Ok(Some(verify(opened?, || None)?)),
    }
}

/// What has to be kept beside a backup.
fn needs(report: &BackupReport) -> String {
    let keys: Vec<_> = report.master_keys.iter().map(|id| KeyId::from_bytes(*id).to_string()).collect();
    match keys.as_slice() {
        [newest, before @ ..] if !before.is_empty() => format!(
            "The master key was being changed: this backup needs both keys, {newest} and the one before, {}, and neither is in it. Keep copies of both, apart \
             from the backups, or make another backup when `tidings keys list` shows the old one as retired.",
            before.join(", ")
        ),
        [key] => format!("It needs its master key, {key}, which is not in it: keep a copy of {KEY_FILE}, apart from the backups."),
        _ => format!("It needs its master key, which is not in it: keep a copy of {KEY_FILE}, apart from the backups."),
    }
}
