//! The first start of a data folder.

use std::net::TcpListener;
use std::process::Command;

#[test]
fn a_first_start_that_cannot_listen_leaves_no_credential_that_nobody_saw() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");

    let ended = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .args(["serve", "--listen", &taken.local_addr().unwrap().to_string(), "--data"])
        .arg(&data)
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("cannot listen on"), "{said}");
    assert!(!data.join("tidings.db").exists(), "the next start is still the first");
}
