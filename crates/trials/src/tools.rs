//! Programs of the machine that trials are made with, run to their end.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

/// Tools that are not on every machine, with the Debian package that has them.
const TOOLS: [(&str, &str); 8] = [
    ("mount", "mount"),
    ("umount", "mount"),
    ("mkfs.ext4", "e2fsprogs"),
    ("xfs_io", "xfsprogs"),
    ("strace", "strace"),
    ("ip", "iproute2"),
    ("patroni", "patroni"),
    ("etcd", "etcd-server"),
];

/// Runs a tool to its end, in a group of its own: whoever stops the trial does not stop it from being cleaned up.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let ended = match command.process_group(0).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!("{}", missing(&name)),
        ended => ended.with_context(|| format!("cannot run {name}"))?,
    };
    let said = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "{name} failed: {}", said.trim());
    Ok(())
}

fn missing(name: &str) -> String {
    let package = TOOLS.iter().find(|(tool, _)| *tool == name).map_or(name, |(_, package)| package);
    format!("{name} is not on this machine: apt-get install {package}")
}

/// Fails unless a tool is there.
pub(crate) fn need(name: &str) -> anyhow::Result<()> {
    run(Command::new(name).arg("--version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_is_missing_is_named_with_its_package() {
        assert_eq!(missing("xfs_io"), "xfs_io is not on this machine: apt-get install xfsprogs");
        let error = need("no-such-tool-anywhere").unwrap_err().to_string();
        assert!(error.contains("is not on this machine"), "{error}");
    }
}
