//! What the commands leave in a data folder, whoever runs them, and what they refuse to take for one of its files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tidings_testkit::TestServer;

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");
/// Users that own nothing on a machine.
const SERVICE: u32 = 61_001;
const STRANGER: u32 = 61_002;

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
