//! `tidings serve`: a node that runs until it is told to stop.

use tidings_app::bootstrap::FirstStart;
use tidings_runtime::Shutdown;
use tidings_store_postgres::without_password;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{ServeConfig, misspelt};
use crate::data_folder;
use crate::failure::{CommandError, Outcome};
use crate::node::Node;
use crate::output::say;

/// The signals that ask a process to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Waits for SIGTERM, SIGINT, or a task without which nothing works to fail.
pub(crate) async fn told_to_stop(shutdown: &Shutdown) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    tokio::select! {
        biased;
        () = signals.next() => {}
        () = shutdown.begun() => {}
    }
    Ok(())
}

/// Runs a node. The first SIGTERM or SIGINT stops it in order, the second at once.
pub(crate) async fn run(config: ServeConfig) -> Outcome {
    let mut signals = Signals::listen()?;
    raise_open_files(config.max_connections);
    for (name, meant) in misspelt(std::env::vars_os().map(|(name, _)| name)) {
        tracing::warn!("{name} is no setting, and has no effect: did you mean {meant}?");
    }
    let node = Node::start(&config).await?;
    show_first_start(&node);
    if data_folder::is_open_to_others(&config.data) {
        let folder = config.data.display();
        tracing::warn!("the data folder can be read by others: run `chmod 700 {folder}`");
    }
    let database = config.database.as_ref().map(|database| without_password(&database.url));
    tracing::info!(url = %node.url, data = %config.data.display(), database, version = env!("CARGO_PKG_VERSION"), "listening");
    let shutdown = node.shutdown.clone();
    tokio::select! {
        biased;
        () = signals.next() => {}
        () = shutdown.begun() => {}
    }
    tracing::info!("stopping: no new requests; attempts under way are finished");
    tokio::select! {
        biased;
        well = node.stop(config.shutdown_grace) => {
            if !well {
                let words = "a task without which nothing works had failed; the log says which";
                return Err(CommandError::Other(anyhow::Error::msg(words)));
            }
            tracing::info!("stopped");
            Ok(())
        }
        // A hard stop is a crash, and a crash loses nothing: leases end by themselves.
        () = signals.next() => {
            tracing::warn!("stopped at once; what was under way is sent again after the next start");
            Ok(())
        }
    }
}

/// Files that a server has open beside the connections of callers: those to receivers and those of the database.
const OTHER_FILES: u64 = 2_048;

/// Takes as many open files as the operating system grants: what it gives at first is often fewer than the connections that are allowed.
fn raise_open_files(connections: usize) {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) if files < connections as u64 + OTHER_FILES => tracing::warn!(
            files,
            connections,
            "the limit of open files is low for so many connections: raise it (ulimit -n), or lower max_connections"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
    }
}

fn show_first_start(node: &Node) {
    if let Some(first) = &node.first_start {
        show_credential(node, first);
    }
    if let Some(link) = &node.setup_link {
        say("Nobody can sign in to the portal yet. This link sets up the first owner, once, within a day:");
        say(&format!("  {link}"));
    }
}

fn show_credential(node: &Node, first: &FirstStart) {
    say(&format!(
        "First start: made the environment '{}' and its first credential.",
        first.environment
    ));
    if let Some(secret) = &first.generated_secret {
        say("Keep these: the secret is not shown again.");
        say(&format!("  export TIDINGS_URL={}", node.base));
        say(&format!("  export TIDINGS_CLIENT_ID={}", first.client_id));
        say(&format!("  export TIDINGS_CLIENT_SECRET={secret}"));
    }
}
