//! `tidings-bench gen`: sends events, as many as are answered or so many a second, and tells what became of them.
//!
//! Latency counts from when a request was due. In a closed loop that is when its connection was free, so that a server which stands still is asked less and
//! looks better than it is. In an open loop (`--rate`) it is a fixed time, whether or not a connection was free: coordinated omission is counted.
//!
//! Never knows: what the server does with an event.

mod event;
mod line;
mod schedule;
mod tally;

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::ArgGroup;
use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::figures::GenFigures;
use crate::output::{print_json, say};
use crate::target::Target;
use crate::time::{Clock, pause};
use event::Template;
use line::Run;
use schedule::Schedule;
use tally::Tally;

/// Longest run.
const SECONDS_MAX: f64 = 7.0 * 24.0 * 3_600.0;
/// How often progress is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between two lines of progress.
const LOOKS_PER_LINE: u32 = 5;
/// Looks without any answer after which what is under way has failed.
const PATIENCE_LOOKS: u32 = 30;

/// What the generator is told.
#[derive(clap::Args)]
#[command(group = ArgGroup::new("how much").args(["count", "seconds"]).required(true))]
#[command(after_help = "\
Examples:
  tidings-bench gen --url http://127.0.0.1:8080/v1/events --token T --count 100000
  tidings-bench gen --url http://127.0.0.1:8080/v1/events --token T --rate 200 --seconds 30
  tidings-bench gen --url http://127.0.0.1:9000/ok/raw --seconds 10    # one hop, into a sink")]
pub(crate) struct Args {
    /// Where to, on this machine. Several are taken in turn by the connections: nodes of one system.
    #[arg(long = "url", value_name = "URL", required = true)]
    pub(crate) urls: Vec<String>,
    /// Access token.
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// Connections; each has one request under way.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) connections: u16,
    /// Events in all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// How long to send.
    #[arg(long, value_name = "S")]
    pub(crate) seconds: Option<f64>,
    /// Open loop: events a second, due at fixed times. Without it every connection sends its next request when the last was answered.
    #[arg(long, value_name = "R")]
    pub(crate) rate: Option<f64>,
    /// Event key.
    #[arg(long, default_value = "frontegg.user.created")]
    pub(crate) key: String,
    /// So many event keys in turn, `--key-prefix` with 0, 1, 2 and so on behind it.
    #[arg(long, value_name = "K", conflicts_with = "key", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) keys: Option<u32>,
    /// What the event keys of `--keys` begin with.
    #[arg(long, default_value = "bench.k")]
    pub(crate) key_prefix: String,
    /// Send an idempotency key with each event.
    #[arg(long)]
    pub(crate) idempotency: bool,
    /// Sequence number of the first event.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) first: u64,
    /// Threads that send.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threads: u16,
}

/// Sends, and prints the figures.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let (figures, reason) = send(&args).await?;
    print_json(&figures)?;
    judge(&figures, reason)
}

/// Whether there was a run at all, and what is to be said about it.
fn judge(figures: &GenFigures, reason: Option<String>) -> anyhow::Result<()> {
    let reason = reason.unwrap_or_else(|| "no answer came".to_owned());
    if figures.accepted == 0 {
        bail!("no event was accepted: {reason}");
    }
    if figures.failed > 0 || !figures.refused.is_empty() {
        say(&format!("some events were not accepted; the first: {reason}"));
    }
    Ok(())
}

/// Sends; tells the figures, and why the first event that was not accepted was not.
pub(crate) async fn send(args: &Args) -> anyhow::Result<(GenFigures, Option<String>)> {
    let mut targets = Vec::new();
    for url in &args.urls {
        let target = Target::find(url).await?;
        targets.push(Arc::new((line::headers(&target, args.token.as_deref())?, target)));
    }
    let mut streams = Vec::new();
    for to in targets.iter().cycle().take(usize::from(args.connections)) {
        let stream = line::dial(&to.1).await;
        let stream = stream.with_context(|| format!("nothing could be sent: cannot connect to {}", to.1.address))?;
        streams.push((Arc::clone(to), stream));
    }
    let clock = Clock::start();
    let run = Arc::new(Run {
        clock,
        template: Template::new(&args.event_keys())?,
        first: args.first,
        idempotency: args.idempotency.then(|| clock.now_us()),
        schedule: args.schedule(clock)?,
        tally: Mutex::new(Tally::new()),
    });
    let mut pacer = JoinSet::new(); // which ends with the run, whoever ends that
    pacer.spawn(Arc::clone(&run.schedule).pace());
    let mut lines = JoinSet::new();
    for (to, stream) in streams {
        lines.spawn(line::send(Arc::clone(&run), to, stream));
    }
    attend(&run, lines, pacer).await?;
    let tally = run.tally.lock();
    Ok((tally.figures(), tally.reason().map(str::to_owned)))
}

impl Args {
    fn event_keys(&self) -> Vec<String> {
        match self.keys {
            Some(keys) => (0..keys).map(|number| format!("{}{number}", self.key_prefix)).collect(),
            None => vec![self.key.clone()],
        }
    }

    fn schedule(&self, clock: Clock) -> anyhow::Result<Arc<Schedule>> {
        let sound = |number: Option<f64>| number.is_none_or(|number| number.is_finite() && number > 0.0);
        ensure!(sound(self.rate) && sound(self.seconds), "--rate and --seconds have to be above 0");
        ensure!(
            self.seconds.is_none_or(|seconds| seconds <= SECONDS_MAX),
            "--seconds has to be at most {SECONDS_MAX}"
        );
        Ok(match self.rate {
            None => Schedule::closed(clock, self.count, self.seconds),
            Some(rate) => {
                let seconds = self.seconds.unwrap_or(f64::INFINITY);
                let count = self.count.unwrap_or(u64::MAX).min((rate * seconds).ceil() as u64);
                Schedule::open(clock, count, rate)
            }
        })
    }
}

/// Waits for every line to end, or gives up on those that get no answer any more. Tells how it goes when somebody looks on.
async fn attend(run: &Run, mut lines: JoinSet<()>, mut pacer: JoinSet<io::Result<()>>) -> anyhow::Result<()> {
    let looked_on = io::stderr().is_terminal();
    let (mut looks, mut still, mut ended_before) = (0, 0, 0);
    loop {
        tokio::select! {
            biased;
            line = lines.join_next() => match line {
                None => return Ok(()),
                Some(line) => line.context("a connection's task broke")?,
            },
            Some(paced) = pacer.join_next() => paced.context("the pace's task broke")?.context("the pace cannot be kept")?,
            () = pause(LOOK) => {
                let (ended, under_way) = {
                    let tally = run.tally.lock();
                    (tally.ended(), tally.under_way())
                };
                looks += 1;
                still = if ended == ended_before && under_way > 0 { still + 1 } else { 0 };
                ended_before = ended;
                if still == PATIENCE_LOOKS {
                    run.tally.lock().explain(|| format!("no answer within {PATIENCE_LOOKS} s"));
                    return Ok(()); // which drops the lines
                }
                if looked_on && looks % LOOKS_PER_LINE == 0 {
                    say(&format!("{ended} events after {looks} s, {under_way} under way"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
