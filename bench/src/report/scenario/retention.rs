//! An environment with 600,000 events is deleted while another accepts 200 events a second. Shows that removing what is old never stalls accepting: the
//! times until the 202 while it goes on, against those of the same load with nothing to remove; and how fast it goes. Takes a minute or so each round.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;
use serde_json::value::to_raw_value;
use tidings_client::{NewEnvironment, NewEvent, SettingsChange};

use super::super::Bench;
use super::super::record::{Findings, Run, Unit};
use super::super::stats::per;
use super::super::tidings::{EVENT_KEY, Server, signed};
use super::super::tools::{Load, Sink};
use super::super::trial::{Kind, Subject, Trial};
use super::super::words::counted;
use crate::time::{pause, wall_us};

/// Events of the environment that goes, each with a delivery that arrived at the first try.
const OLD_EVENTS: u64 = 600_000;
/// How many of them are sent before it is waited for their deliveries: with more under way, the store would keep rows of them that most
/// deliveries do not have.
const CHUNK: u64 = 10_000;
/// How many of them are one request.
const BATCH: u64 = 1_000;
/// What makes their payloads about as long as those of the generator.
const FILLING_BYTES: usize = 1_000;
/// Events a second of the environment that stays.
const RATE: u32 = 200;
/// How long that is measured: no longer than removing takes, on two processors.
const LOAD_SECONDS: u64 = 8;
/// After the filling, before anything is measured.
const REST: Duration = Duration::from_secs(2);
/// From the beginning of the load until the other environment is deleted: doing that is measured too.
const LEAD: Duration = Duration::from_millis(500);
/// Between two looks at what is done: looking costs a little, too.
const LOOK: Duration = Duration::from_millis(100);
/// How long nothing may get done before there is something wrong.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(bench: &Bench) -> anyhow::Result<Findings> {
    let (load, events) = (Load::open(RATE, bench.scaled(LOAD_SECONDS)), bench.scaled(OLD_EVENTS));
    let sink = bench.tools.sink().await?;
    let mut subject = Subject::start(Kind::Tidings, bench, &sink, 1).await?;
    let mut findings = Findings::default();
    let (mut rates, mut parts) = (Vec::new(), Vec::new());
    for round in 1..=bench.rounds {
        subject.server_mut()?.renew().await?;
        let server = subject.server()?;
        let old = fill(bench, server, &sink, round, events).await?;
        let trial = |called| Trial {
            subject: &subject,
            called: Some(called),
            sink: &sink,
            round,
        };
        let (undisturbed, removing, expected) = (trial("undisturbed"), trial("removing"), |accepted| accepted);
        bench.say("retention", &format!("round {round} of {}: undisturbed, {load}", bench.rounds));
        sink.reset().await?;
        undisturbed.warm(bench, &Load::open(RATE, 1), expected).await?;
        findings.runs.push(undisturbed.run(bench, &load, expected).await?);
        bench.say("retention", &format!("round {round} of {}: removing, {load}", bench.rounds));
        sink.reset().await?;
        let (run, seconds) = tokio::try_join!(removing.run(bench, &load, expected), remove(server, &old, events))?;
        rates.push(per(events as f64, seconds));
        parts.push(per(seconds, run.generator.seconds - LEAD.as_secs_f64()).min(1.0));
        findings.runs.push(run);
    }
    summarise(&mut findings);
    let title = format!("Old events removed a second, of {}", counted(events));
    findings.add("retention.removed.rate", title, Unit::PerSecond, rates);
    let title = "Part of the load, from the deletion on, that they were removed during";
    findings.add("retention.removed.part", title, Unit::Part, parts);
    findings.add_losses("retention");
    Ok(findings)
}

fn summarise(findings: &mut Findings) {
    let unit = Unit::Microseconds;
    for (subject, when) in [("undisturbed", "nothing to remove"), ("removing", "while old events are removed")] {
        let mut add = |name: &str, what: &str, of: fn(&Run) -> u64| {
            let title = format!("{RATE}/s, {when}: {what}");
            findings.add_of(subject, format!("retention.{subject}.{name}"), title, unit, |run| of(run) as f64);
        };
        add("ack.p50", "sent to 202, p50", |run| run.generator.ack.p50_us);
        add("ack.p99", "sent to 202, p99", |run| run.generator.ack.p99_us);
        add("ack.max", "sent to 202, longest", |run| run.generator.ack.max_us);
        add("p99", "sent to received, p99", |run| run.end_to_end.p99_us);
    }
    let title = "p99 until the 202 while removing, of the undisturbed";
    let p99 = |run: &Run| run.generator.ack.p99_us as f64;
    let ratio = |removing: &Run, undisturbed: &Run| per(p99(removing), p99(undisturbed));
    findings.add_pairs(("removing", "undisturbed"), "retention.ratio", title, Unit::Times, ratio);
}

/// Makes an environment with a webhook, and fills it with events that are all delivered; its id.
async fn fill(bench: &Bench, server: &Server, sink: &Sink, round: usize, events: u64) -> anyhow::Result<String> {
    let settings = SettingsChange {
        http_allowed: Some(true),
        ..SettingsChange::default()
    };
    let new = NewEnvironment {
        name: format!("Bench {round}"),
        settings: Some(settings),
    };
    let id = server.client().create_environment(&new).await?.value.id;
    let inside = server.client().clone().in_environment(&id)?;
    inside.create_webhook(&signed(sink.at("/ok/old"), EVENT_KEY)).await?;
    let event = NewEvent {
        event_key: EVENT_KEY.to_owned(),
        payload: to_raw_value(&json!({ "filling": "x".repeat(FILLING_BYTES) }))?,
        tenant_id: None,
        user_id: None,
        application_id: None,
    };
    let attempts = async || Ok(server.metrics().await?.attempts("delivered"));
    let (before, mut sent) = (attempts().await?, 0);
    while sent < events {
        let batch = vec![event.clone(); BATCH.min(events - sent) as usize];
        let report = inside.send_events(&batch, None).await?.value;
        ensure!(report.refused == 0, "{} of {} events were refused", report.refused, batch.len());
        sent += report.accepted;
        if sent.is_multiple_of(CHUNK) || sent == events {
            until(before + sent, attempts).await.context("old events are not delivered")?;
        }
        if sent.is_multiple_of(10 * CHUNK) {
            bench.say("retention", &format!("{} of {} old events stored", counted(sent), counted(events)));
        }
    }
    pause(REST).await;
    Ok(id)
}

/// Deletes an environment with so many events a little later, and waits until the server has removed them all; how many seconds that took.
async fn remove(server: &Server, old: &str, events: u64) -> anyhow::Result<f64> {
    let pruned = async || Ok(server.metrics().await?.pruned());
    let before = pruned().await?;
    pause(LEAD).await;
    let begun_us = wall_us();
    server.client().delete_environment(old, true).await?;
    until(before + events, pruned).await.context("old events are not removed")?;
    Ok((wall_us() - begun_us) as f64 / 1e6)
}

/// Waits until so much is counted.
async fn until(wanted: u64, count: impl AsyncFn() -> anyhow::Result<u64>) -> anyhow::Result<()> {
    let (mut most, mut since_us) = (0, wall_us());
    loop {
        let now = count().await?;
        if now >= wanted {
            return Ok(());
        }
        if now > most {
            (most, since_us) = (now, wall_us());
        }
        let still = u128::from(wall_us() - since_us) > PATIENCE.as_micros();
        ensure!(!still, "it stands still at {now} of {wanted}");
        pause(LOOK).await;
    }
}
