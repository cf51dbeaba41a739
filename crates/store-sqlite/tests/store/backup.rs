//! Backups of a store that is in use.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use tidings_store::{EventFilter, Page, Start, Store};
use tidings_store_sqlite::{BackupError, backup, check};

use crate::world::{World, database, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_events_come_in_is_whole_and_holds_all_that_was_accepted_before() {
    let (world, store) = World::new().await;
    for second in 0..200 {
        world.append(&store, world.event(second, Start::Due)).await;
    }
    let done = AtomicBool::new(false);
    let writing = async {
        let mut second = 200;
        while !done.load(Ordering::Relaxed) {
            world.append(&store, world.event(second, Start::Due)).await;
            second += 1;
        }
    };
    let target = tempfile::tempdir().unwrap();
    let (from, to) = (world.path().to_owned(), database(target.path()));
    let copying = async {
        let copy = move || {
            let mut steps = Vec::new();
            let report = backup(&from, &to, |copied, total| steps.push((copied, total))).unwrap();
            (report, steps)
        };
        let copied = tokio::task::spawn_blocking(copy).await.unwrap();
        done.store(true, Ordering::Relaxed);
        copied
    };
    let ((), (report, steps)) = tokio::join!(writing, copying);

    assert_eq!(steps.last(), Some(&(report.pages, report.pages)));
    assert_eq!(report.bytes, report.pages * 8_192);
    assert!(check(target.path()).unwrap().faults.is_empty());
    let restored = open(target.path());
    let filter = EventFilter::of(world.environment);
    let events = restored.events(&filter, Page::first(100_000)).await.unwrap();
    assert!(events.len() >= 200);
    let pending = restored.stats(crate::world::START).await.unwrap().pending;
    assert_eq!(pending, events.len() as u64, "every event came with its delivery");
}

#[tokio::test]
async fn a_stopped_store_can_be_backed_up_and_nothing_is_overwritten() {
    let (world, store) = World::new().await;
    let event = world.append(&store, world.event(1, Start::Due)).await;
    store.close().await;
    let target = tempfile::tempdir().unwrap();
    let to = target.path().join("tidings.db");
    backup(world.path(), &to, |_, _| ()).unwrap();
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 1, "nothing half-made is left");

    let before = fs::read(&to).unwrap();
    assert!(matches!(backup(world.path(), &to, |_, _| ()), Err(BackupError::Exists(_))));
    assert_eq!(fs::read(&to).unwrap(), before);
    assert!(open(target.path()).event(world.environment, event).await.unwrap().is_some());
}

#[test]
fn a_folder_without_a_store_cannot_be_backed_up_and_stays_as_it_was() {
    let (from, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let error = backup(from.path(), &target.path().join("copy.db"), |_, _| ()).unwrap_err();
    assert!(matches!(error, BackupError::Source(_)), "{error}");
    assert_eq!(fs::read_dir(from.path()).unwrap().count(), 0);
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn the_database_and_its_copy_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let (world, store) = World::new().await;
    world.append(&store, world.event(1, Start::Due)).await;
    let copy = world.path().join("copy.db");
    backup(world.path(), &copy, |_, _| ()).unwrap();
    for file in [database(world.path()), copy] {
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600,
            "{}",
            file.display()
        );
    }
}
