//! Calls of the operating system by name, as strace sees them between the two marks.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::road::Road;
use super::tool::Workshop;

/// How often an event calls the operating system on that road, by name.
pub(super) async fn syscalls(road: &Road, workshop: &Workshop) -> anyhow::Result<BTreeMap<String, f64>> {
    let log = workshop.file("strace", road);
    let mut command = Command::new("strace");
    command.args(["-f", "-qqq", "-s", "8", "--signal=none", "-o"]).arg(&log);
    workshop.watch(command, road).await?;
    let text = fs::read_to_string(&log).with_context(|| format!("strace wrote no {}", log.display()))?;
    let per_event = |(name, calls)| (name, f64::from(calls) / road.events() as f64);
    Ok(between_marks(&text)?.into_iter().map(per_event).collect())
}

/// Counts the calls that begin between the arrivals of the first and the second mark. The thread that takes the marks is left out.
fn between_marks(log: &str) -> anyhow::Result<BTreeMap<String, u32>> {
    let mut marks = 0;
    let mut calls = BTreeMap::new();
    for line in log.lines() {
        let call = line.split_once(' ').unwrap_or_default().1.trim_start();
        if call.contains(r#""mark\n""#) {
            marks += 1;
        } else if marks == 1
            && !call.starts_with("read(0,")
            && let Some((name, _)) = call.split_once('(')
            && name.chars().all(|letter| letter == '_' || letter.is_ascii_alphanumeric())
        {
            *calls.entry(name.to_owned()).or_default() += 1;
        }
    }
    ensure!(marks == 2, "strace saw {marks} marks instead of two");
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_once_between_the_marks_and_without_them() {
        let log = r#"
11 futex(0x7f, FUTEX_WAIT_PRIVATE, 1, NULL <unfinished ...>
12 <... read resumed>"mark\n", 8192) = 5
12 read(0,  <unfinished ...>
11 <... futex resumed>)              = 0
11 epoll_wait(3, [{events=EPOLLIN}], 1024, 5) = 1
13 fdatasync(9 <unfinished ...>
11 epoll_wait(3,  <unfinished ...>
13 <... fdatasync resumed>)          = 0
12 <... read resumed>"mark\n", 8192) = 5
11 futex(0x7f, FUTEX_WAKE_PRIVATE, 1) = 1
"#;
        let calls = between_marks(log).unwrap();
        assert_eq!(calls, BTreeMap::from([("epoll_wait".to_owned(), 2), ("fdatasync".to_owned(), 1)]));
    }

    #[test]
    fn a_log_without_marks_is_an_error() {
        assert!(between_marks("11 futex(0x7f) = 0\n").is_err());
    }
}
