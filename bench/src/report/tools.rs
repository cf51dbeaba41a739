//! The other tools of the bench, as processes: the sink and the relay while they run, the generator until it is done.
//!
//! Never knows: which scenario asks, or Tidings.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tokio::process::Command;

use super::process::{Process, Usage};
use super::web::Web;
use crate::figures::{GenFigures, SinkFigures};
use crate::time::{pause, wall_us};

/// How often to look at the sink while it has not everything.
const LOOK: Duration = Duration::from_millis(20);

/// How much load.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Amount {
    /// So many events.
    Count(u64),
    /// As many as go in so many seconds.
    Seconds(u64),
}

/// What the generator is to do.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Connections; as many requests are under way in a closed loop.
    pub(crate) connections: u32,
    /// When it ends.
    pub(crate) amount: Amount,
    /// Events a second, whatever becomes of them; without it, each connection sends when it has its answer.
    pub(crate) rate: Option<u32>,
    /// The event keys, in turn: so many, that begin so, or the one that it has by itself.
    pub(crate) keys: Option<(u32, &'static str)>,
}

impl Load {
    /// A closed loop of that many connections.
    pub(crate) const fn closed(connections: u32, amount: Amount) -> Self {
        Self {
            connections,
            amount,
            rate: None,
            keys: None,
        }
    }

    /// An open loop of that many events a second.
    pub(crate) const fn open(rate: u32, seconds: u64) -> Self {
        Self {
            rate: Some(rate),
            ..Self::closed(64, Amount::Seconds(seconds))
        }
    }

    /// The same for another while.
    pub(crate) fn lasting(&self, amount: Amount) -> Self {
        Self { amount, ..self.clone() }
    }

    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--connections".to_owned(), self.connections.to_string()];
        let mut say = |name: &str, value: &dyn ToString| arguments.extend([name.to_owned(), value.to_string()]);
        match self.amount {
            Amount::Count(count) => say("--count", &count),
            Amount::Seconds(seconds) => say("--seconds", &seconds),
        }
        if let Some(rate) = self.rate {
            say("--rate", &rate);
        }
        if let Some((keys, prefix)) = self.keys {
            say("--keys", &keys);
            say("--key-prefix", &prefix);
        }
        arguments
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rate {
            Some(rate) => write!(f, "{rate} events a second")?,
            None => write!(f, "{} requests under way", self.connections)?,
        }
        match self.amount {
            Amount::Count(count) => write!(f, ", {count} events"),
            Amount::Seconds(seconds) => write!(f, ", {seconds} s"),
        }
    }
}

/// Starts the tools: they are all in our own executable.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    own: PathBuf,
}

#[derive(Deserialize)]
struct Listening {
    listening: String,
}

/// A tool that listens.
pub(crate) struct Listener {
    /// The process.
    pub(crate) process: Process,
    /// Its URL, without a slash at the end.
    pub(crate) url: String,
}

impl Listener {
    async fn start(name: &'static str, mut command: Command) -> anyhow::Result<Self> {
        command.args(["--listen", "127.0.0.1:0"]);
        let mut process = Process::spawn(name, command)?;
        let line = process.line().await?;
        let Listening { listening } = serde_json::from_str(&line).with_context(|| format!("{name} said: {line}"))?;
        Ok(Self { process, url: listening })
    }
}

impl Tools {
    /// Those in the executable that runs.
    pub(crate) fn own() -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("the executable's own path is not known")?;
        Ok(Self { own })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.own);
        command.args(arguments);
        command
    }

    /// A receiver.
    pub(crate) async fn sink(&self) -> anyhow::Result<Sink> {
        let listener = Listener::start("the sink", self.command(&["sink"])).await?;
        Ok(Sink { listener, web: Web::new() })
    }

    /// The ceiling: forwards everything to each of those URLs.
    pub(crate) async fn relay(&self, to: impl Iterator<Item = String>) -> anyhow::Result<Listener> {
        let mut command = self.command(&["relay"]);
        for url in to {
            command.args(["--to", &url]);
        }
        Listener::start("the relay", command).await
    }

    /// Sends events to those URLs until it is done; what it did, and what it used.
    pub(crate) async fn generate(&self, load: &Load, urls: &[String], token: Option<&str>) -> anyhow::Result<(GenFigures, Usage)> {
        let mut command = self.command(&["gen"]);
        for url in urls {
            command.args(["--url", url]);
        }
        command.args(load.arguments());
        if let Some(token) = token {
            command.args(["--token", token]);
        }
        let mut process = Process::spawn("the generator", command)?;
        let line = process.line().await?;
        let figures = serde_json::from_str(&line).with_context(|| format!("the generator said: {line}"))?;
        Ok((figures, process.usage()?))
    }
}

/// A receiver that counts.
pub(crate) struct Sink {
    listener: Listener,
    web: Web,
}

impl Sink {
    /// The URL of one of its paths.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.listener.url)
    }

    /// The process.
    pub(crate) const fn process(&self) -> &Process {
        &self.listener.process
    }

    /// What it has seen.
    pub(crate) async fn figures(&self) -> anyhow::Result<SinkFigures> {
        let text = self.web.get(&self.at("/figures")).await?;
        serde_json::from_str(&text).with_context(|| format!("the sink said: {text}"))
    }

    /// Makes it forget.
    pub(crate) async fn reset(&self) -> anyhow::Result<()> {
        self.web.post(&self.at("/reset"), String::new()).await.map(drop)
    }

    /// Waits until so many different events have come to the paths that are meant. It is told what came by then when nothing comes any more for
    /// `patience`: what is missing is for the caller to judge.
    pub(crate) async fn wait_for(&self, expected: u64, meant: impl Fn(&str) -> bool, patience: Duration) -> anyhow::Result<SinkFigures> {
        let (mut most, mut since_us) = (0, wall_us());
        loop {
            let figures = self.figures().await?;
            let came = distinct(&figures, &meant);
            if came >= expected || u128::from(wall_us() - since_us) > patience.as_micros() {
                return Ok(figures);
            }
            if came > most {
                (most, since_us) = (came, wall_us());
            }
            pause(LOOK).await;
        }
    }
}

/// Different events at the paths that are meant.
pub(crate) fn distinct(figures: &SinkFigures, meant: impl Fn(&str) -> bool) -> u64 {
    let paths = figures.paths.iter().filter(|(path, _)| meant(path));
    paths.map(|(_, path)| path.distinct).sum()
}

/// Whether a path of the sink answers at once and well.
pub(crate) fn is_healthy(path: &str) -> bool {
    path.starts_with("/ok")
}

/// Complains about a generator that was not always answered: the figures of such a run say nothing.
pub(crate) fn ensure_answered(figures: &GenFigures) -> anyhow::Result<()> {
    ensure!(
        figures.accepted > 0,
        "no event was accepted: {:?}, {} without an answer",
        figures.refused,
        figures.failed
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::PathFigures;

    #[test]
    fn a_load_says_only_what_is_not_left_to_the_generator() {
        assert_eq!(
            Load::closed(8, Amount::Count(10)).arguments(),
            ["--connections", "8", "--count", "10"]
        );
        let load = Load {
            keys: Some((10, "bench.")),
            ..Load::open(200, 5)
        };
        assert_eq!(
            load.arguments().join(" "),
            "--connections 64 --seconds 5 --rate 200 --keys 10 --key-prefix bench."
        );
        assert_eq!(load.lasting(Amount::Seconds(1)).rate, Some(200));
    }

    #[test]
    fn only_the_paths_that_are_meant_are_counted() {
        let of = |distinct| PathFigures {
            distinct,
            ..PathFigures::default()
        };
        let figures = SinkFigures {
            paths: [
                ("/ok/a".to_owned(), of(3)),
                ("/ok/b".to_owned(), of(4)),
                ("/hang/c".to_owned(), of(9)),
            ]
            .into(),
            ..SinkFigures::default()
        };
        assert_eq!((distinct(&figures, is_healthy), distinct(&figures, |_| true)), (7, 16));
    }
}
