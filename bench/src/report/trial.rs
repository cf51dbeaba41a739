//! One run: a subject under load until the sink has everything, with what every process used from just before to just after.
//!
//! Never knows: what the figures are compared with.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;

use super::machine::Processors;
use super::process::{Process, Usage};
use super::record::{DATABASE, Run};
use super::stats::per;
use super::tidings::Server;
use super::tools::{Listener, Load, Sink, distinct, ensure_answered, is_healthy};
use super::{Bench, tidings};
use crate::time::pause;

/// How long nothing may come before the sink is taken to have all that will ever come.
const PATIENCE: Duration = Duration::from_secs(30);
/// After the last delivery, Tidings has yet to record it: that is a part of its work.
const SETTLE: Duration = Duration::from_millis(150);

/// What can take events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// See [`Subject::Raw`].
    Raw,
    /// See [`Subject::Relay`].
    Relay,
    /// See [`Subject::Tidings`].
    Tidings,
}

impl Kind {
    /// What the record calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Relay => "relay",
            Self::Tidings => "tidings",
        }
    }
}

/// What takes events and brings them to the sink.
pub(crate) enum Subject {
    /// Nothing: the generator sends to the sink.
    Raw,
    /// The relay, which stores nothing.
    Relay(Box<Listener>),
    /// Tidings.
    Tidings(Box<Server>),
}

impl Subject {
    /// A new one of that kind, with so many webhooks that all get every event, each with its own path of the sink.
    pub(crate) async fn start(kind: Kind, bench: &Bench, sink: &Sink, webhooks: usize) -> anyhow::Result<Self> {
        let urls = (0..webhooks).map(|webhook| sink.at(&format!("/ok/w{webhook}")));
        Ok(match kind {
            Kind::Raw => Self::Raw,
            Kind::Relay => Self::Relay(Box::new(bench.tools.relay(urls).await?)),
            Kind::Tidings => {
                let server = bench.launch.start().await?;
                for url in urls {
                    server.webhook(url, tidings::EVENT_KEY).await?;
                }
                Self::Tidings(Box::new(server))
            }
        })
    }

    /// What people call it.
    const fn name(&self) -> &'static str {
        match self {
            Self::Raw => Kind::Raw.name(),
            Self::Relay(_) => Kind::Relay.name(),
            Self::Tidings(_) => Kind::Tidings.name(),
        }
    }

    /// The server, when it is Tidings.
    pub(crate) fn server(&self) -> anyhow::Result<&Server> {
        match self {
            Self::Tidings(server) => Ok(server),
            Self::Raw | Self::Relay(_) => bail!("{} is no Tidings", self.name()),
        }
    }

    /// The server, when it is Tidings, to be killed, started again, or given another token.
    pub(crate) fn server_mut(&mut self) -> anyhow::Result<&mut Server> {
        match self {
            Self::Tidings(server) => Ok(server),
            Self::Raw | Self::Relay(_) => bail!("{} is no Tidings", self.name()),
        }
    }

    fn urls(&self, sink: &Sink) -> Vec<String> {
        match self {
            Self::Raw => vec![sink.at("/ok/w0")],
            Self::Relay(relay) => vec![format!("{}/events", relay.url)],
            Self::Tidings(server) => server.events_urls(),
        }
    }

    fn token(&self) -> Option<&str> {
        match self {
            Self::Tidings(server) => Some(server.token()),
            Self::Raw | Self::Relay(_) => None,
        }
    }

    const fn process(&self) -> Option<&Process> {
        match self {
            Self::Raw => None,
            Self::Relay(relay) => Some(&relay.process),
            Self::Tidings(server) => Some(server.process()),
        }
    }

    async fn commits(&self) -> anyhow::Result<u64> {
        match self {
            Self::Tidings(server) => server.commits().await,
            Self::Raw | Self::Relay(_) => Ok(0),
        }
    }
}

/// What all processes had used at one time.
struct Look {
    processes: BTreeMap<&'static str, Usage>,
    commits: u64,
    machine: Processors,
}

impl Look {
    async fn at(subject: &Subject, sink: &Sink) -> anyhow::Result<Self> {
        let commits = subject.commits().await?; // first: asking costs a little
        let mut processes = BTreeMap::from([(name(sink.process()), sink.process().usage()?)]);
        if let Some(process) = subject.process() {
            processes.insert(name(process), process.usage()?);
        }
        if let Subject::Tidings(server) = subject {
            processes.insert(Kind::Tidings.name(), server.usage()?);
            processes.extend(server.database_usage()?.map(|usage| (DATABASE, usage)));
        }
        Ok(Self {
            processes,
            commits,
            machine: Processors::now(),
        })
    }
}

/// A process as the record calls it.
fn name(process: &Process) -> &'static str {
    process.name().trim_start_matches("the ")
}

/// Load against a subject.
pub(crate) struct Trial<'a> {
    /// What is measured.
    pub(crate) subject: &'a Subject,
    /// What it is called in the record, when its name does not say enough.
    pub(crate) called: Option<&'a str>,
    /// Where deliveries go.
    pub(crate) sink: &'a Sink,
    /// The round, from 1.
    pub(crate) round: usize,
}

impl Trial<'_> {
    /// Load that is not measured, so that connections are open and caches are warm; waits for all of it.
    pub(crate) async fn warm(&self, bench: &Bench, load: &Load, expected: impl Fn(u64) -> u64) -> anyhow::Result<()> {
        let urls = self.subject.urls(self.sink);
        let (figures, _) = bench.tools.generate(load, &urls, self.subject.token()).await?;
        ensure_answered(&figures)?;
        self.sink.wait_for(expected(figures.accepted), is_healthy, PATIENCE).await?;
        pause(SETTLE).await;
        self.sink.reset().await
    }

    /// Load, and what came of it. `expected` says how many deliveries to paths that answer well so many accepted events make.
    pub(crate) async fn run(&self, bench: &Bench, load: &Load, expected: impl Fn(u64) -> u64) -> anyhow::Result<Run> {
        let before = Look::at(self.subject, self.sink).await?;
        let urls = self.subject.urls(self.sink);
        let (generator, generator_usage) = bench.tools.generate(load, &urls, self.subject.token()).await?;
        ensure_answered(&generator)?;
        let expected = expected(generator.accepted);
        self.sink.wait_for(expected, is_healthy, PATIENCE).await?;
        pause(SETTLE).await;
        let seen = self.sink.figures().await?;
        let after = Look::at(self.subject, self.sink).await?;

        let used = after.processes.iter().map(|(name, usage)| (*name, *usage - before.processes[name]));
        let processes: BTreeMap<_, _> = used.chain([("generator", generator_usage)]).collect();
        let own_us = processes.values().map(|usage| usage.cpu_us).sum();
        Ok(Run {
            subject: self.called.unwrap_or(self.subject.name()).to_owned(),
            round: self.round,
            expected,
            delivered: distinct(&seen, is_healthy),
            seconds: per((seen.last_us - seen.first_us) as f64, 1e6),
            generator,
            sink: seen.total,
            end_to_end: seen.end_to_end,
            processes,
            commits: after.commits - before.commits,
            memory: self.subject.process().map(Process::memory).transpose()?.unwrap_or_default(),
            others_percent: after.machine.others_percent(before.machine, own_us),
        })
    }
}

/// Rounds of a closed or open loop against each kind in turn, every event going to so many webhooks that answer well.
pub(crate) async fn rounds(
    bench: &Bench,
    scenario: &str,
    kinds: &[Kind],
    webhooks: usize,
    warm: &Load,
    load: &Load,
) -> anyhow::Result<Vec<Run>> {
    let mut runs = Vec::new();
    let expected = |accepted| accepted * webhooks as u64;
    for round in 1..=bench.rounds {
        for kind in kinds {
            bench.say(scenario, &format!("round {round} of {}: {}, {load}", bench.rounds, kind.name()));
            let sink = bench.tools.sink().await?;
            let subject = Subject::start(*kind, bench, &sink, webhooks).await?;
            let trial = Trial {
                subject: &subject,
                called: None,
                sink: &sink,
                round,
            };
            trial.warm(bench, warm, expected).await?;
            runs.push(trial.run(bench, load, expected).await?);
        }
    }
    Ok(runs)
}
