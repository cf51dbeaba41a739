//! What a server takes at a moment, and whether a lifetime of it took more and more.
//!
//! A lifetime is judged by its last third against its middle one, by their medians: the first third is for caches to fill. More than an eighth above it, and
//! more than the slack of the figure, is a leak.

use std::fmt;

use anyhow::Context as _;
use procfs::process::Process;
use tidings_testkit::TestServer;

/// The figures, each with the slack that it may grow by.
const FIGURES: [(&str, u64); 4] = [("MiB", 8), ("descriptors", 24), ("threads", 4), ("tasks", 48)];
/// A figure may grow by one part in so many.
const PART: u64 = 8;

/// One look at a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample([u64; FIGURES.len()]);

impl Sample {
    /// Looks now.
    pub(super) async fn of(server: &TestServer) -> anyhow::Result<Self> {
        let id = server.id().context("the server has ended by itself")?;
        let process = Process::new(id.cast_signed())?;
        let status = process.status()?;
        let resident = status.vmrss.context("the kernel tells the memory")? / 1_024;
        let tasks = metric(server, "tidings_tasks").await?;
        Ok(Self([resident, process.fd_count()? as u64, status.threads, tasks]))
    }
}

/// One figure of the server's own page.
async fn metric(server: &TestServer, name: &str) -> anyhow::Result<u64> {
    let page = server.get_raw("/metrics").await.text;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let line = line.with_context(|| format!("there is no {name} in the figures"))?;
    line.trim().parse().with_context(|| format!("{name} is {line}"))
}

/// What became of each figure in a lifetime: its median in the middle third and in the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict([(u64, u64); FIGURES.len()]);

impl Verdict {
    /// Of at least three looks.
    pub(super) fn of(samples: &[Sample]) -> Option<Self> {
        let third = samples.len() / 3;
        let (middle, last) = (samples.get(third..2 * third)?, samples.get(2 * third..)?);
        if middle.is_empty() {
            return None;
        }
        Some(Self(std::array::from_fn(|figure| (median(middle, figure), median(last, figure)))))
    }

    /// Whether one of them grew beyond what it may.
    pub(super) fn leaks(&self) -> bool {
        let mut grown = self.0.iter().zip(FIGURES);
        grown.any(|((before, after), (_, slack))| *after > before + slack.max(before / PART))
    }
}

fn median(samples: &[Sample], figure: usize) -> u64 {
    let mut values: Vec<_> = samples.iter().map(|sample| sample.0[figure]).collect();
    values.sort_unstable();
    values[values.len() / 2]
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = self.0.iter().zip(FIGURES);
        let words: Vec<_> = figures
            .map(|((before, after), (name, _))| format!("{before} → {after} {name}"))
            .collect();
        f.write_str(&words.join(", "))?;
        f.write_str(if self.leaks() { ": it leaks" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetime(descriptors: impl Fn(u64) -> u64) -> Verdict {
        let samples: Vec<_> = (0..30).map(|look| Sample([40, descriptors(look), 9, 30])).collect();
        Verdict::of(&samples).unwrap()
    }

    #[test]
    fn what_stays_or_wavers_is_no_leak_and_what_grows_is() {
        assert!(!lifetime(|_| 100).leaks());
        assert!(!lifetime(|look| 100 + 40 * (look % 2)).leaks());
        assert!(!lifetime(|look| 10 + 9 * look.min(10)).leaks(), "a cache that is filled");
        assert!(lifetime(|look| 100 + 5 * look).leaks());
        assert!(lifetime(|look| 100 + 5 * look).to_string().ends_with("it leaks"));
    }

    #[test]
    fn two_looks_say_nothing() {
        assert_eq!(Verdict::of(&[Sample([1; 4]), Sample([1; 4])]), None);
    }
}
