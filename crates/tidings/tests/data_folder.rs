//! What the commands leave in a data folder, whoever runs them, and what they refuse to take for one of its files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tidings_runtime::{SystemClock, within};
use tidings_testkit::TestServer;

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");
/// Users that own nothing on a machine.
const SERVICE: u32 = 61_001;
const STRANGER: u32 = 61_002;
/// How long a command may take that has nothing to wait for.
const PATIENCE: Duration = Duration::from_secs(60);

fn command(arguments: &[&str], data: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().args(arguments).arg("--data").arg(data);
    command
}

fn run(arguments: &[&str], data: &Path) -> (Option<i32>, String) {
    ended(&mut command(arguments, data))
}

fn ended(command: &mut Command) -> (Option<i32>, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said)
}

/// Runs a command that must not hang.
async fn ends(arguments: &[&str], data: &Path) -> (Option<i32>, String) {
    let mut command = tokio::process::Command::from(command(arguments, data));
    let output = within(
        &SystemClock::new(),
        PATIENCE,
        command.stdin(Stdio::null()).kill_on_drop(true).output(),
    )
    .await;
    let output = output.unwrap_or_else(|_| panic!("{arguments:?} hangs")).unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A data folder on which a server has run.
async fn used() -> TestServer {
    let mut server = TestServer::start(BINARY).await;
    assert_eq!(server.terminate().await, Some(0));
    server
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Gives a folder and what is in it to that user. False: this process may not.
fn give(folder: &Path, user: u32) -> bool {
    let within = files(folder).into_iter().map(|name| folder.join(name));
    within
        .chain([folder.to_owned()])
        .all(|path| chown(path, Some(user), Some(user)).is_ok())
}

fn owners(folder: &Path) -> Vec<(String, u32)> {
    let owner = |name: String| (fs::symlink_metadata(folder.join(&name)).unwrap().uid(), name);
    files(folder).into_iter().map(owner).map(|(owner, name)| (name, owner)).collect()
}

fn backed_up(data: &Path, kept: &Path) -> PathBuf {
    let copy = kept.join("backup.db");
    let (status, said) = run(&["backup", "--to", copy.to_str().unwrap()], data);
    assert_eq!(status, Some(0), "{said}");
    copy
}

#[tokio::test]
async fn whatever_root_does_in_the_folder_of_a_service_stays_the_services() {
    let (server, kept) = (used().await, tempfile::tempdir().unwrap());
    let data = server.data();
    if !give(data, SERVICE) {
        return; // only root can give files away
    }
    let copy = kept.path().join("backup.db");
    for arguments in [
        &["keys", "list"][..],
        &["keys", "rotate", "--discard-old-key"],
        &["verify"],
        &["backup", "--to", copy.to_str().unwrap()],
    ] {
        let (status, said) = run(arguments, data);
        assert_eq!(status, Some(0), "{arguments:?} {said}");
        let others: Vec<_> = owners(data).into_iter().filter(|(_, owner)| *owner != SERVICE).collect();
        assert!(others.is_empty(), "{arguments:?} left {others:?}");
    }

    let restored = tempfile::tempdir().unwrap();
    fs::copy(data.join("master.key"), restored.path().join("master.key")).unwrap();
    assert!(give(restored.path(), SERVICE));
    let (status, said) = run(&["restore", "--from", copy.to_str().unwrap()], restored.path());
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = run(&["keys", "list"], restored.path());
    assert_eq!(status, Some(0), "{said}");
    let wanted = ["master.key", "tidings.db", "tidings.lock"].map(|name| (name.to_owned(), SERVICE));
    assert_eq!(owners(restored.path()), wanted);
    let (status, said) = ended(command(&["keys", "list"], restored.path()).uid(SERVICE).gid(SERVICE));
    assert_eq!(status, Some(0), "{said}");
}

#[tokio::test]
async fn a_folder_of_somebody_else_is_refused_where_its_files_could_not_be_theirs() {
    let (server, kept) = (used().await, tempfile::tempdir().unwrap());
    let copy = backed_up(server.data(), kept.path());
    let folder = tempfile::tempdir().unwrap();
    if !give(folder.path(), SERVICE) {
        return; // only root can act as others
    }
    for open in [kept.path(), folder.path()] {
        fs::set_permissions(open, Permissions::from_mode(0o777)).unwrap();
    }
    fs::set_permissions(&copy, Permissions::from_mode(0o644)).unwrap();
    let key = fs::read_to_string(server.data().join("master.key")).unwrap();
    let mut restore = command(&["restore", "--from", copy.to_str().unwrap()], folder.path());
    let (status, said) = ended(restore.env("TIDINGS_MASTER_KEY", key.trim()).uid(STRANGER).gid(STRANGER));
    assert_eq!(status, Some(77), "{said}");
    assert!(said.contains(&SERVICE.to_string()) && said.contains("as that user"), "{said}");
    assert_eq!(files(folder.path()), [""; 0]);
    let (status, said) = ended(
        command(&["serve", "--listen", "127.0.0.1:0"], folder.path())
            .uid(STRANGER)
            .gid(STRANGER),
    );
    assert_eq!(status, Some(77), "{said}");
    assert_eq!(files(folder.path()), [""; 0]);
}

#[tokio::test]
async fn a_stopped_server_is_looked_at_by_who_may_write_there_and_others_are_told_so() {
    let server = used().await;
    let data = server.data();
    if !give(data, SERVICE) {
        return; // only root can act as others
    }
    fs::set_permissions(data, Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(data.join("tidings.db"), Permissions::from_mode(0o644)).unwrap();
    let before = files(data);
    let (status, said) = ended(command(&["verify"], data).uid(STRANGER).gid(STRANGER));
    assert!(
        status == Some(77) && said.contains("as the user that owns the folder"),
        "{status:?} {said}"
    );
    assert_eq!(files(data), before);
    let (status, said) = ended(command(&["verify"], data).uid(SERVICE).gid(SERVICE));
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(files(data), before);
}

#[tokio::test]
async fn looking_at_a_stopped_server_leaves_its_folder_as_it_was() {
    let (server, kept) = (used().await, tempfile::tempdir().unwrap());
    let before = files(server.data());
    backed_up(server.data(), kept.path());
    for arguments in [&["verify"][..], &["doctor", "--listen", "127.0.0.1:0"]] {
        let (status, said) = run(arguments, server.data());
        assert_eq!(status, Some(0), "{said}");
    }
    assert_eq!(files(server.data()), before);
}

/// Runs a command where the folder is mounted to be read only. `None`: this process may not mount anything.
fn on_a_read_only_mount(arguments: &[&str], data: &Path) -> Option<(Option<i32>, String)> {
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" || exit 200; shift; exec \"$@\"";
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", script, "sh"]).arg(data).arg(BINARY);
    let (status, said) = ended(unshare.args(arguments).arg("--data").arg(data));
    (status != Some(200) && !said.starts_with("unshare:")).then_some((status, said))
}

#[tokio::test]
async fn a_folder_that_can_only_be_read_is_verified_and_backed_up_or_the_reason_is_said() {
    let (mut server, kept) = (used().await, tempfile::tempdir().unwrap());
    let copy = |name: &str| kept.path().join(name).to_str().unwrap().to_owned();
    let Some((status, said)) = on_a_read_only_mount(&["verify"], server.data()) else {
        return; // only root can mount
    };
    assert!(status == Some(0) && said.contains("Nothing is wrong"), "{status:?} {said}");
    let (status, said) = on_a_read_only_mount(&["backup", "--to", &copy("stopped.db")], server.data()).unwrap();
    assert_eq!(status, Some(0), "{said}");

    server.restart().await;
    for arguments in [&["verify"][..], &["backup", "--to", &copy("served.db")]] {
        let (status, said) = on_a_read_only_mount(arguments, server.data()).unwrap();
        assert_eq!(status, Some(0), "{said}");
    }
    let event = r#"{"eventKey":"frontegg.user.created","payload":{"user":{"id":"u"}}}"#;
    assert_eq!(server.post("/v1/events", event).await.status, 202, "it is in the log");
    server.kill().await;
    for arguments in [&["verify"][..], &["backup", "--to", &copy("killed.db")]] {
        let (status, said) = on_a_read_only_mount(arguments, server.data()).unwrap();
        assert_eq!(status, Some(73), "{said}");
        assert!(said.contains("can only be read") && said.contains("tidings.db-wal"), "{said}");
    }
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(path).status().unwrap().success());
}

#[tokio::test]
async fn what_is_no_file_is_refused_at_once_wherever_one_belongs() {
    let (server, kept) = (used().await, tempfile::tempdir().unwrap());
    let fifo = kept.path().join("pipe");
    pipe(&fifo);
    let empty = tempfile::tempdir().unwrap();
    let key = server.data().join("master.key");
    fs::copy(&key, empty.path().join("master.key")).unwrap();
    let nothing = kept.path().join("pipe.old");
    for from in [fifo.to_str().unwrap(), "/dev/zero", kept.path().to_str().unwrap()] {
        let (status, said) = ends(&["restore", "--from", from], empty.path()).await;
        assert!(status == Some(66) && said.contains("is not a file"), "{from}: {status:?} {said}");
        assert_eq!(files(empty.path()), ["master.key"], "{from}");
        let (status, said) = ends(&["verify", "--config", from], empty.path()).await;
        assert!(status == Some(66) && said.contains("is not a file"), "{from}: {status:?} {said}");
    }

    let own = fs::read(&key).unwrap();
    for name in ["master.key", "master.key.next", "tidings.lock", "tidings.db"] {
        let path = server.data().join(name);
        let _ = fs::rename(&path, &nothing); // the next one is not there
        pipe(&path);
        for arguments in [&["keys", "list"][..], &["serve", "--listen", "127.0.0.1:0"]] {
            let (status, said) = ends(arguments, server.data()).await;
            assert!(status == Some(73) && said.contains("is not a file"), "{name}: {status:?} {said}");
        }
        fs::remove_file(&path).unwrap();
        let _ = fs::rename(&nothing, &path);
    }
    assert_eq!(fs::read(&key).unwrap(), own);
    fs::write(&key, vec![b'a'; 1 << 20]).unwrap();
    let (status, said) = ends(&["keys", "list"], server.data()).await;
    assert!(status == Some(78) && said.contains("holds more than a key"), "{said}");
}

#[tokio::test]
async fn a_backup_never_takes_a_name_that_the_server_uses_itself() {
    let server = used().await;
    let before = files(server.data());
    fs::remove_file(server.data().join("tidings.lock")).unwrap();
    for name in [
        "tidings.db-wal",
        "tidings.db-shm",
        "tidings.lock",
        "master.key.next",
        "server.json",
        "tidings.db.new",
    ] {
        let to = server.data().join(name);
        let (status, said) = run(&["backup", "--to", to.to_str().unwrap()], server.data());
        assert!(status == Some(64) && said.contains("a name that the server uses"), "{name}: {said}");
        assert!(!to.exists(), "{name}");
    }
    assert_eq!(run(&["keys", "list"], server.data()).0, Some(0));
    assert_eq!(files(server.data()), before);
}

#[tokio::test]
async fn the_saved_copy_of_an_earlier_try_does_not_stand_in_the_way_and_another_file_is_not_written_over() {
    let (server, kept) = (used().await, tempfile::tempdir().unwrap());
    let copy = kept.path().join("old.key");
    let rotate = ["keys", "rotate", "--save-old-key", copy.to_str().unwrap()];
    fs::write(&copy, "").unwrap();
    let (status, said) = run(&rotate, server.data());
    assert!(status == Some(73) && said.contains("name another file"), "{status:?} {said}");
    fs::copy(server.data().join("master.key"), &copy).unwrap();
    let before = fs::read(&copy).unwrap();
    let (status, said) = run(&rotate, server.data());
    assert!(status == Some(0) && said.contains("is there already"), "{said}");
    assert_eq!(fs::read(&copy).unwrap(), before);
    assert_eq!(files(kept.path()), ["old.key"]);
}

#[tokio::test]
async fn a_key_that_is_kept_elsewhere_is_not_replaced_by_a_file() {
    let (server, kept) = (used().await, tempfile::tempdir().unwrap());
    let (own, elsewhere) = (server.data().join("master.key"), kept.path().join("master.key"));
    fs::copy(&own, &elsewhere).unwrap();
    fs::remove_file(&own).unwrap();
    symlink(&elsewhere, &own).unwrap();
    let (status, said) = run(&["keys", "rotate", "--discard-old-key"], server.data());
    assert!(status == Some(73) && said.contains("is a link"), "{status:?} {said}");
    assert!(fs::symlink_metadata(&own).unwrap().is_symlink());
    let (status, said) = run(&["keys", "list"], server.data());
    assert!(status == Some(0) && !said.contains("retiring"), "{said}");
}

#[tokio::test]
async fn a_next_key_that_is_none_is_shown_by_the_doctor_with_what_to_do() {
    let server = used().await;
    let next = server.data().join("master.key.next");
    fs::write(&next, "hunter2").unwrap();
    fs::set_permissions(&next, Permissions::from_mode(0o600)).unwrap();
    let (status, said) = run(&["doctor", "--listen", "127.0.0.1:0"], server.data());
    let line = said.lines().find(|line| line.contains("master key")).unwrap();
    assert!(
        status == Some(1) && line.starts_with("FAIL") && line.contains("remove it"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
    fs::remove_file(&next).unwrap();
    assert_eq!(run(&["keys", "list"], server.data()).0, Some(0));
}
