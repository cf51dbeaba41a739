//! `tidings webhooks`.

use clap::{Args, Subcommand};
use tidings_client::{Change, NewWebhook, SavedTest, SecretRotation, Webhook, WebhookChange, WebhookFilter, WebhookSecrets};

use super::arguments::{HeaderArg, PageArgs, Seconds, TextArg, headers};
use super::test;
use crate::config::{Ask, Flags};
use crate::failure::{CommandError, Outcome};
use crate::output::{or_empty, record, say, table, yes_no};
use crate::session::Session;

/// Webhooks: URLs and the events that they are subscribed to.
///
/// Events are named by their keys, by category (`User Management.*`), or all together (`*`).
#[derive(Args)]
pub(crate) struct Webhooks {
    #[command(flatten)]
    server: Flags<Ask>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List webhooks, newest first.
    #[command(after_help = "\
Examples:
  tidings webhooks list
  tidings webhooks list --search billing --active false
  tidings webhooks list --output json | jq -r '.data[].url'")]
    List {
        /// A part of the name or the URL.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Those of that tenant.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// Those that are on, or off.
        #[arg(long, value_name = "true|false")]
        active: Option<bool>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Subscribe a URL to events.
    #[command(after_help = "\
Examples:
  tidings webhooks create --url https://example.com/hooks \\
    --event-key '*' --generate-secret
  tidings webhooks create --name desk --url http://127.0.0.1:9000/ \\
    --event-key 'User Management.*' --secret correct-horse-battery
  tidings webhooks create --url https://example.com/hooks --tenant acme \\
    --event-key frontegg.user.created --secret @secret.txt")]
    Create(Box<Create>),
    /// Show one webhook.
    #[command(after_help = "Example:\n  tidings webhooks show wh_01hv3k9x2m4qa")]
    Show {
        /// Its id.
        webhook: String,
    },
    /// Change a webhook; what is not given stays.
    #[command(after_help = "\
Examples:
  tidings webhooks update wh_01hv3k9x2m4qa --url https://example.com/new
  tidings webhooks update wh_01hv3k9x2m4qa \\
    --event-key frontegg.user.created --event-key frontegg.user.deleted
  tidings webhooks update wh_01hv3k9x2m4qa --remove-secret")]
    Update(Box<Update>),
    /// Delete a webhook; what is on its way to it is cancelled.
    #[command(after_help = "Example:\n  tidings webhooks delete wh_01hv3k9x2m4qa")]
    Delete {
        /// Its id.
        webhook: String,
    },
    /// Switch a webhook on.
    #[command(after_help = "Example:\n  tidings webhooks enable wh_01hv3k9x2m4qa")]
    Enable {
        /// Its id.
        webhook: String,
    },
    /// Switch a webhook off; what is on its way to it is cancelled.
    #[command(after_help = "Example:\n  tidings webhooks disable wh_01hv3k9x2m4qa")]
    Disable {
        /// Its id.
        webhook: String,
    },
    /// Send a test to a webhook, signed with its secret.
    #[command(after_help = "\
Examples:
  tidings webhooks test wh_01hv3k9x2m4qa
  tidings webhooks test wh_01hv3k9x2m4qa \\
    --event-key frontegg.user.created --payload @user.json")]
    Test {
        /// Its id.
        webhook: String,
        /// The event to send.
        #[arg(long, visible_alias = "event", value_name = "KEY")]
        event_key: Option<String>,
        /// Its payload: JSON, @FILE or - for standard input. The catalogue's example otherwise.
        #[arg(long, value_name = "JSON|@FILE|-")]
        payload: Option<TextArg>,
    },
    /// Give a webhook a new secret; the old one goes on signing beside it for a while.
    #[command(after_help = "\
Examples:
  tidings webhooks rotate-secret wh_01hv3k9x2m4qa
  tidings webhooks rotate-secret wh_01hv3k9x2m4qa --secret @new --overlap 2h")]
    RotateSecret {
        /// Its id.
        webhook: String,
        /// The new secret: text, @FILE or - for standard input. Generated and shown otherwise.
        #[arg(long, value_name = "SECRET|@FILE|-")]
        secret: Option<TextArg>,
        /// How long both sign: 90s, 30m, 2h, 7d.
        #[arg(long, value_name = "TIME")]
        overlap: Option<Seconds>,
    },
    /// Print the secret of a webhook; exit status 1 when it has none.
    #[command(after_help = "Example:\n  tidings webhooks secret wh_01hv3k9x2m4qa")]
    Secret {
        /// Its id.
        webhook: String,
    },
}

#[derive(Args)]
struct Create {
    /// Where deliveries go.
    #[arg(long)]
    url: String,
    /// What to subscribe to: a key, a category ('User Management.*') or '*'. Repeatable.
    #[arg(long = "event-key", visible_alias = "event", value_name = "KEY", required = true)]
    event_keys: Vec<String>,
    /// What people call it; the URL's host otherwise.
    #[arg(long)]
    name: Option<String>,
    /// What people say of it.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The secret to sign with, at least 8 characters: text, @FILE or - for standard input.
    #[arg(long, value_name = "SECRET|@FILE|-", conflicts_with = "generate_secret")]
    secret: Option<TextArg>,
    /// Have a secret made, and show it.
    #[arg(long)]
    generate_secret: bool,
    /// See only the events of that tenant.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// A header to send with every delivery. Repeatable.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<HeaderArg>,
    /// Make it switched off.
    #[arg(long)]
    inactive: bool,
}

#[derive(Args)]
struct Update {
    /// Its id.
    webhook: String,
    /// Where deliveries go.
    #[arg(long)]
    url: Option<String>,
    /// All that it is subscribed to from now on. Repeatable.
    #[arg(long = "event-key", visible_alias = "event", value_name = "KEY")]
    event_keys: Vec<String>,
    /// What people call it.
    #[arg(long)]
    name: Option<String>,
    /// What people say of it.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A new secret, at once and alone (rotate-secret lets both sign for a while): text, @FILE or - for standard input.
    #[arg(long, value_name = "SECRET|@FILE|-", conflicts_with = "remove_secret")]
    secret: Option<TextArg>,
    /// Sign deliveries no longer.
    #[arg(long)]
    remove_secret: bool,
    /// All headers to send with every delivery from now on. Repeatable.
    #[arg(long = "header", value_name = "NAME: VALUE", conflicts_with = "remove_headers")]
    headers: Vec<HeaderArg>,
    /// Send no headers of its own any longer.
    #[arg(long)]
    remove_headers: bool,
    /// Switch it on or off.
    #[arg(long, value_name = "true|false")]
    active: Option<bool>,
}

pub(crate) async fn run(args: Webhooks) -> Outcome {
    let session = Session::open(&args.server)?;
    let client = session.in_environment().await?;
    let answer = match args.command {
        Command::List {
            search,
            tenant,
            active,
            page,
        } => {
            let filter = WebhookFilter {
                search,
                tenant_id: tenant,
                active,
            };
            let answer = session.ask(client.webhooks(&filter, &page.request())).await?;
            return session.show_page(&answer, rows);
        }
        Command::Delete { webhook } => {
            session.ask(client.delete_webhook(&webhook)).await?;
            say(&format!("Deleted the webhook {webhook}."));
            return Ok(());
        }
        Command::Test {
            webhook,
            event_key,
            payload,
        } => {
            let payload = payload.map(|payload| payload.json("--payload")).transpose()?;
            let answer = session
                .ask(client.test_webhook(&webhook, &SavedTest { event_key, payload }))
                .await?;
            return test::report(&session, &answer);
        }
        Command::Secret { webhook } => {
            let answer = session.ask(client.webhook_secrets(&webhook)).await?;
            session.show(&answer, secret_words)?;
            return answer.secret.as_ref().map(|_| ()).ok_or(CommandError::No);
        }
        Command::Create(create) => session.ask(client.create_webhook(&create.draft()?)).await?,
        Command::Update(update) => {
            let webhook = update.webhook.clone();
            session.ask(client.change_webhook(&webhook, &update.change()?)).await?
        }
        Command::Show { webhook } => session.ask(client.webhook(&webhook)).await?,
        Command::Enable { webhook } => session.ask(client.enable_webhook(&webhook)).await?,
        Command::Disable { webhook } => session.ask(client.disable_webhook(&webhook)).await?,
        Command::RotateSecret { webhook, secret, overlap } => {
            let rotation = SecretRotation {
                secret: secret.map(TextArg::secret).transpose()?,
                overlap_seconds: overlap.map(|overlap| overlap.0),
            };
            session.ask(client.rotate_webhook_secret(&webhook, &rotation)).await?
        }
    };
    session.show(&answer, details)
}

impl Create {
    fn draft(self) -> Result<NewWebhook, CommandError> {
        Ok(NewWebhook {
            name: self.name,
            url: self.url,
            secret: self.secret.map(TextArg::secret).transpose()?,
            generate_secret: self.generate_secret,
            event_keys: self.event_keys,
            active: self.inactive.then_some(false),
            description: self.description,
            tenant_id: self.tenant,
            headers: headers(self.headers),
        })
    }
}

impl Update {
    fn change(self) -> Result<WebhookChange, CommandError> {
        let secret = match self.secret {
            Some(secret) => Change::Set(secret.secret()?),
            None if self.remove_secret => Change::Clear,
            None => Change::Keep,
        };
        let given = |headers: &Vec<HeaderArg>| !headers.is_empty() || self.remove_headers;
        Ok(WebhookChange {
            name: self.name,
            description: self.description,
            url: self.url,
            secret,
            event_keys: (!self.event_keys.is_empty()).then_some(self.event_keys),
            active: self.active,
            headers: Some(self.headers).filter(given).map(headers),
        })
    }
}

fn rows(webhooks: &[Webhook]) -> String {
    table(
        ["id", "name", "active", "health", "events", "tenant", "url"],
        webhooks.iter().map(|webhook| {
            [
                webhook.id.clone(),
                webhook.name.clone(),
                yes_no(webhook.active),
                health(webhook),
                events(&webhook.event_keys),
                or_empty(webhook.tenant_id.as_ref()),
                webhook.url.clone(),
            ]
        }),
    )
}

/// The first key and how many more: one line stays one line.
fn events(keys: &[String]) -> String {
    match keys {
        [] => String::new(),
        [only] => only.clone(),
        [first, more @ ..] => format!("{first} +{}", more.len()),
    }
}

fn health(webhook: &Webhook) -> String {
    let health = &webhook.health;
    match &health.failing_since {
        Some(since) => format!("failing since {since}"),
        None if health.attempts == 0 => "not used yet".to_owned(),
        None => format!("{} of {} attempts failed", health.failures, health.attempts),
    }
}

fn details(webhook: &Webhook) -> String {
    let disabled = webhook
        .disabled
        .as_ref()
        .map(|disabled| format!("{}, at {}", disabled.reason, disabled.at));
    let signed = match &webhook.secret {
        Some(secret) => secret.expose().to_owned(),
        None => yes_no(webhook.has_secret),
    };
    record([
        ("id", webhook.id.clone()),
        ("name", webhook.name.clone()),
        ("description", or_empty(webhook.description.as_ref())),
        ("url", webhook.url.clone()),
        ("events", webhook.event_keys.join(", ")),
        ("tenant", or_empty(webhook.tenant_id.as_ref())),
        ("secret", signed),
        ("headers", webhook.header_names.join(", ")),
        ("active", yes_no(webhook.active)),
        ("disabled", or_empty(disabled)),
        ("health", health(webhook)),
        ("last attempt", or_empty(webhook.health.last_attempt_at.as_ref())),
        ("created", webhook.created_at.clone()),
        ("updated", webhook.updated_at.clone()),
    ])
}

/// The secret alone, so that it can be piped.
fn secret_words(secrets: &WebhookSecrets) -> String {
    secrets.secret.as_ref().map(|secret| secret.expose().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct OnlyUpdate {
        #[command(flatten)]
        update: Update,
    }

    fn change(arguments: &[&str]) -> String {
        let parsed = OnlyUpdate::try_parse_from(["update", "wh_1"].iter().chain(arguments)).unwrap();
        serde_json::to_string(&parsed.update.change().unwrap()).unwrap()
    }

    #[test]
    fn an_update_sends_what_is_given_and_nothing_else() {
        assert_eq!(change(&[]), "{}");
        assert_eq!(
            change(&["--name", "desk", "--active", "false"]),
            r#"{"name":"desk","active":false}"#
        );
        assert_eq!(change(&["--event", "a", "--event-key", "b"]), r#"{"eventKeys":["a","b"]}"#);
    }

    #[test]
    fn an_update_tells_removing_from_keeping() {
        assert_eq!(change(&["--remove-secret"]), r#"{"secret":null}"#);
        assert_eq!(change(&["--secret", "correct-horse"]), r#"{"secret":"correct-horse"}"#);
        assert_eq!(change(&["--remove-headers"]), r#"{"headers":{}}"#);
        assert_eq!(change(&["--header", "X-One: 1"]), r#"{"headers":{"X-One":"1"}}"#);
        assert!(OnlyUpdate::try_parse_from(["update", "wh_1", "--secret", "x", "--remove-secret"]).is_err());
    }
}
