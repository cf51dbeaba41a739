//! A million deliveries that wait for a retry: 100,000 events for ten webhooks that answer 500. Shows the memory of a fresh server and that of one with such
//! a backlog, and what a kill -9 then costs: the time until it listens again, and until the first retry that is due goes out. Takes some minutes.

use std::time::Duration;

use anyhow::ensure;
use tidings_client::SettingsChange;

use super::super::Bench;
use super::super::record::{Findings, Unit};
use super::super::tidings::{EVENT_KEY, Server};
use super::super::tools::{Amount, Load, Sink, ensure_answered};
use super::super::words::counted;
use crate::time::{pause, wall_us};

/// Events of the backlog, and webhooks that each of them goes to.
const BACKLOG: (u64, u64) = (100_000, 10);
/// Events whose retries are due when the server is started again.
const DUE_EVENTS: u64 = 500;
/// Seconds until the retry of the backlog, far off, and of what is to be due.
const RETRY_SECONDS: (u64, u64) = (86_400, 30);
/// A little more than jitter makes of the shorter of them at most. At least it makes 24 s of it: nothing is tried again before the server is killed.
const DUE_WITHIN: Duration = Duration::from_secs(37);
/// Events that are sent before it is waited for their attempts.
const CHUNK: u64 = 5_000;
/// Before memory is looked at.
const REST: Duration = Duration::from_secs(3);
/// How long no attempt may end before there is something wrong.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn run(bench: &Bench) -> anyhow::Result<Findings> {
    let sink = bench.tools.sink().await?;
    let mut server = bench.launch.start().await?;
    pause(REST).await;
    let idle = server.process().memory()?;
    let (events, webhooks) = (bench.scaled(BACKLOG.0), BACKLOG.1);
    let waiting = counted(events * webhooks);

    let begun_us = wall_us();
    fail(bench, &server, &sink, events).await?;
    let filled_us = wall_us() - begun_us;
    pause(REST).await;
    let full = server.process().memory()?;
    let data_bytes = server.data_bytes();
    let pending = server.metrics().await?.pending()?;
    ensure!(pending == events * webhooks, "{pending} deliveries wait, not {waiting}");

    let (listening_us, first_us, all_us) = crash(bench, &mut server, &sink).await?;
    pause(REST).await;
    let again = server.process().memory()?;

    let (time, size) = (Unit::Microseconds, Unit::Bytes);
    let mut findings = Findings::default();
    let mut add = |name: &str, title: String, unit, value: u64| findings.add(format!("backlog.{name}"), title, unit, [value as f64]);
    add(
        "idle.memory",
        "A fresh server: memory at rest".to_owned(),
        size,
        idle.resident_bytes,
    );
    add("full.setup", format!("Making {waiting} fail for the first time"), time, filled_us);
    add(
        "full.memory",
        format!("{waiting} waiting: memory at rest"),
        size,
        full.resident_bytes,
    );
    add(
        "full.peak",
        format!("{waiting} waiting: most memory on the way there"),
        size,
        full.peak_bytes,
    );
    add("full.disk", format!("{waiting} waiting: data folder"), size, data_bytes);
    add("start", "After kill -9: until it takes requests".to_owned(), time, listening_us);
    add(
        "first_retry",
        "After kill -9: until the first retry goes out".to_owned(),
        time,
        first_us,
    );
    let due = counted(DUE_EVENTS * webhooks);
    add(
        "all_due",
        format!("After kill -9: until all {due} that were due went out"),
        time,
        all_us,
    );
    add(
        "again.memory",
        format!("{waiting} waiting, after the start: memory at rest"),
        size,
        again.resident_bytes,
    );
    Ok(findings)
}

/// Fills the backlog: every event fails once at each webhook and waits for a day.
async fn fail(bench: &Bench, server: &Server, sink: &Sink, events: u64) -> anyhow::Result<()> {
    retry_after(server, RETRY_SECONDS.0).await?;
    for webhook in 0..BACKLOG.1 {
        server.webhook(sink.at(&format!("/status/500/w{webhook}")), EVENT_KEY).await?;
    }
    let mut sent = 0;
    while sent < events {
        sent += send(bench, server, CHUNK.min(events - sent)).await?;
        tried(server, sent * BACKLOG.1).await?;
        let (now, all) = (counted(sent * BACKLOG.1), counted(events * BACKLOG.1));
        bench.say("backlog", &format!("{now} of {all} deliveries wait for their retry"));
    }
    Ok(())
}

/// Lets some deliveries fail so that they are due soon, kills the server before they are, and starts it when they are. The times until it listened, until the
/// first of them came, and until all of them had.
async fn crash(bench: &Bench, server: &mut Server, sink: &Sink) -> anyhow::Result<(u64, u64, u64)> {
    retry_after(server, RETRY_SECONDS.1).await?;
    let before = server.metrics().await?.attempts("retrying");
    let sent = send(bench, server, DUE_EVENTS).await?;
    tried(server, before + sent * BACKLOG.1).await?;
    server.kill()?;
    bench.say("backlog", "killed; waiting for retries to be due, then starting again");
    sink.reset().await?;
    pause(DUE_WITHIN).await;
    let begun_us = wall_us();
    server.restart().await?;
    let came = sink.wait_for(sent * BACKLOG.1, |_| true, PATIENCE).await?;
    ensure!(
        came.total.distinct == sent * BACKLOG.1,
        "of {} retries, {} came",
        sent * BACKLOG.1,
        came.total.distinct
    );
    Ok((server.start_us(), came.first_us - begun_us, came.last_us - begun_us))
}

async fn retry_after(server: &Server, seconds: u64) -> anyhow::Result<()> {
    let settings = SettingsChange {
        retry_schedule: Some(vec![0, seconds]),
        ..SettingsChange::default()
    };
    server.set(settings).await
}

async fn send(bench: &Bench, server: &Server, events: u64) -> anyhow::Result<u64> {
    let load = Load::closed(16, Amount::Count(events));
    let (figures, _) = bench.tools.generate(&load, &server.events_urls(), Some(server.token())).await?;
    ensure_answered(&figures)?;
    Ok(figures.accepted)
}

/// Waits until so many attempts have failed and are recorded.
async fn tried(server: &Server, attempts: u64) -> anyhow::Result<()> {
    let (mut most, mut since_us) = (0, wall_us());
    loop {
        let now = server.metrics().await?.attempts("retrying");
        if now >= attempts {
            return Ok(());
        }
        if now > most {
            (most, since_us) = (now, wall_us());
        }
        let still = u128::from(wall_us() - since_us) > PATIENCE.as_micros();
        ensure!(!still, "of {attempts} attempts, {now} ended, and no more do");
        pause(LOOK).await;
    }
}
