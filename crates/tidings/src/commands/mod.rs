//! What each command does: find the server, ask one thing, show the answer.

mod arguments;
pub(crate) mod backup;
pub(crate) mod config;
pub(crate) mod credentials;
pub(crate) mod deliveries;
pub(crate) mod doctor;
pub(crate) mod environments;
pub(crate) mod event_types;
pub(crate) mod events;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod migrate_store;
pub(crate) mod nodes;
pub(crate) mod openapi;
pub(crate) mod people;
pub(crate) mod restore;
pub(crate) mod test;
pub(crate) mod verify;
pub(crate) mod webhooks;

use crate::cli::Command;
use crate::config::ServeConfig;
use crate::failure::Outcome;
use crate::logs::{self, LogFormat};
use crate::{demo, receive, serve};

/// Runs a command to its end.
pub(crate) async fn run(command: Command) -> Outcome {
    match command {
        Command::Serve(flags) => {
            let config = ServeConfig::build(&flags.layers()?)?;
            logs::start(config.log_format, &config.log_level).map_err(anyhow::Error::from)?;
            serve::run(config).await
        }
        Command::Demo(args) => {
            // The table is what people look at: only what goes wrong stands between its lines.
            logs::start(LogFormat::Text, "warn").map_err(anyhow::Error::from)?;
            demo::run(args).await
        }
        Command::Receive(args) => receive::run(args).await,
        Command::Environments(args) => environments::run(args).await,
        Command::Credentials(args) => credentials::run(args).await,
        Command::Keys(args) => keys::run(args).await,
        Command::Migrate(args) => migrate::run(args).await,
        Command::Nodes(args) => nodes::run(args).await,
        Command::People(args) => people::run(args),
        Command::Webhooks(args) => webhooks::run(args).await,
        Command::Events(args) => events::run(args).await,
        Command::EventTypes(args) => event_types::run(args).await,
        Command::Deliveries(args) => deliveries::run(args).await,
        Command::Test(args) => test::run(args).await,
        Command::Backup(args) => backup::run(args).await,
        Command::Restore(args) => restore::run(args).await,
        Command::MigrateStore(args) => migrate_store::run(args).await,
        Command::Verify(args) => verify::run(args).await,
        Command::Doctor(args) => doctor::run(&args).await,
        Command::Config(args) => config::run(&args),
        Command::Openapi(args) => openapi::run(&args),
    }
}
