//! `tidings receive`: the receiver in a terminal.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use axum::http::StatusCode;
use clap::Args;
use serde_json::value::RawValue;
use tidings_runtime::{Shutdown, SystemClock, TaskSet};
use tidings_signing::Secret;

use super::{Delivery, Manners, Receiver};
use crate::failure::{CommandError, Outcome};
use crate::output::{one_line, print, printable, say};
use crate::serve::told_to_stop;

/// Receive deliveries on this machine, verify and print them.
///
/// A small receiver for a developer's desk. It can be told to fail, to stall, or to take its time.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings receive --secret correct-horse-battery
  tidings receive --fail 503 --fail-first 2  # fails two tries of each event
  tidings receive --stall                   # never answers")]
pub(crate) struct Receive {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Verify deliveries with this secret.
    #[arg(long, value_name = "SECRET", env = "TIDINGS_RECEIVE_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// Answer with this status instead of 200.
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(100..=999))]
    fail: Option<u16>,
    /// Fail only the first so many tries of each event (with --fail's status, else 500).
    #[arg(long, value_name = "TRIES")]
    fail_first: Option<u32>,
    /// Take requests and never answer.
    #[arg(long)]
    stall: bool,
    /// Wait so many milliseconds before each answer.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    delay_ms: u64,
}

/// Receives until it is told to stop, and prints each delivery: what it is on standard error, its body on standard output.
pub(crate) async fn run(args: Receive) -> Outcome {
    let wrong = |flag: &str, reason: &dyn Display| CommandError::Usage(format!("{flag}: {reason}"));
    if args.secret.as_ref().is_some_and(String::is_empty) {
        let reason = "it is empty; leave it (or TIDINGS_RECEIVE_SECRET) out to receive without checking signatures";
        return Err(wrong("--secret", &reason));
    }
    let secret = args
        .secret
        .map(Secret::new)
        .transpose()
        .map_err(|error| wrong("--secret", &error))?;
    let fail = args
        .fail
        .map(StatusCode::from_u16)
        .transpose()
        .map_err(|error| wrong("--fail", &error))?;
    let checked = secret.is_some();
    let manners = Manners {
        secret,
        fail,
        fail_first: args.fail_first,
        flaky_path: None,
        stall: args.stall,
        delay: Duration::from_millis(args.delay_ms),
    };
    let tasks = TaskSet::new(Shutdown::new());
    let mut receiver = Receiver::start(args.listen, manners, SystemClock::new(), &tasks).await?;
    say(&format!("receiving on {}", receiver.url));
    if !checked {
        say("signatures are not checked: say --secret with the webhook's secret");
    }
    let told = told_to_stop(tasks.shutdown());
    tokio::pin!(told);
    loop {
        tokio::select! {
            biased;
            told = &mut told => return Ok(told?),
            delivery = receiver.deliveries.recv() => match delivery {
                Some(delivery) => show(&delivery)?,
                None => return Ok(()),
            },
        }
    }
}

fn show(delivery: &Delivery) -> Outcome {
    let answered = delivery
        .answered
        .map_or_else(|| "no answer".to_owned(), |status| status.as_u16().to_string());
    let Delivery {
        event_key,
        id,
        tries,
        path,
        signature,
        ..
    } = delivery;
    say(&printable(&format!(
        "{event_key}  {id}  try {tries}  {path}  signature {signature}  → {answered}"
    )));
    match serde_json::from_slice::<&RawValue>(&delivery.body) {
        Ok(json) => print(&printable(&one_line(json)))?,
        Err(_) => say("  (the body is not JSON)"),
    }
    Ok(())
}
