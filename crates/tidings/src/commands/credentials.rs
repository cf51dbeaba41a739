//! `tidings credentials`.

use clap::{Args, Subcommand};
use tidings_client::{Credential, IssuedCredential, NewCredential};

use crate::config::{Ask, Flags};
use crate::failure::Outcome;
use crate::output::{say, table};
use crate::session::Session;

/// Credentials of an environment: client ids and secrets.
///
/// A credential names its environment, so programs that use it need nothing else.
#[derive(Args)]
pub(crate) struct Credentials {
    #[command(flatten)]
    server: Flags<Ask>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the credentials of an environment. Secrets are not kept, so they cannot be shown.
    #[command(after_help = "Example:\n  tidings credentials list --environment Production")]
    List,
    /// Make a credential and print its secret, once.
    #[command(after_help = "\
Examples:
  tidings credentials create billing
  tidings credentials create dashboard --scope read --environment Production
  tidings credentials create 'deploy script' \\
    --scope read --scope write --scope operator")]
    Create {
        /// What people call it.
        name: String,
        /// What it may do: read, write, operator. Repeatable; read and write when none is given.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
    },
    /// End a credential and every token that was minted with it.
    #[command(after_help = "Example:\n  tidings credentials revoke 6a1f6a38-6f0a-4a39-9a0e-5f0f6a3e2c11")]
    Revoke {
        /// Its client id.
        client_id: String,
    },
}

pub(crate) async fn run(args: Credentials) -> Outcome {
    let session = Session::open(&args.server)?;
    let environment = session.environment_id().await?;
    let client = session.client();
    match args.command {
        Command::List => {
            let answer = session.ask(client.credentials(&environment)).await?;
            session.show(&answer, |listing| rows(&listing.data))
        }
        Command::Create { name, scopes } => {
            let scopes = (!scopes.is_empty()).then_some(scopes);
            let answer = session
                .ask(client.create_credential(&environment, &NewCredential { name, scopes }))
                .await?;
            session.show(&answer, |issued| issued_words(issued, client.url().as_str()))?;
            say("Keep the secret: it is not shown again.");
            Ok(())
        }
        Command::Revoke { client_id } => {
            session.ask(client.revoke_credential(&environment, &client_id)).await?;
            say(&format!(
                "Revoked {client_id}; tokens that were minted with it do not work any more."
            ));
            Ok(())
        }
    }
}

fn rows(credentials: &[Credential]) -> String {
    table(
        ["client id", "name", "scopes", "created"],
        credentials.iter().map(|credential| {
            [
                credential.client_id.clone(),
                credential.name.clone(),
                credential.scopes.join(" "),
                credential.created_at.clone(),
            ]
        }),
    )
}

/// Lines for a shell: pasted, they make that shell the credential.
fn issued_words(issued: &IssuedCredential, url: &str) -> String {
    format!(
        "export TIDINGS_URL={}\nexport TIDINGS_CLIENT_ID={}\nexport TIDINGS_CLIENT_SECRET={}",
        url.trim_end_matches('/'),
        issued.credential.client_id,
        issued.client_secret.expose()
    )
}
