//! The write-ahead log of a process that ended without closing its store: what a crash does to it is mended, and what it does not is refused.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use tempfile::TempDir;
use tidings_model::EventId;
use tidings_store::{Start, Store};
use tidings_store_sqlite::{OpenError, SqliteStore, check};

use crate::world::{World, open, options};

const HEAD: u64 = 32;
const FRAME: u64 = 24 + 8_192;

/// The files of a store as they are at this moment, in a folder of their own: what a process that is killed now leaves.
fn killed(world: &World) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["tidings.db", "tidings.db-wal", "tidings.db-shm"] {
        fs::copy(world.path().join(file), folder.path().join(file)).unwrap();
    }
    folder
}

/// Takes away what only a process that is killed leaves, and no machine that loses power.
fn without_power(folder: &TempDir) {
    fs::remove_file(folder.path().join("tidings.db-shm")).unwrap();
}

fn log(folder: &TempDir) -> PathBuf {
    folder.path().join("tidings.db-wal")
}

fn flip(folder: &TempDir, at: u64) {
    let file = File::options().read(true).write(true).open(log(folder)).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
}

fn cut(folder: &TempDir, length: u64) {
    File::options().write(true).open(log(folder)).unwrap().set_len(length).unwrap();
}

/// Where each commit of the log ends.
fn commits(folder: &TempDir) -> Vec<u64> {
    let bytes = fs::read(log(folder)).unwrap();
    let frames = bytes[HEAD as usize..].chunks_exact(FRAME as usize).zip(1_u64..);
    frames
        .filter(|(frame, _)| frame[4..8] != [0; 4])
        .map(|(_, number)| HEAD + number * FRAME)
        .collect()
}

/// A store with events in its log, and what it holds.
async fn busy() -> (World, SqliteStore, Vec<EventId>) {
    let (world, store) = World::new().await;
    let mut events = Vec::new();
    for second in 0..20 {
        events.push(world.append(&store, world.event(second, Start::Due)).await);
    }
    (world, store, events)
}

async fn has(world: &World, store: &SqliteStore, events: &[EventId]) -> usize {
    let mut found = 0;
    for event in events {
        found += usize::from(store.event(world.environment, *event).await.unwrap().is_some());
    }
    found
}

fn refusal(folder: &TempDir) -> String {
    let error = SqliteStore::open(folder.path(), options()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(check(folder.path()).is_err(), "the doctor says so, too");
    error.to_string()
}

#[tokio::test]
async fn what_a_killed_process_leaves_opens_with_everything_and_begins_a_new_log() {
    let (world, _store, events) = busy().await;
    for left in [killed(&world), killed(&world)] {
        let store = open(left.path());
        assert_eq!(has(&world, &store, &events).await, events.len());
        assert_eq!(fs::metadata(log(&left)).unwrap().len(), 0);
    }
    let left = killed(&world);
    without_power(&left);
    assert_eq!(has(&world, &open(left.path()), &events).await, events.len());
}

#[tokio::test]
async fn a_log_that_is_damaged_before_other_commits_is_refused_rather_than_cut_short() {
    let (world, _store, _) = busy().await;
    let left = killed(&world);
    let ends = commits(&left);
    let third_last = ends[ends.len() - 3];
    for at in [HEAD + 24, HEAD + 9, HEAD + 17, HEAD + FRAME * 3 + 500, third_last - 100] {
        let left = killed(&world);
        without_power(&left);
        flip(&left, at);
        let said = refusal(&left);
        assert!(
            said.contains("write-ahead log is broken") && said.contains("tidings backup"),
            "{at}: {said}"
        );
    }
    for at in [0, 5, 17, 28] {
        let left = killed(&world);
        flip(&left, at);
        assert!(refusal(&left).contains("the head of its write-ahead log"), "{at}");
    }
}

#[tokio::test]
async fn a_log_of_a_killed_process_is_refused_when_any_commit_of_it_is_gone() {
    let (world, _store, _) = busy().await;
    let ends = commits(&killed(&world));
    let last = *ends.last().unwrap();
    for length in [HEAD + 1, HEAD + FRAME, ends[ends.len() / 2], last - 1] {
        let left = killed(&world);
        cut(&left, length);
        let said = refusal(&left);
        assert!(
            said.contains("were committed") && said.contains("tidings backup"),
            "{length}: {said}"
        );
    }
    let left = killed(&world);
    flip(&left, last - 1);
    assert!(refusal(&left).contains("were committed"));
}

#[tokio::test]
async fn a_commit_that_a_power_cut_tore_is_not_there_and_everything_before_it_is() {
    let (world, _store, events) = busy().await;
    let ends = commits(&killed(&world));
    let (before, last) = (ends[ends.len() - 2], ends[ends.len() - 1]);
    for tear in [before + 1, before + 30, last - FRAME, last - 1] {
        let left = killed(&world);
        without_power(&left);
        cut(&left, tear);
        assert_eq!(has(&world, &open(left.path()), &events).await, events.len() - 1, "cut at {tear}");
        let left = killed(&world);
        without_power(&left);
        flip(&left, tear - tear % 8 + 8 * u64::from(tear < last - 8));
        assert_eq!(
            has(&world, &open(left.path()), &events).await,
            events.len() - 1,
            "flipped at {tear}"
        );
    }
}
