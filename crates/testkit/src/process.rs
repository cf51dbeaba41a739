//! What a process takes of the machine, as Linux tells it under `/proc`.

use std::fs;
use std::time::Duration;

use tidings_runtime::{Clock, SystemClock, TimedOut, within};

/// Longest wait for a process to give something back.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at a process.
const LOOK: Duration = Duration::from_millis(20);

/// A process that runs.
#[derive(Clone, Copy, Debug)]
pub struct Process(u32);

impl Process {
    pub(crate) const fn new(id: u32) -> Self {
        Self(id)
    }

    /// Its memory now, in KiB.
    pub fn memory_kib(self) -> u64 {
        self.status("VmRSS")
    }

    /// The most memory that it has had since the last [`Process::forget_peak`], in KiB.
    pub fn peak_kib(self) -> u64 {
        self.status("VmHWM")
    }

    /// Its peak of memory begins anew. Takes a process of the same user.
    pub fn forget_peak(self) {
        const FORGET_PEAK: &str = "5";
        fs::write(format!("/proc/{}/clear_refs", self.0), FORGET_PEAK).expect("a child of the same user can be told");
    }

    /// Sockets that it has open.
    pub fn sockets(self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.0)).expect("a running process has a folder of open files");
        open.flatten()
            .filter_map(|entry| fs::read_link(entry.path()).ok()) // what is closed meanwhile is not open
            .filter(|target| target.to_string_lossy().starts_with("socket:"))
            .count()
    }

    /// Waits until it has no more than that many sockets open. Panics when it keeps them.
    pub async fn sockets_fall_to(self, most: usize) {
        let clock = SystemClock::new();
        let falling = async {
            while self.sockets() > most {
                clock.sleep(LOOK).await;
            }
        };
        if let Err(TimedOut) = within(&clock, PATIENCE, falling).await {
            panic!("{} sockets are still open, {most} were expected", self.sockets());
        }
    }

    fn status(self, field: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.0)).expect("a running process has a status");
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no {field} in {text}"))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn it_sees_sockets_and_a_peak_that_is_forgotten() {
        let own = Process::new(std::process::id());
        let before = own.sockets();
        let open: Vec<_> = (0..50).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        assert!(own.sockets() >= before + 50 - 10, "other tests close theirs meanwhile");
        drop(open);
        let large = vec![1_u8; 64 * 1024 * 1024];
        let with = own.peak_kib();
        assert!(own.memory_kib() <= with && with >= 64 * 1024, "{}", large.len());
        drop(large);
        own.forget_peak();
        assert!(own.peak_kib() < with, "{} is not less than {with}", own.peak_kib());
    }
}
