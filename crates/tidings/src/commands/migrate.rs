//! `tidings migrate`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use tidings_runtime::SystemClock;
use tidings_store_postgres::{PostgresConfig, PostgresStore, Schema};
use tidings_store_sqlite::{Inspection, OpenError, SqliteOptions, SqliteStore};

use crate::config::settings::{DATA, OUTPUT};
use crate::config::{DataAndOutput, Flags, database};
use crate::data_folder::DATABASE_FILE;
use crate::failure::{CommandError, Outcome};
use crate::output::{Format, print};
use crate::stores::options_of_commands;

/// Bring the database to the schema of this version, or say what that would do.
///
/// The next start does it by itself. Nodes of the version before go on serving beside a newer schema, so they are replaced one after the other. Where they could not, that is said, and
/// refused while they serve. A database in the data folder has one server, which has to be stopped first.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings migrate --check
  tidings migrate --database postgres://tidings@db/tidings --check
  TIDINGS_DATABASE=postgres://tidings@db/tidings tidings migrate")]
pub(crate) struct Migrate {
    /// Change nothing, and say what would be done and whether the nodes that serve can go on meanwhile: exit status 1 when they cannot.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    settings: Flags<DataAndOutput>,
}

/// What was found, or done.
struct Report {
    /// 0: there is nothing yet.
    found: i64,
    known: i64,
    missing: Vec<&'static str>,
    /// Whom it cannot be done beside.
    in_the_way: Vec<String>,
    /// Whether several nodes may serve it.
    shared: bool,
}

pub(crate) async fn run(args: Migrate) -> Outcome {
    let layers = args.settings.layers()?;
    let format = layers.value(&OUTPUT)?;
    let (before, after) = match database(&layers)? {
        Some(database) => shared(&database, args.check).await?,
        None => embedded(layers.value(&DATA)?, args.check).await?,
    };
    print(&match format {
        Format::Json => serde_json::to_string_pretty(&after.as_ref().unwrap_or(&before).as_json()).map_err(anyhow::Error::from)?,
        Format::Table => after.map_or_else(|| before.in_words(), |after| before.done(&after)),
    })?;
    if args.check && !before.in_the_way.is_empty() {
        return Err(CommandError::No);
    }
    Ok(())
}

async fn shared(database: &PostgresConfig, check: bool) -> Result<(Report, Option<Report>), CommandError> {
    let look = async || -> Result<Report, CommandError> {
        let (store, schema) = PostgresStore::open_as_it_is(database, options_of_commands()).await?;
        store.close().await;
        Ok(Report::of(schema))
    };
    let before = look().await?;
    if check || before.missing.is_empty() {
        return Ok((before, None));
    }
    PostgresStore::open(database, options_of_commands()).await?.close().await;
    Ok((before, Some(look().await?)))
}

async fn embedded(data: PathBuf, check: bool) -> Result<(Report, Option<Report>), CommandError> {
    if !data.join(DATABASE_FILE).exists() {
        return Err(CommandError::NoDatabase { folder: data });
    }
    let newest = i64::from(tidings_store_sqlite::KNOWN_SCHEMA);
    let report = |found: i64| Report {
        found,
        known: newest,
        missing: Vec::new(),
        in_the_way: Vec::new(),
        shared: false,
    };
    let looked_at = data.clone();
    let looked = tokio::task::spawn_blocking(move || Inspection::open(&looked_at).map(drop));
    let found = match looked.await.map_err(anyhow::Error::from)? {
        Ok(()) => return Ok((report(newest), None)),
        Err(OpenError::Older { found, .. }) => report(found.into()),
        Err(error) => return Err(error.into()),
    };
    if check {
        return Ok((found, None));
    }
    SqliteStore::open(&data, SqliteOptions::new(Arc::new(SystemClock::new())))?
        .close()
        .await;
    Ok((found, Some(report(newest))))
}

impl Report {
    fn of(schema: Schema) -> Self {
        Self {
            found: schema.found.into(),
            known: schema.known.into(),
            missing: schema.missing,
            in_the_way: schema
                .in_the_way
                .into_iter()
                .map(|node| format!("{} ({})", node.name, node.version))
                .collect(),
            shared: true,
        }
    }

    fn in_words(&self) -> String {
        let Self { found, known, .. } = self;
        let words = match found.cmp(known) {
            std::cmp::Ordering::Equal => {
                return format!("The database has schema {found}, the one of this version: nothing is to be done.");
            }
            std::cmp::Ordering::Greater => {
                return format!(
                    "The database has schema {found}, which is newer than this version ({known}), and works beside it: nothing is to be done."
                );
            }
            std::cmp::Ordering::Less if *found == 0 => {
                return format!("There is nothing in the database yet: the first start makes schema {known}.");
            }
            std::cmp::Ordering::Less if self.missing.is_empty() => {
                format!("The database has schema {found}, and this version brings it to {known}.")
            }
            std::cmp::Ordering::Less => format!(
                "The database has schema {found}, and this version brings it to {known} ({}).",
                self.missing.join(", ")
            ),
        };
        if !self.shared {
            return format!("{words} Its server has to be stopped first.");
        }
        if self.in_the_way.is_empty() {
            return format!("{words} The nodes that serve it go on meanwhile: replace them one after the other.");
        }
        format!(
            "{words} These nodes could not go on with it: {}. Replace them by the version in between, or stop them first.",
            self.in_the_way.join(", ")
        )
    }

    fn done(&self, after: &Self) -> String {
        format!("The database had schema {}, and has {} now.", self.found, after.found)
    }

    fn as_json(&self) -> Value {
        json!({"schema": self.found, "known": self.known, "missing": self.missing, "inTheWay": self.in_the_way})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(found: i64, in_the_way: &[&str]) -> Report {
        Report {
            found,
            known: 3,
            missing: Vec::new(),
            in_the_way: in_the_way.iter().map(|node| (*node).to_owned()).collect(),
            shared: true,
        }
    }

    #[test]
    fn what_is_said_is_what_can_be_done_next() {
        assert!(
            report(3, &[])
                .in_words()
                .ends_with("the one of this version: nothing is to be done.")
        );
        assert!(report(4, &[]).in_words().contains("newer than this version (3)"));
        assert!(report(0, &[]).in_words().ends_with("the first start makes schema 3."));
        assert!(report(2, &[]).in_words().ends_with("replace them one after the other."));
        let refused = report(2, &["one:8080 (0.1.0)"]).in_words();
        assert!(refused.contains("could not go on with it: one:8080 (0.1.0)"), "{refused}");
        assert_eq!(report(2, &[]).done(&report(3, &[])), "The database had schema 2, and has 3 now.");
    }
}
