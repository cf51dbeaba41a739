//! Tidings: self-hosted webhooks in one binary.
//!
//! Owns: configuration, the command line, and the wiring of one node. The only room that imports every other.
//!
//! Never knows: how an event is matched, stored, signed or sent. What a command does beyond asking is in another room.

#[cfg(test)]
mod access;
#[cfg(test)]
mod checked_in;
mod cli;
mod commands;
mod config;
mod data_folder;
mod demo;
mod failure;
mod key_files;
mod listen;
mod local_token;
mod logs;
mod node;
mod output;
mod receive;
mod routes;
mod serve;
mod session;
mod stores;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Builder;

use crate::cli::Cli;
use crate::failure::{CommandError, USAGE_STATUS};

/// Every event is some dozens of small allocations that one thread makes and another gives back: that is what it is good at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print(); // nobody reads it: the status says the rest
            return ExitCode::from(if error.use_stderr() { USAGE_STATUS } else { 0 });
        }
    };
    let runtime = match Builder::new_multi_thread().worker_threads(workers()).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return CommandError::Other(anyhow::Error::new(error).context("the runtime cannot start")).report(),
    };
    match runtime.block_on(commands::run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

/// Threads that take requests and send deliveries: all processors but one, which is left to the thread that writes. On two processors a single worker
/// takes a tenth more events than two that wake each other and share what they count.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| processors.get().saturating_sub(1).max(1))
}
