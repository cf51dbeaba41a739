//! The machine that a report was made on, and how much of it others used meanwhile.
//!
//! Never knows: what was measured.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use serde::Serialize;

/// What figures of one machine have to be read with.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// Processors that this process may use.
    pub(crate) cores: usize,
    /// What they call themselves.
    pub(crate) processor: String,
    /// Release of the kernel.
    pub(crate) kernel: String,
    /// Memory, in bytes.
    pub(crate) memory_bytes: u64,
    /// The filesystem of the data folders, with its device.
    pub(crate) filesystem: String,
    /// Processes that wanted a processor before the report began, over one, five and fifteen minutes.
    pub(crate) load: String,
}

impl Machine {
    /// This one, for data in that folder.
    pub(crate) fn here(folder: &Path) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let load = read("/proc/loadavg");
        Self {
            cores: available_parallelism().map_or(1, usize::from),
            processor: processor(&read("/proc/cpuinfo")),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_bytes: super::process::number(&read("/proc/meminfo"), "MemTotal:").unwrap_or_default() * 1_024,
            filesystem: filesystem(&read("/proc/self/mountinfo"), folder).unwrap_or_else(|| "unknown".to_owned()),
            load: load.split_ascii_whitespace().take(3).collect::<Vec<_>>().join(" "),
        }
    }

    /// Whether the data folders lie in memory, where an fsync costs nothing.
    pub(crate) fn keeps_data_in_memory(&self) -> bool {
        ["tmpfs", "ramfs"].iter().any(|kind| self.filesystem.starts_with(kind))
    }
}

/// The source that the tools were built from, as far as git knows.
#[derive(Debug, Serialize)]
pub(crate) struct Source {
    /// The commit.
    pub(crate) commit: String,
    /// Whether the working copy held anything else.
    pub(crate) dirty: bool,
}

impl Source {
    /// Of the first of these folders that is part of a working copy.
    pub(crate) fn of<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Self {
        let git = |folder: &Path, arguments: &[&str]| {
            let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            output.status.success().then_some(text)
        };
        let found = folders.into_iter().find_map(|folder| {
            Some(Self {
                commit: git(folder, &["rev-parse", "--short=12", "HEAD"])?,
                dirty: git(folder, &["status", "--porcelain"]).is_none_or(|changes| !changes.is_empty()),
            })
        });
        found.unwrap_or_else(|| Self {
            commit: "unknown".to_owned(),
            dirty: true,
        })
    }
}

/// What all processors did since the machine was started, in hundredths of a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Processors {
    busy: u64,
    stolen: u64,
    all: u64,
}

impl Processors {
    /// Until now.
    pub(crate) fn now() -> Self {
        Self::read(&fs::read_to_string("/proc/stat").unwrap_or_default()).unwrap_or_default()
    }

    fn read(stat: &str) -> Option<Self> {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> = line.split_ascii_whitespace().map_while(|field| field.parse().ok()).collect();
        // user, nice, system, idle, iowait, irq, softirq, steal; what follows is part of the first two.
        let [user, nice, system, idle, waiting, hard, soft, stolen] = *ticks.first_chunk::<8>()?;
        let busy = user + nice + system + hard + soft;
        Some(Self {
            busy,
            stolen,
            all: busy + idle + waiting + stolen,
        })
    }

    /// How much of the processors others had since `before`, in percent, when our own processes used so much of them. Other guests of the host count.
    pub(crate) fn others_percent(&self, before: Self, own_us: u64) -> f64 {
        let own = own_us as f64 / 10_000.0;
        let taken = (self.busy - before.busy) as f64 - own;
        let stolen = (self.stolen - before.stolen) as f64;
        100.0 * super::stats::per(taken.max(0.0) + stolen, (self.all - before.all) as f64)
    }
}

fn processor(cpuinfo: &str) -> String {
    let name = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    let name = name.map(|rest| rest.trim_start_matches([' ', '\t', ':']));
    name.unwrap_or("unknown").to_owned()
}

/// The kind and the source of the filesystem that holds a folder: that of the longest mount point above it.
fn filesystem(mountinfo: &str, folder: &Path) -> Option<String> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (place, source) = line.split_once(" - ")?;
        let place = place.split(' ').nth(4)?.replace("\\040", " ");
        let mut source = source.split(' ');
        let kind = source.next()?;
        folder
            .starts_with(&place)
            .then(|| (place.len(), format!("{kind} on {}", source.next().unwrap_or("nothing"))))
    });
    // Of two on the same place, the later one hides the other.
    mounts.max_by_key(|(length, _)| *length).map(|(_, source)| source)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw
40 27 0:40 / /srv/bench\\040data rw - xfs /dev/vdb rw
41 27 0:41 / /srv/over rw - ext4 /dev/vdc rw
42 41 0:42 / /srv/over rw - tmpfs none rw
";

    #[test]
    fn the_filesystem_of_a_folder_is_that_of_the_nearest_mount_above_it() {
        let of = |folder: &str| filesystem(MOUNTS, Path::new(folder)).unwrap();
        assert_eq!(of("/var/lib/bench"), "ext4 on /dev/vda");
        assert_eq!(of("/dev/shm/bench"), "tmpfs on tmpfs");
        assert_eq!(of("/dev/shmbench"), "ext4 on /dev/vda");
        assert_eq!(of("/srv/bench data/x"), "xfs on /dev/vdb");
        assert_eq!(of("/srv/over/x"), "tmpfs on none");
    }

    #[test]
    fn a_processor_has_its_name_or_none() {
        assert_eq!(
            processor("processor\t: 0\nmodel name\t: Some CPU @ 2.40GHz\n"),
            "Some CPU @ 2.40GHz"
        );
        assert_eq!(processor("processor\t: 0\n"), "unknown");
    }

    #[test]
    fn what_others_had_is_what_neither_idled_nor_was_ours() {
        let before = Processors::read("cpu  100 0 50 1000 10 0 5 0 0 0\ncpu0 1 2 3\n").unwrap();
        let after = Processors::read("cpu  170 0 80 1090 10 0 5 10 0 0\n").unwrap();
        // 200 ticks passed: 90 idle, 100 busy, 10 stolen; 80 of the busy ones were ours.
        assert!((after.others_percent(before, 800_000) - 15.0).abs() < 1e-9);
        assert!((after.others_percent(before, 5_000_000) - 5.0).abs() < 1e-9);
    }
}
