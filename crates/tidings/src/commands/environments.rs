//! `tidings environments`.

use clap::{Args, Subcommand};
use tidings_client::{CopyReport, Environment, EnvironmentChange, NewEnvironment, SettingsChange};

use super::arguments::{Schedule, seconds_in_words};
use crate::config::{Ask, Flags};
use crate::failure::{CommandError, Outcome};
use crate::output::{record, say, table, yes_no};
use crate::session::Session;

/// Environments: the walls between Development, QA, Production.
///
/// Each has its own credentials, webhooks, event types and settings.
#[derive(Args)]
pub(crate) struct Environments {
    #[command(flatten)]
    server: Flags<Ask>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List environments with their settings.
    #[command(after_help = "\
Examples:
  tidings environments list
  tidings environments list --output json | jq -r '.data[].id'")]
    List,
    /// Make an environment.
    #[command(after_help = "\
Examples:
  tidings environments create QA
  tidings environments create Local --http-allowed true \\
    --retry-schedule 0s,1s,5s,30s")]
    Create {
        /// Its name, unique without regard to case.
        name: String,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Give an environment another name.
    #[command(after_help = "Example:\n  tidings environments rename QA Staging")]
    Rename {
        /// Its name or id.
        environment: String,
        /// Its new name.
        name: String,
    },
    /// Change the settings of an environment; those that are not given stay.
    #[command(after_help = "\
Examples:
  tidings environments set Development --http-allowed true
  tidings environments set Production --retention-days 90 \\
    --retry-schedule 0s,5s,5m,30m,2h,5h --timeout-ms 10000")]
    Set {
        /// Its name or id.
        environment: String,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Delete an environment; one that holds anything only by force.
    #[command(after_help = "\
Examples:
  tidings environments delete QA
  tidings environments delete QA --force  # with everything that is in it")]
    Delete {
        /// Its name or id.
        environment: String,
        /// Delete everything in it, too.
        #[arg(long)]
        force: bool,
    },
    /// Copy custom event types and settings to another environment.
    ///
    /// Webhooks, their secrets, credentials and history are never copied.
    #[command(after_help = "Example:\n  tidings environments copy Development --to Production")]
    Copy {
        /// The name or id of the one to copy from.
        environment: String,
        /// The name or id of the one to copy to.
        #[arg(long, value_name = "NAME|ID")]
        to: String,
    },
}

#[derive(Args)]
struct SettingsArgs {
    /// Whether webhooks may have plain http URLs.
    #[arg(long, value_name = "true|false")]
    http_allowed: Option<bool>,
    /// Waits before each attempt, the first always 0s: 0s,5s,5m,2h. 0s alone never tries again.
    #[arg(long, value_name = "WAITS")]
    retry_schedule: Option<Schedule>,
    /// Deadline of one attempt, in milliseconds.
    #[arg(long, value_name = "MS")]
    timeout_ms: Option<u64>,
    /// Days that events and deliveries are kept.
    #[arg(long, value_name = "DAYS")]
    retention_days: Option<u32>,
}

impl SettingsArgs {
    /// `None` when nothing is given.
    fn change(self) -> Option<SettingsChange> {
        let change = SettingsChange {
            http_allowed: self.http_allowed,
            retry_schedule: self.retry_schedule.map(|schedule| schedule.0),
            timeout_ms: self.timeout_ms,
            retention_days: self.retention_days,
        };
        (change != SettingsChange::default()).then_some(change)
    }
}

pub(crate) async fn run(args: Environments) -> Outcome {
    let session = Session::open(&args.server)?;
    let client = session.client();
    match args.command {
        Command::List => {
            let answer = session.ask(client.environments()).await?;
            session.show(&answer, |listing| rows(&listing.data))
        }
        Command::Create { name, settings } => {
            let new = NewEnvironment {
                name,
                settings: settings.change(),
            };
            let answer = session.ask(client.create_environment(&new)).await?;
            session.show(&answer, details)
        }
        Command::Rename { environment, name } => {
            let change = EnvironmentChange {
                name: Some(name),
                settings: None,
            };
            change_one(&session, &environment, &change).await
        }
        Command::Set { environment, settings } => {
            let settings = settings.change();
            if settings.is_none() {
                return Err(CommandError::Usage(
                    "nothing is to be changed; `tidings environments set --help` lists the settings".to_owned(),
                ));
            }
            change_one(&session, &environment, &EnvironmentChange { name: None, settings }).await
        }
        Command::Delete { environment, force } => {
            let id = session.environment_called(&environment).await?;
            session.ask(client.delete_environment(&id, force)).await?;
            say(&format!("Deleted the environment {environment}."));
            Ok(())
        }
        Command::Copy { environment, to } => {
            let (from, to) = (
                session.environment_called(&environment).await?,
                session.environment_called(&to).await?,
            );
            let answer = session.ask(client.copy_environment(&from, &to)).await?;
            session.show(&answer, copied)
        }
    }
}

async fn change_one(session: &Session, environment: &str, change: &EnvironmentChange) -> Outcome {
    let id = session.environment_called(environment).await?;
    let answer = session.ask(session.client().change_environment(&id, change)).await?;
    session.show(&answer, details)
}

fn rows(environments: &[Environment]) -> String {
    table(
        ["id", "name", "http", "timeout", "retention", "attempts after"],
        environments.iter().map(|environment| {
            [
                environment.id.clone(),
                environment.name.clone(),
                yes_no(environment.settings.http_allowed),
                format!("{} ms", environment.settings.timeout_ms),
                format!("{} d", environment.settings.retention_days),
                schedule(&environment.settings.retry_schedule),
            ]
        }),
    )
}

fn details(environment: &Environment) -> String {
    let settings = &environment.settings;
    record([
        ("id", environment.id.clone()),
        ("name", environment.name.clone()),
        ("http allowed", yes_no(settings.http_allowed)),
        ("timeout", format!("{} ms", settings.timeout_ms)),
        ("retention", format!("{} days", settings.retention_days)),
        ("attempts after", schedule(&settings.retry_schedule)),
        ("created", environment.created_at.clone()),
    ])
}

fn copied(report: &CopyReport) -> String {
    let list = |keys: &[String]| if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
    record([
        ("settings copied", yes_no(report.copied.settings)),
        ("event types copied", list(&report.copied.event_types)),
        ("event types kept", list(&report.kept.event_types)),
        ("webhooks not copied", report.not_copied.webhooks.to_string()),
        ("credentials not copied", report.not_copied.credentials.to_string()),
        ("note", report.not_copied.note.clone()),
    ])
}

fn schedule(seconds: &[u64]) -> String {
    let steps: Vec<_> = seconds.iter().map(|step| seconds_in_words(*step)).collect();
    steps.join(",")
}
