//! What was answered 202 is delivered, whatever happens to nodes that share a database, to their network and to the database. The long forms are
//! `cargo xtask trials`.

use std::io::Write as _;
use std::path::Path;

use tidings_trials::{CutOff, Nodes, cut_off, nodes};

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_nodes_are_killed_or_stopped_and_however_the_database_restarts_every_accepted_event_is_delivered() -> anyhow::Result<()> {
    let seed = fastrand::u64(..1_000_000);
    let outcome = nodes(Path::new(BINARY), Nodes { rounds: 3, seed }).await?;
    assert!(outcome.audit.accepted > 100, "{outcome}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_refuses_sends_nothing_that_others_took_over_and_comes_back() -> anyhow::Result<()> {
    if let Err(missing) = tidings_trials::can_cut_off() {
        writeln!(std::io::stderr(), "skipped: {missing:#}")?; // println! is kept to itself by a test that passes
        return Ok(());
    }
    let (outcome, _) = cut_off(Path::new(BINARY), CutOff { rounds: 1 }).await?;
    assert!(outcome.audit.accepted > 100, "{outcome}");
    Ok(())
}
