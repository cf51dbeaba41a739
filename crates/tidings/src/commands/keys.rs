//! `tidings keys`.

mod offline;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use tidings_app::keys::KeeperError;
use tidings_client::{Error, KeyRotation, Keys as ServerKeys, MasterKeyRotation};
use tidings_runtime::{Clock, SystemClock};

use crate::commands::keys::offline::Offline;
use crate::config::{Ask, AskConfig, Flags, database};
use crate::data_folder;
use crate::failure::{CommandError, Outcome};
use crate::key_files::{Saved, read_key, save_copy};
use crate::output::{printable, say, table};
use crate::session::Session;

/// How often a server that seals everything anew is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// The status of a request whose token is not accepted.
const UNAUTHENTICATED: u16 = 401;
/// The status of an order that comes while, or after, somebody else's is carried out.
const CONFLICT: u16 = 409;

/// Keys: which there are, and new ones in the place of old ones.
///
/// The master key seals the secrets of a server, and another key signs access tokens. They are named; a key is never shown. Works on the server that runs
/// on the data folder, on any other that an operator's credential reaches, and on a data folder without a server.
#[derive(Args)]
pub(crate) struct Keys {
    #[command(flatten)]
    server: Flags<Ask>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the keys: names, ages, and how many secrets each seals.
    #[command(after_help = "Example:\n  tidings keys list")]
    List,
    /// Put a new key in the place of the one in use.
    ///
    /// Of the master key: the server makes a new one, seals every secret anew while it serves, and then removes the old one. Backups that were made until
    /// then open only with the old key, so say what becomes of it. Invitations and other links that were made before stop working. After a crash the next
    /// start goes on by itself.
    ///
    /// A master key that is given as TIDINGS_MASTER_KEY is yours to change: start the server with the new one, and the one before as TIDINGS_OLD_MASTER_KEY.
    #[command(after_help = "\
Examples:
  tidings keys rotate --save-old-key /backups/master.key.2026-01-31
  tidings keys rotate --save-old-key /backups/master.key.2026-01-31 \\
    --revoke-tokens                         # the old one was stolen
  tidings keys rotate --tokens              # the key of access tokens alone
  tidings keys rotate --tokens --revoke-tokens")]
    Rotate(Rotate),
}

#[derive(Args)]
struct Rotate {
    /// Change the key that signs access tokens, and leave the master key alone.
    #[arg(long, conflicts_with_all = ["save_old_key", "discard_old_key"])]
    tokens: bool,
    /// End the access tokens that are out there at once, rather than letting each expire.
    #[arg(long)]
    revoke_tokens: bool,
    /// Copy the old master key into this new file first, for the backups that need it.
    #[arg(long, value_name = "FILE", conflicts_with = "discard_old_key")]
    save_old_key: Option<PathBuf>,
    /// Keep no copy of the old master key: there are no backups that need it, or it is kept already.
    #[arg(long)]
    discard_old_key: bool,
}

pub(crate) async fn run(args: Keys) -> Outcome {
    let layers = args.server.layers()?;
    let config = AskConfig::build(&layers)?;
    let in_folder = database(&layers)?.is_none() && data_folder::is_at_rest(&config.data);
    let offline = config.is_nobody() && config.url.is_none() && in_folder;
    match args.command {
        Command::List if offline => Offline::open(&config).await?.list().await,
        Command::List => {
            let session = Session::open(&args.server)?;
            let answer = session.ask(session.client().keys()).await?;
            session.show(&answer, rows)
        }
        Command::Rotate(rotate) if rotate.tokens => {
            if offline {
                return Offline::open(&config).await?.rotate_tokens(rotate.revoke_tokens).await;
            }
            let session = Session::open(&args.server)?;
            let answer = session.ask(session.client().rotate_token_key(rotate.order())).await?;
            session.show(&answer, rows)?;
            say(tokens_words(rotate.revoke_tokens));
            Ok(())
        }
        Command::Rotate(rotate) => {
            rotate.old_key_is_spoken_for()?;
            if offline {
                let offline = Offline::open(&config).await?;
                offline.can_rotate().await?;
                rotate.save_old_key(&config.data, None)?;
                return offline.rotate_master(rotate.revoke_tokens).await;
            }
            rotate_master(&args.server, &config, &rotate).await
        }
    }
}

async fn rotate_master(flags: &Flags<Ask>, config: &AskConfig, rotate: &Rotate) -> Outcome {
    let session = Session::open(flags)?;
    let before = session.ask(session.client().keys()).await?.value;
    let current = before
        .master_keys
        .iter()
        .find(|key| key.state == "current")
        .map(|key| key.id.clone());
    if before.given {
        return Err(KeeperError::Given.into());
    }
    if !is_done(&before) {
        let left = left(&before);
        return Err(CommandError::KeysChanging(format!(
            "the master key is being changed already, and {left} secrets are still sealed with the old one; `tidings keys list` says how far it is"
        )));
    }
    rotate.save_old_key(&config.data, current.as_deref())?;
    let order = MasterKeyRotation {
        replaces: current,
        revoke_tokens: rotate.revoke_tokens,
    };
    match session.ask(session.client().rotate_master_key(&order)).await {
        Err(CommandError::Asking(Error::Problem(problem))) if problem.status == CONFLICT => {
            return Err(CommandError::KeysChanging(printable(&problem.detail)));
        }
        answer => answer?,
    };
    let clock = SystemClock::new();
    loop {
        // As whoever may ask now: the right to ask comes from the key that is being changed.
        let session = Session::open(flags)?;
        match session.ask(session.client().keys()).await {
            Ok(answer) if is_done(&answer.value) => {
                session.show(&answer, rows)?;
                say(&done_words(rotate.revoke_tokens));
                return Ok(());
            }
            Ok(answer) => say(&format!("{} secrets are still sealed with the old key", left(&answer.value))),
            Err(CommandError::Asking(Error::Problem(problem))) if problem.status == UNAUTHENTICATED => {}
            Err(error) => return Err(error),
        }
        clock.sleep(ASK_EVERY).await;
    }
}

impl Rotate {
    const fn order(&self) -> KeyRotation {
        KeyRotation {
            revoke_tokens: self.revoke_tokens,
        }
    }

    fn old_key_is_spoken_for(&self) -> Result<(), CommandError> {
        if self.save_old_key.is_some() || self.discard_old_key {
            return Ok(());
        }
        Err(CommandError::Usage(
            "say what becomes of the old key, which is removed at the end, and without which no backup made until then can be used: --save-old-key FILE \
             copies it, --discard-old-key does not"
                .to_owned(),
        ))
    }

    /// Copies the key of the data folder into a new file for its owner alone. `current`: the id of the key that the server uses.
    fn save_old_key(&self, folder: &Path, current: Option<&str>) -> Result<(), CommandError> {
        let Some(to) = &self.save_old_key else { return Ok(()) };
        let key = read_key(folder)?.ok_or_else(|| {
            CommandError::Usage(format!(
                "--save-old-key copies the key of a data folder, and {} has none: run this beside the data folder of the server, or copy the key there and \
                 say --discard-old-key",
                folder.display()
            ))
        })?;
        let own = key.id().to_string();
        if let Some(current) = current.filter(|current| *current != own) {
            return Err(CommandError::Usage(format!(
                "--save-old-key copies the key of a data folder, and that of {} is {own}, while the server uses {current}: nothing was changed; say --data \
                 with the folder of the server",
                folder.display()
            )));
        }
        if data_folder::is_inside(to, folder) {
            return Err(CommandError::Usage(format!(
                "--save-old-key {} lies in the data folder, where the server keeps files of its own: name a place apart from it",
                to.display()
            )));
        }
        let shown = to.display();
        match save_copy(&key, to)? {
            Saved::Now => say(&format!("Saved the old key, {}, as {shown}.", key.id())),
            Saved::Before => say(&format!("{shown} is there already, with the old key, {}.", key.id())),
        }
        Ok(())
    }
}

fn is_done(keys: &ServerKeys) -> bool {
    !keys.master_keys.iter().any(|key| key.state == "retiring")
}

fn left(keys: &ServerKeys) -> u64 {
    let retiring = keys.master_keys.iter().filter(|key| key.state == "retiring");
    retiring.map(|key| key.sealed).sum()
}

fn done_words(revoked: bool) -> String {
    format!(
        "Every secret is sealed with the new key, and the old one is removed. Backups that were made until now open only with the old key; make a new one, \
         and keep a copy of the new key apart from it. {}",
        tokens_words(revoked)
    )
}

const fn tokens_words(revoked: bool) -> &'static str {
    if revoked {
        "Access tokens that were out there do not work any more: clients ask for new ones."
    } else {
        "Access tokens that are out there stay valid until they expire."
    }
}

fn rows(keys: &ServerKeys) -> String {
    let master = keys.master_keys.iter().map(|key| {
        let seals = format!("seals {}", key.sealed);
        ["master".to_owned(), key.id.clone(), key.state.clone(), key.since.clone(), seals]
    });
    let tokens = keys.token_keys.iter().map(|key| {
        let (state, until) = match &key.ends_at {
            None => ("current", "signs access tokens".to_owned()),
            Some(ends_at) => ("retiring", format!("accepted until {ends_at}")),
        };
        ["tokens".to_owned(), key.id.clone(), state.to_owned(), key.made_at.clone(), until]
    });
    table(["kind", "key", "state", "since", "use"], master.chain(tokens))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn rotate_nothing() -> Rotate {
        Rotate {
            tokens: false,
            revoke_tokens: false,
            save_old_key: None,
            discard_old_key: false,
        }
    }

    #[test]
    fn the_old_key_is_copied_for_its_owner_alone_and_never_over_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let key = tidings_signing::MasterKey::from_bytes([7; 32]);
        let own = folder.path().join(crate::key_files::KEY_FILE);
        std::fs::write(&own, key.expose().as_bytes()).unwrap();
        std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o600)).unwrap();
        let safe = tempfile::tempdir().unwrap();
        let to = safe.path().join("copy");
        let rotate = Rotate {
            save_old_key: Some(to.clone()),
            ..rotate_nothing()
        };
        rotate.save_old_key(folder.path(), Some(&key.id().to_string())).unwrap();
        assert_eq!(std::fs::read_to_string(&to).unwrap().trim(), key.expose().as_str());
        assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
        rotate.save_old_key(folder.path(), None).unwrap(); // it is there already
        std::fs::write(&to, "another").unwrap();
        assert!(rotate.save_old_key(folder.path(), None).is_err());
        assert_eq!(std::fs::read_to_string(&to).unwrap(), "another");

        let refused = |to: PathBuf, current: Option<&str>| {
            let save_old_key = Some(to.clone());
            let error = Rotate {
                save_old_key,
                ..rotate_nothing()
            }
            .save_old_key(folder.path(), current)
            .unwrap_err();
            assert!(!to.exists());
            error.to_string()
        };
        let another = refused(safe.path().join("other"), Some("0a1b2c3d"));
        assert!(another.contains("the server uses 0a1b2c3d"), "{another}");
        for name in ["master.key.next", "old.key"] {
            let inside = refused(folder.path().join(name), None);
            assert!(inside.contains("lies in the data folder"), "{inside}");
        }
    }
}
