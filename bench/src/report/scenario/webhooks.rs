//! 10,000 webhooks on one server, most of them customers' on the very event key that is measured; with `--long` also 100,000 in 10,000 environments. Shows
//! that accepting an event costs what it costs with one webhook, how long a start takes, and the memory. They are made over the API, which takes a while
//! that is stated.

use anyhow::Context as _;
use tidings_client::{Client, NewEnvironment, NewWebhook, SettingsChange};
use tokio::task::JoinSet;

use super::super::Bench;
use super::super::record::{Findings, Run, Unit};
use super::super::stats::per;
use super::super::tidings::{EVENT_KEY, signed};
use super::super::tools::{Amount, Load, Sink};
use super::super::trial::{Kind, Subject, Trial};
use super::super::words::counted;
use super::throughput::CONNECTIONS;
use crate::time::{pause, wall_us};

/// Webhooks of one environment, beside the one that gets the events.
const WEBHOOKS: u64 = 10_000;
/// Environments, and webhooks in each, of the long form.
const ENVIRONMENTS: (u64, u64) = (10_000, 10);
/// Requests of the set-up that are under way at the same time.
const SETTERS: usize = 32;
/// An event key that is not measured.
const OTHER_KEY: &str = "frontegg.tenant.updated";
/// After a start, before memory is looked at.
const REST: std::time::Duration = std::time::Duration::from_secs(1);

pub(super) async fn run(bench: &Bench) -> anyhow::Result<Findings> {
    let sink = bench.tools.sink().await?;
    let webhooks = bench.scaled(WEBHOOKS);
    let one = Subject::start(Kind::Tidings, bench, &sink, 1).await?;
    let mut many = Subject::start(Kind::Tidings, bench, &sink, 1).await?;
    let begun_us = wall_us();
    fill_one(bench, many.server()?.client().clone(), &sink, webhooks).await?;
    let mut findings = Findings::default();
    let title = format!("Making {} webhooks over the API", counted(webhooks));
    findings.add("webhooks.many.setup", title, Unit::Microseconds, [(wall_us() - begun_us) as f64]);
    compare(bench, &mut findings, &one, &mut many, &sink, ("many", &counted(webhooks))).await?;
    if bench.is_long() {
        let (environments, each) = (bench.scaled(ENVIRONMENTS.0), ENVIRONMENTS.1);
        drop(many);
        let mut most = Subject::start(Kind::Tidings, bench, &sink, 1).await?;
        let begun_us = wall_us();
        fill_many(bench, most.server()?.client().clone(), &sink, environments, each).await?;
        let what = format!("{} in {} environments", counted(environments * each), counted(environments));
        let title = format!("Making {what} over the API");
        findings.add("webhooks.most.setup", title, Unit::Microseconds, [(wall_us() - begun_us) as f64]);
        compare(bench, &mut findings, &one, &mut most, &sink, ("most", &what)).await?;
    }
    findings.add_losses("webhooks");
    Ok(findings)
}

/// The same load against the server with one webhook and that with many, in turn; then starts of the latter.
async fn compare(
    bench: &Bench,
    findings: &mut Findings,
    one: &Subject,
    many: &mut Subject,
    sink: &Sink,
    (id, what): (&str, &str),
) -> anyhow::Result<()> {
    let warm = Load::closed(CONNECTIONS, Amount::Seconds(1));
    let load = warm.lasting(Amount::Seconds(bench.pick(2, 5)));
    let beside = format!("one beside {id}");
    for round in 1..=bench.rounds {
        for (subject, called) in [(one, beside.as_str()), (&*many, id)] {
            bench.say("webhooks", &format!("round {round} of {}: {called}, {load}", bench.rounds));
            let trial = Trial {
                subject,
                called: Some(called),
                sink,
                round,
            };
            sink.reset().await?;
            trial.warm(bench, &warm, |accepted| accepted).await?;
            findings.runs.push(trial.run(bench, &load, |accepted| accepted).await?);
        }
    }
    let (mut starts, mut memory) = (Vec::new(), Vec::new());
    for round in 1..=bench.rounds {
        bench.say("webhooks", &format!("round {round} of {}: a start with {what}", bench.rounds));
        let server = many.server_mut()?;
        server.kill()?;
        server.restart().await?;
        pause(REST).await;
        starts.push(server.start_us() as f64);
        memory.push(server.process().memory()?.resident_bytes as f64);
    }
    let cpu = |run: &Run| run.cpu_us_per_event("tidings");
    let time = Unit::Microseconds;
    findings.add_of(
        &beside,
        format!("webhooks.{id}.beside"),
        "1 webhook: CPU per event, meanwhile",
        time,
        cpu,
    );
    findings.add_of(id, format!("webhooks.{id}.cpu"), format!("{what}: CPU per event"), time, cpu);
    let (figure, title) = (format!("webhooks.{id}.ratio"), format!("{what}: CPU per event, of that with 1"));
    findings.add_pairs((id, &beside), figure, title, Unit::Times, |run, one| per(cpu(run), cpu(one)));
    findings.add(
        format!("webhooks.{id}.start"),
        format!("{what}: a start, until it takes requests"),
        time,
        starts,
    );
    findings.add(
        format!("webhooks.{id}.memory"),
        format!("{what}: memory at rest after a start"),
        Unit::Bytes,
        memory,
    );
    Ok(())
}

/// Makes webhooks in one environment: half of them are tenants' and subscribed to the key that is measured, the others to another key.
async fn fill_one(bench: &Bench, client: Client, sink: &Sink, webhooks: u64) -> anyhow::Result<()> {
    let mut setters = Setters::new(bench, "webhooks", webhooks);
    for number in 0..webhooks {
        let webhook = idle(sink, number);
        let client = client.clone();
        setters
            .work(async move {
                client.create_webhook(&webhook).await?;
                Ok(())
            })
            .await?;
    }
    setters.finish().await
}

/// Makes environments with so many webhooks each.
async fn fill_many(bench: &Bench, client: Client, sink: &Sink, environments: u64, each: u64) -> anyhow::Result<()> {
    let mut setters = Setters::new(bench, "environments", environments);
    for number in 0..environments {
        let webhooks: Vec<_> = (0..each).map(|webhook| idle(sink, number * each + webhook)).collect();
        let client = client.clone();
        setters
            .work(async move {
                let settings = SettingsChange {
                    http_allowed: Some(true),
                    ..SettingsChange::default()
                };
                let new = NewEnvironment {
                    name: format!("Bench {number}"),
                    settings: Some(settings),
                };
                let environment = client.create_environment(&new).await?;
                let inside = client.in_environment(&environment.id)?;
                for webhook in &webhooks {
                    inside.create_webhook(webhook).await?;
                }
                Ok(())
            })
            .await?;
    }
    setters.finish().await
}

/// A webhook that gets nothing that is sent here.
fn idle(sink: &Sink, number: u64) -> NewWebhook {
    let url = sink.at(&format!("/ok/idle/{number}"));
    if number.is_multiple_of(2) {
        let tenant_id = Some(format!("bench-tenant-{number}"));
        NewWebhook {
            tenant_id,
            ..signed(url, EVENT_KEY)
        }
    } else {
        signed(url, OTHER_KEY)
    }
}

/// Pieces of the set-up, some at a time, with a line now and then on how far it is.
struct Setters<'a> {
    bench: &'a Bench,
    what: &'static str,
    all: u64,
    begun: u64,
    said_us: u64,
    under_way: JoinSet<anyhow::Result<()>>,
}

impl<'a> Setters<'a> {
    fn new(bench: &'a Bench, what: &'static str, all: u64) -> Self {
        Self {
            bench,
            what,
            all,
            begun: 0,
            said_us: 0,
            under_way: JoinSet::new(),
        }
    }

    /// Begins a piece as soon as there is room for it.
    async fn work(&mut self, piece: impl Future<Output = anyhow::Result<()>> + Send + 'static) -> anyhow::Result<()> {
        if self.under_way.len() >= SETTERS {
            self.one().await?;
        }
        self.under_way.spawn(piece);
        self.begun += 1;
        if wall_us() - self.said_us > 5_000_000 {
            self.said_us = wall_us();
            let done = format!("making {}: {} of {}", self.what, counted(self.begun), counted(self.all));
            self.bench.say("webhooks", &done);
        }
        Ok(())
    }

    async fn finish(mut self) -> anyhow::Result<()> {
        while !self.under_way.is_empty() {
            self.one().await?;
        }
        Ok(())
    }

    async fn one(&mut self) -> anyhow::Result<()> {
        let ended = self.under_way.join_next().await.context("nothing is under way")?;
        ended?.with_context(|| format!("cannot make {}", self.what))
    }
}
