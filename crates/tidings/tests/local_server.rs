//! Whom a command trusts when nobody named a server: the one that runs on the data folder, and nobody else on this machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tidings_testkit::TestServer;
use url::Url;

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");

/// Runs a command of somebody who has no credential.
fn tidings(arguments: &[&str], data: &Path) -> Output {
    let mut command = Command::new(BINARY);
    command.env_clear().args(arguments).arg("--data").arg(data);
    command.args(["--timeout-seconds", "1"]).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Listens where a server was, as any user of the machine could.
fn stranger(port: u16) -> TcpListener {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

fn nobody_called(stranger: &TcpListener) -> bool {
    matches!(stranger.accept(), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[tokio::test]
async fn a_stranger_on_the_port_of_a_killed_server_is_told_nothing() {
    let mut server = TestServer::start(BINARY).await;
    let port = Url::parse(server.url()).unwrap().port().unwrap();
    assert!(
        tidings(&["webhooks", "list"], server.data()).status.success(),
        "the folder is enough"
    );
    server.kill().await;
    let stranger = stranger(port);
    assert!(server.data().join("server.json").exists(), "the killed server left its note");

    let asked = tidings(&["webhooks", "list"], server.data());

    assert!(nobody_called(&stranger));
    assert_eq!(asked.status.code(), Some(69), "{}", said(&asked));
    let wanted = format!(
        "no server runs on {0}: start one with `tidings serve --data {0}`, or name one with --server",
        server.data().display()
    );
    assert!(said(&asked).contains(&wanted), "{}", said(&asked));
}

#[tokio::test]
async fn a_stranger_that_is_named_gets_no_token_of_a_running_server() {
    let server = TestServer::start(BINARY).await;
    let stranger = stranger(0);
    let url = format!("http://{}", stranger.local_addr().unwrap());

    let asked = tidings(&["webhooks", "list", "--server", &url], server.data());

    assert!(nobody_called(&stranger));
    assert_eq!(asked.status.code(), Some(77), "{}", said(&asked));
    assert!(said(&asked).contains(server.url()), "{}", said(&asked));
    assert!(
        tidings(&["webhooks", "list", "--server", server.url()], server.data())
            .status
            .success(),
        "the running server may be named, too"
    );
}

#[test]
fn a_folder_that_is_not_there_is_said_and_no_other_server_is_asked() {
    let folder = tempfile::tempdir().unwrap();

    let asked = tidings(&["environments", "list"], &folder.path().join("nothing"));

    assert_eq!(asked.status.code(), Some(69), "{}", said(&asked));
    assert!(said(&asked).contains("no server runs on"), "{}", said(&asked));
}

#[tokio::test]
async fn a_doctor_looks_at_the_running_server_and_says_whose_settings_it_speaks_of() {
    let server = TestServer::start(BINARY).await;
    fs::set_permissions(server.data(), Permissions::from_mode(0o755)).unwrap();

    let found = tidings(&["doctor"], server.data());

    let found = String::from_utf8(found.stdout).unwrap();
    let line = |check: &str| found.lines().find(|line| line.contains(check)).unwrap().to_owned();
    assert!(line("server").contains(&format!("it runs on {}", server.url())), "{found}");
    assert!(line("egress policy").contains("the running server may have others"), "{found}");
    assert!(line("data folder").starts_with("warn") && found.contains("chmod 700"), "{found}");
}

#[test]
fn a_start_says_once_that_others_can_read_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let mut server = Command::new(BINARY)
        .env_clear()
        .args(["serve", "--log-format", "text", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(server.stderr.take().unwrap()).lines().map(Result::unwrap);
    let log: Vec<_> = lines.take_while(|line| !line.contains("listening")).collect();
    server.kill().unwrap();
    server.wait().unwrap();
    let warnings: Vec<_> = log.iter().filter(|line| line.contains("WARN")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("chmod 700"), "{log:?}");
}

#[test]
fn what_is_missing_on_a_command_line_is_named_with_every_way_to_give_it() {
    let folder = tempfile::tempdir().unwrap();
    let asked = tidings(&["events", "send", "frontegg.user.created"], folder.path());
    assert_eq!(asked.status.code(), Some(64));
    assert!(said(&asked).contains("--payload <JSON|@FILE|->|--example"), "{}", said(&asked));
    let asked = tidings(&["test"], folder.path());
    assert!(
        asked.status.code() == Some(64) && said(&asked).contains("<URL>"),
        "{}",
        said(&asked)
    );
    let asked = tidings(&["test", "--url", "https://example.com/"], folder.path());
    assert_eq!(asked.status.code(), Some(69), "it is understood: {}", said(&asked));
}

#[tokio::test]
async fn a_link_for_a_new_password_promises_nothing_to_whoever_is_not_among_the_people() {
    let server = TestServer::start(BINARY).await;
    let mut reset = Command::new(BINARY);
    reset
        .env_clear()
        .args(["people", "reset", "Nobody@example.com", "--data"])
        .arg(server.data());
    let made = reset.output().unwrap();
    assert!(made.status.success() && String::from_utf8_lossy(&made.stdout).contains("/invitation?token="));
    assert!(
        said(&made).starts_with("If nobody@example.com is among the people, they choose a new password with it"),
        "{}",
        said(&made)
    );
}
