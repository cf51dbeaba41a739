//! `tidings migrate-store`.

mod place;
mod told;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tidings_runtime::{Clock, Entropy, Stopwatch, SystemClock, SystemEntropy};
use tidings_store::transfer::{ChunkSize, End, Mark, MoveId, Moving, Role, TransferError, move_store};
use tidings_store::{MasterKeyId, MasterKeyState, Node, watch_roll};
use uuid::Uuid;

use self::place::{Opened, Place};
use self::told::{Ended, Teller};
use crate::commands::verify::verify_through;
use crate::config::settings::OUTPUT;
use crate::config::{Flags, OutputOnly};
use crate::failure::{CommandError, Outcome};
use crate::output::{Format, print, printable, say};

/// Move everything from a data folder into a PostgreSQL database, or back.
///
/// Events, deliveries, attempts, webhooks, people, credentials, the audit log: everything goes, as it is, with the same ids. Secrets stay sealed with the
/// same master key, which is not moved: the servers of the target need it, too. Both ends are stopped meanwhile. The target is a new folder, or a database
/// with nothing in it. At the end both are read again and held against each other, and the target is verified.
///
/// Whenever it is interrupted, run it again: it goes on where it was. Until it is over nobody serves either end. The source stays as it was, but for a
/// note that keeps it from being served; --take-back removes that note.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings migrate-store --from /var/lib/tidings \\
    --to postgres://tidings@db.example:5432/tidings \\
    --database-password-file /etc/tidings/database-password
  tidings migrate-store --from postgres://tidings@db.example/tidings \\
    --to /var/lib/tidings
  tidings migrate-store --take-back --from /var/lib/tidings")]
pub(crate) struct MigrateStore {
    /// What is moved: a data folder, or the postgres:// URL of a database.
    #[arg(long, value_name = "STORE")]
    from: Place,
    /// Where it goes: a new data folder, or the postgres:// URL of a database with nothing in it.
    #[arg(long, value_name = "STORE", required_unless_present = "take_back", conflicts_with = "take_back")]
    to: Option<Place>,
    /// A file that holds the password of the database.
    #[arg(long, value_name = "FILE", env = "TIDINGS_DATABASE_PASSWORD_FILE")]
    database_password_file: Option<PathBuf>,
    /// Let the source be served again, after a move that is over or given up.
    #[arg(long)]
    take_back: bool,
    #[command(flatten)]
    settings: Flags<OutputOnly>,
}

pub(crate) async fn run(args: MigrateStore) -> Outcome {
    let format = args.settings.layers()?.value(&OUTPUT)?;
    let password = args.database_password_file.as_deref();
    let from = args.from.with_password(password)?;
    match args.to {
        None => take_back(&from).await,
        Some(to) => migrate(&from, &to.with_password(password)?, format).await,
    }
}

async fn take_back(from: &Place) -> Outcome {
    let (name, store) = (from.name()?, from.open_source().await?);
    let mark = store.transfer().mark().await?;
    let taken = match mark {
        Some(Mark {
            role: Role::Source, other, ..
        }) => {
            store.transfer().forget_mark().await?;
            Ok(other)
        }
        _ => Err(TransferError::Refused(format!(
            "nothing is moved away from {name}: there is nothing to take back"
        ))),
    };
    store.close().await;
    let other = printable(&taken?);
    say(&format!(
        "{name} can be served again. What was moved to {other} stays there: do not serve both, since each would deliver what was pending."
    ));
    Ok(())
}

async fn migrate(from: &Place, to: &Place, format: Format) -> Outcome {
    let clock = SystemClock::new();
    let (source_name, target_name) = (from.name()?, to.name()?);
    if source_name == target_name {
        return Err(CommandError::Usage(format!(
            "--from and --to both name {source_name}: name another target"
        )));
    }
    to.is_for_a_store()?;
    let source = from.open_source().await?;
    let moved = async {
        unserved(&source, &source_name, &clock).await?; // before anything is made at the other end
        let target = to.open_target().await?;
        let moved = between(&source, &source_name, &target, &target_name, clock).await;
        target.close().await;
        moved
    }
    .await;
    source.close().await;
    let ended = moved?;
    print(&match format {
        Format::Json => serde_json::to_string_pretty(&ended.as_json(&source_name, &target_name)).map_err(anyhow::Error::from)?,
        Format::Table => ended.as_table(),
    })?;
    say(&ended.in_words(&source_name, &target_name));
    if ended.findings.found > 0 {
        say(&ended.findings.in_words());
        say("What is wrong there was wrong in the source as well: everything is the same at both ends.");
        return Err(CommandError::No);
    }
    say(&told::next(from, to, &ended.master_keys));
    Ok(())
}

async fn between(
    source: &Opened,
    source_name: &str,
    target: &Opened,
    target_name: &str,
    clock: SystemClock,
) -> Result<Ended, CommandError> {
    unserved(target, target_name, &clock).await?;
    let watch = Stopwatch::start(&clock);
    let teller = Arc::new(Teller::new(clock));
    let moving = Moving {
        source: End {
            store: source.transfer(),
            name: source_name,
        },
        target: End {
            store: target.transfer(),
            name: target_name,
        },
        id: MoveId(Uuid::from_bytes(SystemEntropy.bytes16())),
        size: ChunkSize::USUAL,
        now: &|| clock.now(),
        progress: &|progress| teller.tell(progress),
    };
    let moved = move_store(&moving).await?;
    let took_us = watch.elapsed_us(&clock);
    let findings = verify_through(target.transfer(), clock, None).await?;
    Ok(Ended {
        moved,
        copied_us: teller.copied_us(),
        took_us,
        findings,
        master_keys: needed(target).await?,
    })
}

/// Refuses a store that nodes serve. Those that are gone leave the roll.
async fn unserved(store: &Opened, name: &str, clock: &SystemClock) -> Result<(), CommandError> {
    let (alive, silent) = watch_roll(store.transfer(), clock).await?;
    if alive.is_empty() {
        for node in silent {
            store.transfer().strike_node(node.number, Some(node.beats)).await?;
        }
        return Ok(());
    }
    let nodes = alive
        .iter()
        .map(|Node { number, joined, .. }| format!("{number} ({})", printable(&joined.name)));
    let nodes = nodes.collect::<Vec<_>>().join(", ");
    Err(TransferError::Served(format!("{name} (nodes {nodes})")).into())
}

/// The master keys without which something in a store cannot be opened, the one that seals first.
async fn needed(store: &Opened) -> Result<Vec<MasterKeyId>, CommandError> {
    let keys = store.transfer().master_keys().await?.into_iter();
    let needed = keys.filter(|key| key.state == MasterKeyState::Current || key.sealed > 0);
    Ok(needed.map(|key| key.id).collect())
}
