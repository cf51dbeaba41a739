//! The processes that a report starts: their first line, what they used, and their end, which comes with the value that stands for them.
//!
//! Never knows: what the processes do.

use std::fs;
use std::io;
use std::ops::{Add, Sub};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::time::hold;

/// Microseconds in a tick of `/proc`: Linux tells programs a hundredth of a second, whatever the machine.
const TICK_US: u64 = 10_000;
/// How often to look whether a killed process has gone, and how often at most.
const REAP: (Duration, u32) = (Duration::from_millis(2), 2_500);

/// What a process has used since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Usage {
    /// User and system time, in microseconds, good to ten thousand.
    pub(crate) cpu_us: u64,
    /// Bytes that it made the machine write to disks.
    pub(crate) written_bytes: u64,
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cpu_us: self.cpu_us + other.cpu_us,
            written_bytes: self.written_bytes + other.written_bytes,
        }
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            cpu_us: self.cpu_us.saturating_sub(before.cpu_us),
            written_bytes: self.written_bytes.saturating_sub(before.written_bytes),
        }
    }
}

/// Memory of a process that is in the machine's, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_field_names, reason = "a unit belongs to a name")]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident_bytes: u64,
    /// The part of it that no file stands behind.
    pub(crate) anonymous_bytes: u64,
    /// The most that it ever was.
    pub(crate) peak_bytes: u64,
}

/// A child that is killed when this is dropped.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    lines: Option<Lines<BufReader<ChildStdout>>>,
    id: u32,
}

impl Process {
    /// Starts a process that prints to us, in a group of its own: Ctrl-C reaches the report, and the report ends its children.
    pub(crate) fn spawn(name: &'static str, mut command: Command) -> anyhow::Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let id = child.id().with_context(|| format!("{name} ended at once"))?;
        let lines = child.stdout.take().map(|out| BufReader::new(out).lines());
        Ok(Self { name, child, lines, id })
    }

    /// What people call it.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Its id.
    pub(crate) const fn id(&self) -> u32 {
        self.id
    }

    /// The next line that it prints.
    pub(crate) async fn line(&mut self) -> anyhow::Result<String> {
        let lines = self.lines.as_mut().with_context(|| format!("{} does not print", self.name))?;
        let line = lines.next_line().await?;
        line.with_context(|| format!("{} ended without saying anything", self.name))
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// What it has used; of one that has ended and was not waited for, its time is still told.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let process = procfs::process::Process::new(self.id.cast_signed());
        let used = process.map_err(anyhow::Error::from).and_then(|process| used(&process));
        used.with_context(|| format!("{} has ended", self.name))
    }

    /// The memory that it has.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let status = self.read("status")?;
        let kilobytes = |name| number(&status, name).unwrap_or_default() * 1_024;
        Ok(Memory {
            resident_bytes: kilobytes("VmRSS:"),
            anonymous_bytes: kilobytes("RssAnon:"),
            peak_bytes: kilobytes("VmHWM:"),
        })
    }

    fn read(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.id);
        fs::read_to_string(&path).with_context(|| format!("{} has ended, or {path} cannot be read", self.name))
    }

    /// kill -9, and its end: nothing of it writes or answers afterwards.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.start_kill()?;
        for _ in 0..REAP.1 {
            if self.has_ended() {
                return Ok(());
            }
            hold(REAP.0);
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("{} does not die", self.name)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill(); // one that has ended cannot be killed
    }
}

/// What a process and its children have used; of those that have ended, their time alone.
pub(crate) fn family(parent: u32) -> anyhow::Result<Usage> {
    let parent = procfs::process::Process::new(parent.cast_signed())?;
    let ended = parent.stat().map(|stat| stat.cutime + stat.cstime)?;
    let children = procfs::process::all_processes()?.flatten();
    let children = children.filter(|process| process.stat().is_ok_and(|stat| stat.ppid == parent.pid));
    let all = children.filter_map(|child| used(&child).ok()).fold(used(&parent)?, Add::add);
    Ok(Usage {
        cpu_us: all.cpu_us + ended.unsigned_abs() * TICK_US,
        ..all
    })
}

/// The parent of a process.
pub(crate) fn parent(id: u32) -> anyhow::Result<u32> {
    let stat = procfs::process::Process::new(id.cast_signed()).and_then(|process| process.stat());
    let stat = stat.with_context(|| format!("there is no process {id} on this machine"))?;
    Ok(stat.ppid.cast_unsigned())
}

fn used(process: &procfs::process::Process) -> anyhow::Result<Usage> {
    let stat = process.stat()?;
    Ok(Usage {
        cpu_us: (stat.utime + stat.stime) * TICK_US,
        // Not every kernel counts what is written, nor tells it to everybody.
        written_bytes: process.io().map(|io| io.write_bytes).unwrap_or_default(),
    })
}

/// The number after a name at the beginning of a line.
pub(crate) fn number(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_something_and_its_parent_is_there() {
        let own = std::process::id();
        let alone = used(&procfs::process::Process::myself().unwrap()).unwrap();
        assert!(alone.cpu_us <= family(own).unwrap().cpu_us); // asked later, when it is no less
        assert!(parent(own).unwrap() > 0);
        assert!(parent(u32::MAX >> 1).unwrap_err().to_string().contains("there is no process"));
    }

    #[test]
    fn a_number_is_read_from_the_line_that_begins_with_its_name() {
        let io = "rchar: 9\nwchar: 8\nread_bytes: 4096\nwrite_bytes: 12288\ncancelled_write_bytes: 1\n";
        assert_eq!(number(io, "write_bytes:"), Some(12_288));
        assert_eq!(number("Name:\tx\nVmHWM:\t    5120 kB\n", "VmHWM:"), Some(5_120));
        assert_eq!(number(io, "bytes:"), None);
    }

    #[test]
    fn what_was_used_between_two_looks_is_their_difference() {
        let usage = |cpu_us, written_bytes| Usage { cpu_us, written_bytes };
        assert_eq!(usage(51_000, 8_202) - usage(1_000, 10), usage(50_000, 8_192));
    }

    #[tokio::test]
    async fn a_process_is_gone_when_its_value_is() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo here; exec sleep 600"]);
        let mut process = Process::spawn("a sleeper", command).unwrap();
        assert_eq!(process.line().await.unwrap(), "here");
        assert!(process.usage().is_ok() && process.memory().unwrap().peak_bytes > 0);
        let folder = format!("/proc/{}", process.id());
        drop(process);
        assert!(!std::path::Path::new(&folder).exists());
    }
}
