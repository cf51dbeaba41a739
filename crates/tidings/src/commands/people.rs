//! `tidings people`.

use clap::{Args, Subcommand};
use tidings_app::links;
use tidings_runtime::{Clock, SystemClock};
use tidings_signing::MasterKey;
use url::Url;

use crate::config::settings::{DATA, MASTER_KEY, PUBLIC_URL};
use crate::config::{DataOnly, Flags, Layers};
use crate::data_folder;
use crate::failure::{CommandError, Outcome};
use crate::key_files::{KEY_FILE, read_key};
use crate::output::{print, say};

/// People: a link for the first owner, or for somebody who forgot their password.
///
/// People are invited and removed in the portal; these links are for who cannot get in. A link is made from the master key of the data folder, on which a
/// server runs.
#[derive(Args)]
pub(crate) struct People {
    #[command(flatten)]
    server: Flags<DataOnly>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print a link with which the first owner is set up. It works for a day, and only while nobody can sign in.
    #[command(after_help = "Example:\n  tidings people link")]
    Link,
    /// Print a link with which a person chooses a new password. It works once, within 15 minutes, and signs them out elsewhere.
    #[command(after_help = "Example:\n  tidings people reset zoe@example.com")]
    Reset {
        /// Their address. The link says whether somebody has it.
        email: String,
    },
}

pub(crate) fn run(args: People) -> Outcome {
    let layers = args.server.layers()?;
    let url = portal(&layers)?;
    let (keys, now) = (links::keys(&master_key(&layers)?), SystemClock::new().now());
    match args.command {
        Command::Link => {
            print(&set_up_link(&url, &links::mint_setup_token(&keys, now)?))?;
            say("Open it in a browser within a day. It works while nobody can sign in.");
        }
        Command::Reset { email } => {
            let email = email.trim().to_lowercase();
            let token = links::mint_recovery_token(&keys, &email, now)?;
            print(&format!("{}/invitation?token={token}", url.trim_end_matches('/')))?;
            // The people are the server's to know: what is said has to be true of everybody.
            say(&format!(
                "If {email} is among the people, they choose a new password with it: once, within 15 minutes."
            ));
        }
    }
    Ok(())
}

/// Where the first owner is set up.
pub(crate) fn set_up_link(url: &str, token: &str) -> String {
    format!("{}/setup?token={token}", url.trim_end_matches('/'))
}

/// Where browsers reach the server that runs on the data folder.
fn portal(layers: &Layers) -> Result<String, CommandError> {
    let folder = layers.value(&DATA)?;
    let public: Option<Url> = layers.optional(&PUBLIC_URL)?;
    match data_folder::announced(&folder) {
        Some(note) => Ok(public.map_or(note.url, String::from)),
        None => Err(CommandError::NotRunning { folder }),
    }
}

fn master_key(layers: &Layers) -> Result<MasterKey, CommandError> {
    if let Some(key) = layers.optional(&MASTER_KEY)? {
        return Ok(key);
    }
    let folder = layers.value(&DATA)?;
    read_key(&folder)?.ok_or_else(|| {
        let folder = folder.display();
        CommandError::Usage(format!(
            "{folder} holds no {KEY_FILE}: give the key of its server as TIDINGS_MASTER_KEY"
        ))
    })
}
