//! What was answered 202 is delivered, whatever happens to the process and its disk. The long forms are `cargo xtask trials`.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use tidings_testkit::{Behaviour, TestReceiver, TestServer};
use tidings_trials::{Damage, Full, Kills, Power, damage, kills, limited, power};

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_in_the_middle_of_accepting_and_delivering_every_accepted_event_is_delivered() -> anyhow::Result<()> {
    let seed = fastrand::u64(..1_000_000);
    let audit = kills(Path::new(BINARY), Kills { rounds: 20, seed }).await?;
    assert!(audit.accepted > 100, "{audit}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_more_can_be_written_nothing_is_stored_by_half_and_it_goes_on_when_there_is_room() -> anyhow::Result<()> {
    let hold = Duration::from_secs(1);
    limited(Path::new(BINARY), Full { rounds: 2, hold }).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_files_are_refused_or_said_and_no_event_is_gone_or_another_in_silence() -> anyhow::Result<()> {
    let seed = fastrand::u64(..1_000_000);
    damage(Path::new(BINARY), Damage { rounds: 10, seed }).await?.hold()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_takes_nothing_that_was_answered() -> anyhow::Result<()> {
    if let Err(missing) = tidings_trials::can_cut_power() {
        writeln!(std::io::stderr(), "skipped: {missing:#}")?; // println! is kept to itself by a test that passes
        return Ok(());
    }
    let seed = fastrand::u64(..1_000_000);
    power(Path::new(BINARY), Power { cuts: 2, seed }).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_finishes_what_is_under_way_and_keeps_the_rest() {
    let receiver = TestReceiver::start().await;
    receiver.always(Behaviour::status(500));
    let mut server = TestServer::start(BINARY).await;
    server
        .post("/v1/webhooks", &format!(r#"{{"url":"{}","eventKeys":["*"]}}"#, receiver.url("/")))
        .await;
    let accepted = server
        .post("/v1/events", r#"{"eventKey":"frontegg.user.created","payload":{}}"#)
        .await;
    receiver.wait_for(1).await;

    assert_eq!(server.terminate().await, Some(0));
    receiver.always(Behaviour::status(200));
    server.restart().await;
    let received = receiver.wait_for(2).await;

    assert_eq!(received[1].header("webhook-id"), accepted.json["id"].as_str());
}
