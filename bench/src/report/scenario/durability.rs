//! The kernel's word for what 202 means: Tidings runs under strace, and every call that makes a file durable is counted. Shows that each commit has an
//! fsync of its own, and that a producer which waits for each answer gets none before an fsync that began after the answer before it. Timings here are
//! those of a traced process, and say nothing.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::super::Bench;
use super::super::record::{Findings, Unit};
use super::super::stats::per;
use super::super::tidings::{EVENT_KEY, Launch, Server};
use super::super::tools::{Amount, Load, Sink, ensure_answered, is_healthy};
use super::super::trace::{Seen, TRACER, read};
use crate::time::{pause, wall_us};

/// Events of the producer that waits for each answer, and of the many that do not wait for each other.
const EVENTS: (u64, u64) = (300, 3_000);
/// How long to wait for deliveries, and for the tracer to write down the end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between load and counting.
const QUIET: Duration = Duration::from_millis(300);

/// A part of the trace.
struct Part {
    seen: Seen,
    commits: u64,
    accepted: u64,
}

pub(super) async fn run(bench: &Bench) -> anyhow::Result<Findings> {
    ensure!(
        has_tracer().await,
        "durability needs strace to count fsyncs: install it (apt install strace), or name the other scenarios"
    );
    bench.say("durability", "Tidings under strace: one producer, then many");
    let folder = tempfile::Builder::new().prefix("trace-").tempdir_in(&bench.launch.data)?;
    let log = folder.path().join("strace.log");
    let under = TRACER.iter().map(|word| (*word).to_owned()).chain([log.display().to_string()]);
    let launch = Launch {
        under: under.collect(),
        ..bench.launch.clone()
    };
    let sink = bench.tools.sink().await?;
    let mut server = launch.start().await?;
    // Without webhooks nothing but accepting commits.
    let alone = load(bench, &server, &sink, 1, EVENTS.0).await?;
    server.webhook(sink.at("/ok/w0"), EVENT_KEY).await?;
    let many = load(bench, &server, &sink, 64, EVENTS.1).await?;
    let id = server.process().id();
    server.kill()?;

    let trace = finished(&log, id).await?;
    let part = |span: &Span| Part {
        seen: read(&trace, span.from_us, span.until_us),
        commits: span.commits,
        accepted: span.accepted,
    };
    summarise(&part(&alone), &part(&many))
}

fn summarise(alone: &Part, many: &Part) -> anyhow::Result<Findings> {
    for part in [alone, many] {
        let (told, seen) = (part.accepted, part.seen.accepted);
        ensure!(
            told == seen,
            "the generator got {told} answers 202, and strace saw {seen}: the trace cannot be read"
        );
    }
    let mut findings = Findings::default();
    let mut add = |name: &str, title: &str, value: f64| findings.add(format!("durability.{name}"), title, Unit::Count, [value]);
    let per_accepted = |part: &Part| per(part.seen.syncs as f64, part.accepted as f64);
    let bare = |part: &Part| part.commits.saturating_sub(part.seen.syncs) as f64;
    let unproven = alone.seen.unproven as f64;
    add("unproven", "One producer: answers 202 without an fsync of their own", unproven);
    add("one.per_accepted", "One producer: fsyncs per 202", per_accepted(alone));
    add("one.bare", "One producer: commits without an fsync", bare(alone));
    add("many.per_accepted", "64 producers: fsyncs per 202", per_accepted(many));
    add("many.bare", "64 producers: commits without an fsync", bare(many));
    Ok(findings)
}

/// When a load ran, and what it is to be held against.
struct Span {
    from_us: u64,
    until_us: u64,
    commits: u64,
    accepted: u64,
}

async fn load(bench: &Bench, server: &Server, sink: &Sink, connections: u32, events: u64) -> anyhow::Result<Span> {
    let before = server.metrics().await?.commits()?;
    let from_us = wall_us();
    let load = Load::closed(connections, Amount::Count(events));
    let (figures, _) = bench.tools.generate(&load, &server.events_urls(), Some(server.token())).await?;
    ensure_answered(&figures)?;
    if connections > 1 {
        sink.wait_for(figures.accepted, is_healthy, PATIENCE).await?;
    }
    pause(QUIET).await;
    Ok(Span {
        from_us,
        until_us: wall_us(),
        commits: server.metrics().await?.commits()? - before,
        accepted: figures.accepted,
    })
}

async fn has_tracer() -> bool {
    let asked = Command::new(TRACER[0]).arg("--version").output().await;
    asked.is_ok_and(|output| output.status.success())
}

/// The trace, once the tracer has written down that the process is gone.
async fn finished(log: &Path, id: u32) -> anyhow::Result<String> {
    let (end, begun_us) = (format!("{id} "), wall_us());
    loop {
        let trace = fs::read_to_string(log).context("strace wrote nothing")?;
        let last = trace.lines().rev().take(50);
        if last.filter(|line| line.starts_with(&end)).any(|line| line.contains("+++")) {
            return Ok(trace);
        }
        ensure!(u128::from(wall_us() - begun_us) < PATIENCE.as_micros(), "strace does not finish");
        pause(QUIET).await;
    }
}
