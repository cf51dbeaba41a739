//! What `tidings doctor` finds with the real binary, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::UdpSocket;
use std::path::Path;

use tidings_testkit::TestNameServer;
use tokio::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");

/// Looks at a folder of its own, on a port of its own. The status, and what was printed.
async fn doctor(program: &[&str], data: &Path, more: &[&str]) -> (Option<i32>, String) {
    let listen = ["doctor", "--listen", "127.0.0.1:0", "--data"];
    let ended = Command::new(program[0])
        .env_clear()
        .args(&program[1..])
        .args(listen)
        .arg(data)
        .args(more)
        .output()
        .await
        .unwrap();
    (ended.status.code(), String::from_utf8(ended.stdout).unwrap())
}

#[tokio::test]
async fn a_folder_without_room_is_a_failure_that_names_it() {
    let data = tempfile::tempdir().unwrap();
    let (status, said) = doctor(&[BINARY], data.path(), &[]).await;
    assert!(status == Some(0) && said.contains("takes more"), "{said}");
    // No file may grow beyond 64 KiB: as good as a full disk, and without one.
    let limited = ["/bin/sh", "-c", "trap '' XFSZ; ulimit -f 128; exec \"$@\"", "sh", BINARY];
    let (status, said) = doctor(&limited, data.path(), &[]).await;
    let named = said.contains(data.path().to_str().unwrap());
    assert!(status == Some(1) && named && said.contains("takes no more"), "{said}");
    assert_eq!(data.path().read_dir().unwrap().count(), 0, "a doctor only looks");
}

#[tokio::test]
async fn a_name_server_that_does_not_answer_is_a_failure_that_names_it_and_one_that_does_is_not() {
    let data = tempfile::tempdir().unwrap();
    let there = TestNameServer::start().await;
    let answers = there.address().to_string();
    let (status, said) = doctor(&[BINARY], data.path(), &["--egress-resolver", &answers]).await;
    assert!(status == Some(0) && said.contains(&format!("{answers} answers")), "{said}");
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (status, said) = doctor(&[BINARY], data.path(), &["--egress-resolver", &nobody]).await;
    assert!(
        status == Some(1) && said.contains(&format!("the name server {nobody} did not answer")),
        "{said}"
    );
}
