//! The data folder, its key, its database, and whether the clock fits them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use tidings_model::Timestamp;
use tidings_runtime::Clock;
use tidings_signing::{GIVE_OLD_KEY, KeyId};
use tidings_store_sqlite::{CheckReport, OpenError};

use super::Finding;
use crate::config::ServeConfig;
use crate::data_folder::{DATABASE_FILE, DataFolderError, is_open_to_others};
use crate::key_files::{KEY_FILE, keys_at_hand, read_key};

/// No clock that is set shows a time before this: the year 2025.
const EARLIEST: Timestamp = Timestamp::from_seconds(1_735_689_600);
/// How much later than now a file may have been written: file systems round.
const CLOCK_SLACK: Duration = Duration::from_secs(5);

/// Whether there is room for what the server writes; nothing where the folder cannot be used anyway.
pub(super) fn room(path: &Path) -> Option<Finding> {
    const CHECK: &str = "room";
    tempfile::tempfile_in(path).ok()?;
    Some(match tidings_store_sqlite::try_room(path) {
        Ok(()) => Finding::ok(CHECK, "the file system of the data folder takes more"),
        Err(error) => Finding::fail(
            CHECK,
            format!(
                "the file system of {} takes no more ({error}): make room; nothing is accepted until there is some",
                path.display()
            ),
        ),
    })
}

/// Whether the folder can be used.
pub(super) fn folder(path: &Path) -> Finding {
    const CHECK: &str = "data folder";
    let shown = path.display();
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Finding::ok(CHECK, format!("{shown} is not there yet; the first start makes it"))
        }
        Err(error) => Finding::fail(CHECK, format!("{shown} cannot be looked at: {error}")),
        Ok(metadata) if !metadata.is_dir() => Finding::fail(CHECK, format!("{shown} is not a folder: choose another with --data")),
        // A file without a name shows whether one could be written, and leaves nothing behind.
        Ok(_) => match tempfile::tempfile_in(path) {
            Err(error) => Finding::fail(CHECK, format!("{shown} cannot be written by this user: {error}")),
            Ok(_) if is_open_to_others(path) => Finding::warn(CHECK, format!("{shown} can be read by others: run `chmod 700 {shown}`")),
            Ok(_) => Finding::ok(CHECK, format!("{shown} can be written, and read by its owner alone")),
        },
    }
}

/// Whether the master key is there and fits: `needed` are the ids of the keys that something in the database is sealed with, the one that seals first.
pub(super) fn master_key(config: &ServeConfig, needed: &[KeyId]) -> Finding {
    const CHECK: &str = "master key";
    let at_hand = match keys_at_hand(
        &config.data,
        config.master_key.as_ref(),
        config.old_master_key.as_ref(),
        config.database.is_some(),
    ) {
        Ok(Some(at_hand)) => at_hand,
        Ok(None) if config.database.is_some() && !needed.is_empty() => {
            let folder = config.data.clone();
            return Finding::fail(CHECK, DataFolderError::KeyElsewhere { folder }.to_string());
        }
        Ok(None) if config.database.is_none() && config.data.join(DATABASE_FILE).exists() => {
            let words =
                format!("there is a database but no key for its secrets: put {KEY_FILE} back from your backup, or set TIDINGS_MASTER_KEY");
            return Finding::fail(CHECK, words);
        }
        Ok(None) => return Finding::ok(CHECK, "the first start makes one"),
        Err(DataFolderError::NextIsNone { path }) => return Finding::fail(CHECK, next_is_none(config, needed, &path)),
        Err(error) => return Finding::fail(CHECK, error.to_string()),
    };
    let key = at_hand.current.id();
    let place = match config.master_key {
        Some(_) => "is configured".to_owned(),
        None => format!("in {KEY_FILE}"),
    };
    match needed {
        [kept, ..] if !at_hand.ids().any(|id| id == *kept) => Finding::fail(
            CHECK,
            format!(
                "key {key} {place}, but the secrets of the database are sealed with key {kept}: put that one back from your backup, or give it as TIDINGS_OLD_MASTER_KEY to go over to {key}"
            ),
        ),
        [_, before @ ..] if let Some(missing) = before.iter().find(|needed| !at_hand.ids().any(|id| id == **needed)) => Finding::fail(
            CHECK,
            format!("key {key} {place}, but a part of the secrets is still sealed with key {missing}, which is not given: {GIVE_OLD_KEY}"),
        ),
        [kept, before @ ..] if *kept != key || !before.is_empty() => {
            Finding::ok(CHECK, format!("it is being changed to {key}; the next start goes on with it"))
        }
        _ => Finding::ok(CHECK, format!("key {key} {place}; keep a copy of it somewhere else")),
    }
}

/// What to do about a next key that is none: it takes no place when nothing is sealed with it.
fn next_is_none(config: &ServeConfig, needed: &[KeyId], path: &Path) -> String {
    let own = read_key(&config.data).ok().flatten().map(|own| own.id());
    let shown = path.display();
    match needed.iter().find(|needed| Some(**needed) != own) {
        None => format!("{shown} holds no key, and everything is sealed with the one in {KEY_FILE}: remove it"),
        Some(lost) => format!(
            "{shown} holds no key, and secrets of the database are sealed with key {lost}: put that one back from your backup, as that file; if there is none, \
             restore a backup of the database that was made before the key was changed"
        ),
    }
}

/// Reads the whole database; `None` when there is none.
pub(super) async fn read(folder: PathBuf) -> Option<Result<CheckReport, OpenError>> {
    folder.join(DATABASE_FILE).exists().then_some(())?;
    let read = tokio::task::spawn_blocking(move || tidings_store_sqlite::check(&folder)).await;
    Some(read.expect("a check does not panic, and nobody cancels it"))
}

/// Whether the database is whole. `served`: a server has the folder.
pub(super) fn store(read: Option<Result<CheckReport, OpenError>>, served: bool) -> Finding {
    const CHECK: &str = "store";
    match read {
        None if served => Finding::warn(
            CHECK,
            "the server that runs on this folder keeps its store elsewhere: give the doctor the settings that it was started with (TIDINGS_DATABASE)",
        ),
        None => Finding::ok(CHECK, "there is no database yet; the first start makes it"),
        Some(Err(error)) => Finding::fail(CHECK, error.to_string()),
        Some(Ok(report)) if !report.faults.is_empty() => Finding::fail(
            CHECK,
            format!(
                "the database is damaged ({}): restore it from a copy made by `tidings backup`",
                report.faults.join("; ")
            ),
        ),
        Some(Ok(report)) if report.schema < report.known_schema => Finding::ok(
            CHECK,
            format!(
                "every page is whole; the next start brings schema {} to {}",
                report.schema, report.known_schema
            ),
        ),
        Some(Ok(report)) => Finding::ok(
            CHECK,
            format!(
                "every page is whole; schema {}; `tidings verify` looks at what is in them",
                report.schema
            ),
        ),
    }
}

/// Whether the time can be right: retries and signatures depend on it.
pub(super) fn clock(folder: &Path, clock: &dyn Clock) -> Finding {
    const CHECK: &str = "clock";
    let now = clock.now();
    if now < EARLIEST {
        return Finding::fail(
            CHECK,
            format!("it shows {now}: receivers will refuse signatures; set it, best by NTP"),
        );
    }
    let written = fs::metadata(folder.join(DATABASE_FILE)).and_then(|metadata| metadata.modified());
    let written = written.ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    match written.map(|since| Timestamp::from_millis(since.as_millis().try_into().unwrap_or(i64::MAX))) {
        Some(at) if at > now + CLOCK_SLACK => Finding::warn(
            CHECK,
            format!("it shows {now}, but the database was written at {at}: one of the two is wrong, and retries may wait for it"),
        ),
        _ => Finding::ok(CHECK, format!("it shows {now}")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tidings_runtime::ManualClock;

    use super::super::Level;
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_fails_and_one_behind_the_database_is_worth_a_word() {
        let data = tempfile::tempdir().unwrap();
        let at = |seconds| clock(data.path(), &ManualClock::at(Timestamp::from_seconds(seconds))).level;
        assert_eq!((at(0), at(1_800_000_000)), (Level::Fail, Level::Ok));
        let file = fs::File::create(data.path().join(DATABASE_FILE)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_900_000_000)).unwrap();
        assert_eq!((at(1_800_000_000), at(1_900_000_000)), (Level::Warn, Level::Ok));
    }

    #[test]
    fn a_folder_that_others_can_read_is_worth_a_word_and_a_file_in_its_place_fails() {
        let data = tempfile::tempdir().unwrap();
        fs::set_permissions(data.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let finding = folder(data.path());
        assert_eq!(finding.level, Level::Warn);
        assert!(finding.message.contains("chmod 700"), "{}", finding.message);
        fs::set_permissions(data.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(folder(data.path()).level, Level::Ok);
        let file = data.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(folder(&file).level, Level::Fail);
    }
}
