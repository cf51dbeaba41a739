//! The hostile receivers' lab: what the delivery log says of each, and what each may cost.

mod lab;
mod table;

use std::fmt::Write;

use serde_json::Value;
use tidings_model::Timestamp;
use tidings_model::limits::REPLY_KEPT_BYTES_MAX;
use url::Url;

use lab::Lab;
use table::{Case, LAB, RETRY_SECONDS};

/// The deadline of an attempt, in milliseconds.
const DEADLINE_MS: u64 = 2_000;
/// How much later than at its deadline an attempt may end: a busy machine is slow, and a drip has no end.
const LATE_MS: u64 = 10_000;
/// Events that follow each other at once, after the one whose log is read line by line.
const BURST: usize = 6;
/// The most that the server may grow by while all of them do their worst.
const GROWTH_KIB_MAX: u64 = 32 * 1024;

#[test]
fn no_line_of_the_lab_is_missing() {
    let mut lines: Vec<_> = table::cases().iter().map(|case| case.line).collect();
    lines.dedup();
    assert_eq!(lines, LAB.split(" · ").collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hostile_receiver_ends_in_the_log_with_its_reason_and_within_its_bounds() {
    let lab = Lab::open(table::cases()).await;
    let process = lab.server.process();
    let port = Url::parse(lab.server.url()).unwrap().port().unwrap();
    let (before, at_rest) = (process.memory_kib(), process.sockets_out(port)); // nothing was sent to anybody yet
    process.forget_peak();

    lab.publish(1).await;
    let mut wrong = String::new();
    for stand in lab.stands() {
        let attempt = stand.first_attempt(&lab.server).await;
        for complaint in complaints(&stand.case, stand.words(), &attempt) {
            writeln!(wrong, "{} ({}): {complaint}\n    {attempt}", stand.case.line, stand.case.name).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    lab.publish(BURST).await;
    for stand in lab.stands() {
        stand.all_ended_alike(&lab.server, 1 + BURST).await;
    }
    lab.healthy_took_all(1 + BURST).await;
    lab.nobody_followed_a_redirect();

    let peak = process.peak_kib();
    println!(
        "{} receivers, {} events: {before} KiB before, {peak} KiB at most",
        lab.stands().len(),
        1 + BURST
    );
    assert!(peak < before + GROWTH_KIB_MAX, "the server grew from {before} to {peak} KiB");
    let server = lab.close();
    process.sockets_out_fall_to(port, at_rest).await;
    drop(server);
}

/// What an attempt of a case says that it should not.
fn complaints(case: &Case, words: Option<String>, attempt: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |what: &str, holds: bool| {
        if !holds {
            wrong.push(what.to_owned());
        }
    };
    check("another verdict", attempt["verdict"] == case.verdict);
    check("another status", attempt["statusCode"].as_u64() == case.status.map(u64::from));
    check(
        "another kind of failure",
        attempt["failure"]["kind"].as_str() == case.failure.map(|(kind, _)| kind),
    );
    if let Some(words) = words {
        let said = attempt["failure"]["message"].as_str().unwrap_or_default();
        check(&format!("it does not say: {words}"), said == words);
        check("the reason leaves it out", attempt["reason"].as_str().unwrap().contains(&words));
    }
    let body = attempt["reply"]["body"].as_str().unwrap_or_default();
    check("too much of the reply is kept", body.chars().count() <= REPLY_KEPT_BYTES_MAX);
    check(
        "a part of the reply is not said to be missing",
        attempt["reply"]["truncated"] == case.truncated || attempt["reply"].is_null(),
    );
    let total_ms = attempt["timings"]["totalUs"].as_u64().unwrap() / 1_000;
    check("it took longer than its deadline", total_ms <= DEADLINE_MS + LATE_MS);
    if case.verdict == "retry" {
        let (least, most) = case.retry_seconds.unwrap_or(RETRY_SECONDS);
        let at = |field: &str| attempt[field].as_str().unwrap().parse::<Timestamp>().unwrap();
        let pause = at("retryAt").since(at("startedAt")).as_secs();
        check(
            &format!("tried again after {pause} s, not within {least}..={most}"),
            (least..=most + LATE_MS / 1_000).contains(&pause),
        );
    }
    wrong
}
