//! How what cannot start is refused: in words that are said once, and with a status that scripts can tell apart.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tidings_testkit::TestServer;

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");
const ANOTHER_KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// Starts a server on a free port, which does not come up; gives its status and what it said.
fn refused(data: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String) {
    let ended = Command::new(BINARY)
        .env_clear()
        .envs(variables.iter().copied())
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(arguments)
        .output()
        .unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

fn doctor(data: &Path, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let ended = Command::new(BINARY)
        .env_clear()
        .envs(variables.iter().copied())
        .args(["doctor", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .output()
        .unwrap();
    (ended.status.code(), String::from_utf8(ended.stdout).unwrap())
}

/// A data folder on which a server has run.
async fn used() -> TestServer {
    let mut server = TestServer::start(BINARY).await;
    assert_eq!(server.terminate().await, Some(0));
    server
}

#[tokio::test]
async fn a_server_whose_log_cannot_be_written_goes_on() {
    let mut server = TestServer::start(BINARY).await;
    server.stop_reading_its_log().await;
    assert_eq!(server.terminate().await, Some(0), "it logs that it stops");
}

#[test]
fn a_port_that_is_taken_is_69_and_leaves_no_credential_that_nobody_saw() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");

    let ended = Command::new(BINARY)
        .env_clear()
        .args(["serve", "--listen", &address, "--data"])
        .arg(&data)
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(69), "{said}");
    assert!(
        said.contains("cannot listen on") && said.contains("choose another --listen"),
        "{said}"
    );
    assert!(!data.join("tidings.db").exists(), "the next start is still the first");
}

#[test]
fn a_receiver_and_a_demo_end_alike_and_a_secret_that_checks_nothing_is_refused() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = |arguments: &[&str]| {
        let ended = Command::new(BINARY).env_clear().args(arguments).output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    };
    for arguments in [
        ["receive", "--listen", &address].as_slice(),
        &["demo", "--once", "--listen", &address],
    ] {
        let (status, said) = run(arguments);
        assert!(status == Some(69) && said.contains("another program has it"), "{said}");
    }
    for secret in ["", "short"] {
        let (status, said) = run(&["receive", "--listen", &address, "--secret", secret]);
        assert!(status == Some(64) && said.starts_with("tidings: --secret: "), "{said}");
    }
}

#[test]
fn a_backup_of_nothing_is_66_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("backup.db");
    let mut backup = Command::new(BINARY);
    backup
        .env_clear()
        .args(["backup", "--to"])
        .arg(&to)
        .arg("--data")
        .arg(folder.path());
    let ended = backup.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(
        ended.status.code() == Some(66) && said.contains("there is no database in"),
        "{said}"
    );
    assert!(!to.exists());
}

#[tokio::test]
async fn a_data_folder_that_another_server_has_is_75_and_that_server_stays_known() {
    let server = TestServer::start(BINARY).await;

    let (status, said) = refused(server.data(), &[], &[]);

    assert!(status == Some(75) && said.contains("is in use by another process"), "{said}");
    assert!(server.data().join("server.json").exists());
}

#[test]
fn a_data_folder_that_cannot_be_made_is_73_and_said_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();

    let (status, said) = refused(&folder.path().join("file/data"), &[], &[]);

    assert!(status == Some(73), "{said}");
    assert_eq!(said.matches("Not a directory").count(), 1, "{said}");
}

#[test]
fn a_key_that_is_none_is_78_and_one_that_others_can_read_77() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("master.key");
    fs::write(&key, "hunter2").unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let (status, said) = refused(folder.path(), &[], &[]);
    assert!(status == Some(78) && !said.contains("hunter2"), "{said}");
    assert_eq!(said.matches("this text is neither").count(), 1, "{said}");

    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let (status, said) = refused(folder.path(), &[], &[]);
    assert!(status == Some(77) && said.contains("chmod 600"), "{said}");
}

#[tokio::test]
async fn a_key_that_is_gone_or_another_one_is_78_and_the_doctor_says_so_too() {
    let server = used().await;
    let another = [("TIDINGS_MASTER_KEY", ANOTHER_KEY)];

    let (status, said) = refused(server.data(), &another, &[]);
    assert!(status == Some(78) && said.contains("remove one of the two"), "{said}");
    fs::remove_file(server.data().join("master.key")).unwrap();
    let (status, said) = refused(server.data(), &[], &[]);
    assert!(status == Some(78) && said.contains("put master.key back"), "{said}");
    let (status, said) = refused(server.data(), &another, &[]);
    assert!(status == Some(78) && said.contains("sealed with the master key"), "{said}");

    let (status, found) = doctor(server.data(), &another);
    let line = found.lines().find(|line| line.contains("master key")).unwrap();
    assert!(status == Some(1) && line.starts_with("FAIL"), "{found}");
    assert!(line.contains("the secrets of the database are sealed with key"), "{found}");
}

#[tokio::test]
async fn a_damaged_database_is_65() {
    let server = used().await;
    let file = server.data().join("tidings.db");
    let mut bytes = fs::read(&file).unwrap();
    fs::write(&file, "this is no database at all").unwrap();
    let (status, said) = refused(server.data(), &[], &[]);
    assert!(status == Some(65) && said.contains("is damaged"), "{said}");

    // In the schema's history, a row is a name and a checksum, and the second one lies before the first.
    let is_second = |bytes: &[u8]| bytes.starts_with(b"master_key") && bytes.windows(5).any(|bytes| bytes == b"first");
    let row = bytes.windows(64).position(is_second).unwrap();
    bytes[row + b"master_key".len()..][..32].reverse();
    fs::write(&file, &bytes).unwrap();
    let (status, said) = refused(server.data(), &[], &[]);
    assert!(status == Some(65) && said.contains("made by another build"), "{said}");
    assert!(said.contains("If there was none, it is damaged: restore it"), "{said}");
}

/// Runs the binary in a shell where no file may be written to be longer than so many blocks, as on a disk that is full.
fn without_room(blocks: u32, arguments: &[&str]) -> (Option<i32>, String) {
    let script = format!("trap '' XFSZ && ulimit -f {blocks} && exec \"$@\"");
    let ended = Command::new("sh")
        .env_clear()
        .args(["-c", &script, "sh", BINARY])
        .args(arguments)
        .output()
        .unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[tokio::test]
async fn a_full_disk_is_73_wherever_it_is_met() {
    let folder = tempfile::tempdir().unwrap();
    for (blocks, named) in [(0, "master.key"), (64, "tidings.db")] {
        let data = folder.path().join(named);
        let serve = ["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
        let (status, said) = without_room(blocks, &serve);
        assert!(status == Some(73) && said.contains(named), "{status:?} {said}");
    }
    let server = used().await;
    let (data, to) = (server.data().to_str().unwrap(), folder.path().join("backup.db"));
    let (status, said) = without_room(64, &["backup", "--data", data, "--to", to.to_str().unwrap()]);
    assert!(status == Some(73) && !to.exists(), "{status:?} {said}");
    let key = fs::read(server.data().join("master.key")).unwrap();
    for blocks in [0, 64] {
        let (status, said) = without_room(blocks, &["keys", "rotate", "--discard-old-key", "--data", data]);
        assert_eq!(status, Some(73), "{said}");
    }
    assert_eq!(fs::read(server.data().join("master.key")).unwrap(), key, "nothing was changed");
    tidings_store_sqlite::backup(server.data(), &to, |_, _| ()).unwrap();
    let (new, to) = (folder.path().join("new"), to.to_str().unwrap());
    fs::create_dir(&new).unwrap();
    fs::copy(server.data().join("master.key"), new.join("master.key")).unwrap();
    let (status, said) = without_room(64, &["restore", "--data", new.to_str().unwrap(), "--from", to]);
    assert!(status == Some(73) && !new.join("tidings.db").exists(), "{status:?} {said}");
}

#[test]
fn a_file_that_is_named_and_cannot_be_read_is_66_whoever_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let missing = missing.to_str().unwrap();
    for flag in ["--config", "--egress-ca-file"] {
        let (status, said) = refused(folder.path(), &[], &[flag, missing]);
        assert!(status == Some(66) && said.contains(missing), "{said}");
    }
    for variable in ["TIDINGS_CONFIG", "TIDINGS_EGRESS_CA_FILE"] {
        let (status, said) = refused(folder.path(), &[(variable, missing)], &[]);
        assert!(status == Some(66) && said.contains(missing), "{said}");
    }
}

#[test]
fn a_file_that_does_not_hold_what_it_should_is_78_whoever_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "neither settings nor certificates").unwrap();
    let file = file.to_str().unwrap();
    for flag in ["--config", "--egress-ca-file"] {
        let (status, said) = refused(folder.path(), &[], &[flag, file]);
        assert!(status == Some(78) && said.contains(file), "{said}");
    }
    let (status, said) = refused(folder.path(), &[("TIDINGS_EGRESS_CA_FILE", file)], &[]);
    assert!(status == Some(78) && said.contains("TIDINGS_EGRESS_CA_FILE: "), "{said}");
}

#[test]
fn settings_that_cannot_be_are_64_on_the_command_line_and_78_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let (status, said) = refused(folder.path(), &[], &["--egress-allow", "10.0.0.1/8"]);
    assert!(status == Some(64) && said.contains("did you mean 10.0.0.0/8"), "{said}");
    let (status, said) = refused(folder.path(), &[("TIDINGS_EGRESS_ALLOW", "10.0.0.1/8")], &[]);
    assert!(status == Some(78) && said.contains("TIDINGS_EGRESS_ALLOW"), "{said}");
}
