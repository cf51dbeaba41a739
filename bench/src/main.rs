//! `tidings-bench`: load, receivers, ceilings, and a report that compares them. Measures programs from outside, through the doors that users have; never
//! sends to an address that is not this machine's own.

mod counts;
mod figures;
mod generate;
mod output;
mod quantiles;
mod relay;
mod report;
mod sink;
mod target;
mod time;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

/// Measures what an accepted event costs until it is delivered.
///
/// Data goes to standard output as lines of JSON, talk to standard error. Nothing is sent to any machine but this one.
#[derive(Parser)]
#[command(name = "tidings-bench", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Receive and count: losses, duplicates, reordering, time from end to end.
    Sink(sink::Args),
    /// Send events: as many as are answered, or so many a second.
    Gen(generate::Args),
    /// Accept, answer 202 and forward, storing nothing: the ceiling of what a sender can do on this machine.
    Relay(relay::Args),
    /// Measure everything, beside the relay and without any server, and hold it against the budgets.
    Report(report::Args),
    /// Count what an event costs in instructions, allocations and system calls, and hold it against what it cost before.
    Counts(counts::Args),
    /// Be the node that is counted.
    #[command(hide = true)]
    CountsNode(counts::node::Args),
}

impl Command {
    /// How many threads its work runs on; one for each processor when it does not say.
    fn threads(&self) -> Option<usize> {
        match self {
            Self::Sink(args) => Some(args.threads.into()),
            Self::Gen(args) => Some(args.threads.into()),
            Self::Relay(_) => None,
            Self::Report(_) | Self::Counts(_) | Self::CountsNode(_) => Some(1),
        }
    }

    async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Sink(args) => sink::run(args).await,
            Self::Gen(args) => generate::run(args).await,
            Self::Relay(args) => relay::run(args).await,
            Self::Report(args) => report::run(args).await,
            Self::Counts(args) => counts::run(args).await,
            Self::CountsNode(args) => counts::node::run(args).await,
        }
    }
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let ended = runtime(command.threads())
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(command.run()));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// A runtime on the thread that asks for it when one is enough: it needs no waking of others.
fn runtime(threads: Option<usize>) -> io::Result<Runtime> {
    match threads {
        Some(0 | 1) => Builder::new_current_thread().enable_all().build(),
        Some(threads) => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
        None => Builder::new_multi_thread().enable_all().build(),
    }
}
