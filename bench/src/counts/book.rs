//! The file that the figures are kept in: checked in, so that a change that makes events dearer is a change of this file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::cost::Cost;

const HEAD: &str = "\
# What one event costs, in figures that do not depend on how busy the machine is.
# Written by `cargo run --release -p tidings-bench -- counts --update`. `counts --check` fails when an event costs a tenth more instructions or bytes,
# or 0.6 allocations or system calls more; bench/src/counts/compare.rs says how much of that is chance.
#
# instructions     outside the kernel, on Callgrind's processor, which has AVX2 and no instructions for SHA
# allocations      on the heap, those of SQLite and of the cryptography included; one that grows is one more
# allocated_bytes  that they ask for
# syscalls         by name, as strace sees them. 'write' wakes the runtime from the writer's thread; 'mprotect' is the allocator's, while what is
#                  accepted and not sent gathers in memory
";

/// A section of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// What is measured.
    means: String,
    /// The commit that it was measured at, and what that was about.
    at: String,
    instructions: i64,
    allocations: f64,
    allocated_bytes: i64,
    syscalls: BTreeMap<String, f64>,
}

impl Entry {
    /// Measured now. Digits that say nothing are left out.
    pub(super) fn new(means: &str, cost: &Cost) -> Self {
        let hundredths = |value: f64| (value * 100.0).round() / 100.0;
        let calls = cost.syscalls.iter().map(|(name, calls)| (name.clone(), hundredths(*calls)));
        Self {
            means: means.to_owned(),
            at: commit(),
            instructions: cost.instructions.round() as i64,
            allocations: hundredths(cost.allocations),
            allocated_bytes: cost.allocated_bytes.round() as i64,
            syscalls: calls.filter(|(_, calls)| *calls != 0.0).collect(),
        }
    }

    fn cost(&self) -> Cost {
        Cost {
            instructions: self.instructions as f64,
            allocations: self.allocations,
            allocated_bytes: self.allocated_bytes as f64,
            syscalls: self.syscalls.clone(),
        }
    }
}

/// The file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Book(BTreeMap<String, Entry>);

impl Book {
    /// An empty one where there is none.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        match fs::read_to_string(file) {
            Ok(text) => Self::parse(&text).with_context(|| format!("cannot read {}", file.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        Ok(Self(toml::from_str(text)?))
    }

    /// What a section says.
    pub(super) fn cost(&self, section: &str) -> Option<Cost> {
        self.0.get(section).map(Entry::cost)
    }

    /// The same with other sections beside or instead of its own.
    pub(super) fn with(mut self, entries: impl IntoIterator<Item = (String, Entry)>) -> Self {
        self.0.extend(entries);
        self
    }

    pub(super) fn write(&self, file: &Path) -> anyhow::Result<()> {
        fs::write(file, self.text()?).with_context(|| format!("cannot write {}", file.display()))
    }

    fn text(&self) -> anyhow::Result<String> {
        let mut text = HEAD.to_owned();
        write!(text, "\n{}", toml::to_string(&self.0)?)?;
        Ok(text)
    }
}

/// The commit that is checked out, in one line.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-C", env!("CARGO_MANIFEST_DIR")])
            .args(arguments)
            .output()
            .ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|_| output.status.success())
    };
    let Some(commit) = git(&["log", "-1", "--format=%h %s"]) else {
        return "unknown".to_owned();
    };
    match git(&["status", "--porcelain", "--untracked-files=no", "--", "../crates"]) {
        Some(changes) if changes.is_empty() => commit,
        _ => format!("{commit}, and changes since"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_can_be_read() {
        let cost = Cost {
            instructions: 204_760.6,
            allocations: 108.549,
            allocated_bytes: 45_550.4,
            syscalls: BTreeMap::from([("fsync".to_owned(), 1.0), ("mmap".to_owned(), 0.001)]),
        };
        let book = Book::default().with([("accept".to_owned(), Entry::new("an event", &cost))]);
        let text = book.text().unwrap();
        assert!(
            text.contains("[accept.syscalls]\nfsync = 1.0\n") && !text.contains("mmap"),
            "{text}"
        );
        assert_eq!(Book::parse(&text).unwrap(), book);
        let read = book.cost("accept").unwrap();
        assert_eq!((read.allocations, read.calls("fsync"), read.calls("mmap")), (108.55, 1.0, 0.0));
        assert_eq!(book.cost("deliver"), None);
    }
}
