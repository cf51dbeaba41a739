//! Restoring backups: all of one or nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use tidings_store::{Start, Store};
use tidings_store_sqlite::{OpenError, RestoreError, RestoreReport, RestoreStep, backup, restore};

use crate::world::{World, at, database, open};

const KEY: [u8; 4] = [1, 2, 3, 4];

/// A backup of a store with 20 events, whose secrets are sealed with [`KEY`], in the folder of that store.
async fn backed_up() -> (World, PathBuf) {
    let (world, store) = World::new().await;
    store.keep_master_key(KEY, at(0)).await.unwrap();
    for second in 0..20 {
        world.append(&store, world.event(second, Start::Due)).await;
    }
    store.close().await;
    let copy = world.path().join("copy.db");
    backup(world.path(), &copy, |_, _| ()).unwrap();
    (world, copy)
}

fn restored(from: &Path, folder: &Path) -> Result<RestoreReport, RestoreError> {
    restore(from, folder, &[KEY], |_| ())
}

/// The names of the files in a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_backup_becomes_the_database_of_a_new_folder_as_it_was() {
    let (world, copy) = backed_up().await;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new/data");
    let steps = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&steps);
    let report = restore(&copy, &folder, &[KEY], move |step| told.lock().push(step)).unwrap();
    assert_eq!(report.newest_event, Some(at(19)));
    assert_eq!(
        (report.schema, report.bytes),
        (report.known_schema, fs::metadata(&copy).unwrap().len())
    );
    let (bytes, of) = (report.bytes, report.bytes);
    assert!(steps.lock().contains(&RestoreStep::Copied { bytes, of }));
    assert_eq!(files(&folder), ["tidings.db", "tidings.lock"]);
    assert_eq!(fs::read(&copy).unwrap(), fs::read(database(&folder)).unwrap());
    let store = open(&folder);
    assert_eq!(store.stats(at(20)).await.unwrap().pending, 20);
    assert!(store.webhook(world.environment, world.webhook).await.unwrap().is_some());
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_restored_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let (_world, copy) = backed_up().await;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o644)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    restored(&copy, folder.path()).unwrap();
    assert_eq!(fs::metadata(database(folder.path())).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn nothing_is_restored_over_a_database_its_log_or_a_running_server() {
    let (world, copy) = backed_up().await;
    let before = fs::read(database(world.path())).unwrap();
    assert!(matches!(restored(&copy, world.path()), Err(RestoreError::Exists(_))));
    assert_eq!(fs::read(database(world.path())).unwrap(), before);

    let store = open(world.path());
    let refused = restored(&copy, world.path()).unwrap_err();
    assert!(matches!(refused, RestoreError::Folder(OpenError::InUse { .. })), "{refused}");
    store.close().await;

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tidings.db-wal"), "accepted events").unwrap();
    assert!(matches!(restored(&copy, folder.path()), Err(RestoreError::Exists(file)) if file.ends_with("tidings.db-wal")));
    assert_eq!(files(folder.path()), ["tidings.db-wal", "tidings.lock"]);
}

#[tokio::test]
async fn a_backup_whose_key_is_not_at_hand_is_refused_by_the_names_of_both() {
    let (_world, copy) = backed_up().await;
    let folder = tempfile::tempdir().unwrap();
    for (given, words) in [(&[][..], "there is none"), (&[[9, 9, 9, 9]], "at hand is 09090909")] {
        let refused = restore(&copy, folder.path(), given, |_| ()).unwrap_err().to_string();
        assert!(refused.contains("the master key 01020304") && refused.contains(words), "{refused}");
    }
    assert_eq!(files(folder.path()), ["tidings.lock"]);
}

#[tokio::test]
async fn what_is_not_a_whole_backup_leaves_nothing_behind() {
    let (world, copy) = backed_up().await;
    let whole = fs::read(&copy).unwrap();
    let bad = world.path().join("bad.db");
    let connection = Connection::open(&copy).unwrap();
    let root = |name: &str| -> usize {
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
        connection.query_row(sql, [name], |row| row.get(0)).unwrap()
    };
    let mut overwritten = whole.clone();
    overwritten[(root("events") - 1) * 8_192..root("events") * 8_192].fill(0xaa);
    for (bytes, what) in [
        (Vec::new(), "nothing"),
        (whole[..whole.len() / 2].to_vec(), "a half"),
        (b"These bytes were never a database. ".repeat(1_000), "something else"),
        (overwritten, "a page that was overwritten"),
    ] {
        fs::write(&bad, bytes).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let refused = restored(&bad, folder.path()).unwrap_err();
        assert!(
            matches!(&refused, RestoreError::Damaged { file, .. } if *file == bad),
            "{what}: {refused}"
        );
        assert_eq!(files(folder.path()), ["tidings.lock"], "{what}");
    }
    let missing = restored(&world.path().join("missing.db"), tempfile::tempdir().unwrap().path()).unwrap_err();
    assert!(matches!(missing, RestoreError::Unreadable { .. }), "{missing}");
}

#[tokio::test]
async fn a_backup_of_a_newer_version_and_a_copy_of_a_database_in_use_are_refused() {
    let (world, copy) = backed_up().await;
    let folder = tempfile::tempdir().unwrap();
    let with_log = world.path().join("copied-by-hand.db");
    fs::copy(&copy, &with_log).unwrap();
    fs::write(world.path().join("copied-by-hand.db-wal"), "what was accepted last").unwrap();
    assert!(matches!(restored(&with_log, folder.path()), Err(RestoreError::HasLog { .. })));

    let connection = Connection::open(&copy).unwrap();
    let later = "INSERT INTO migrations (version, name, checksum, applied_at) VALUES (999, 'later', zeroblob(32), 0)";
    connection.execute(later, []).unwrap();
    drop(connection);
    assert!(matches!(
        restored(&copy, folder.path()),
        Err(RestoreError::Newer { found: 999, .. })
    ));
    assert_eq!(files(folder.path()), ["tidings.lock"]);
}

#[tokio::test]
async fn what_an_interrupted_restore_left_is_in_nobodys_way() {
    let (_world, copy) = backed_up().await;
    let folder = tempfile::tempdir().unwrap();
    for left in ["tidings.db.new", "tidings.db.new-wal", "tidings.db.new-shm"] {
        fs::write(folder.path().join(left), "half of something").unwrap();
    }
    restored(&copy, folder.path()).unwrap();
    assert_eq!(files(folder.path()), ["tidings.db", "tidings.lock"]);
}
