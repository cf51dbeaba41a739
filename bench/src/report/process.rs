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
        let stat = self.read("stat")?;
        let ticks = cpu_ticks(&stat).with_context(|| format!("the kernel's line on {} is not understood: {stat}", self.name))?;
        // Not every kernel counts what is written, nor tells it to everybody.
        let written_bytes = self.read("io").ok().and_then(|text| number(&text, "write_bytes:"));
        Ok(Usage {
            cpu_us: ticks * TICK_US,
            written_bytes: written_bytes.unwrap_or_default(),
        })
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

/// What a process and its children have used, those that have ended with their time alone.
pub(crate) fn family(parent: u32) -> anyhow::Result<Usage> {
    let of = |id: u32, skip: usize| -> Option<Usage> {
        let (stat, io) = (
            fs::read_to_string(format!("/proc/{id}/stat")).ok()?,
            fs::read_to_string(format!("/proc/{id}/io")),
        );
        Some(Usage {
            cpu_us: (0..skip).step_by(2).filter_map(|skip| ticks_after(&stat, 11 + skip)).sum::<u64>() * TICK_US,
            written_bytes: io.ok().and_then(|text| number(&text, "write_bytes:")).unwrap_or_default(),
        })
    };
    let own = of(parent, 4).with_context(|| format!("the process {parent} has ended"))?;
    let others = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children = others.filter(|id| fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| parent_of(&stat) == Some(parent)));
    Ok(children.filter_map(|id| of(id, 2)).fold(own, Add::add))
}

/// The parent of a process.
pub(crate) fn parent(id: u32) -> anyhow::Result<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).with_context(|| format!("there is no process {id} on this machine"))?;
    parent_of(&stat).with_context(|| format!("the kernel's line on {id} is not understood: {stat}"))
}

fn parent_of(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// User and system time from a line of `/proc/PID/stat`. The name of the program comes before it, and may hold spaces and brackets.
fn cpu_ticks(stat: &str) -> Option<u64> {
    ticks_after(stat, 11)
}

/// The sum of the two numbers after so many fields behind the name.
fn ticks_after(stat: &str, fields: usize) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(fields);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
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
    fn the_time_of_a_process_is_found_whatever_its_name() {
        let stat = "4242 (a) b (c) S 1 4242 4242 0 -1 4194560 4111 0 0 0 731 269 0 0 20 0 4 0 5134 222 111 18446744073709551615";
        assert_eq!(cpu_ticks(stat), Some(1_000));
        assert_eq!(cpu_ticks("4242 (x) S 1"), None);
        assert_eq!((parent_of(stat), ticks_after(stat, 13)), (Some(1), Some(0)));
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
