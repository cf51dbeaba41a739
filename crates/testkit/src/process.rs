//! What a process takes of the machine, as Linux tells it under `/proc`.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use tidings_runtime::{Clock, SystemClock, TimedOut, within};

/// Longest wait for a process to give something back: longer than a server keeps a connection on which nothing is asked.
const PATIENCE: Duration = Duration::from_secs(60);
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
        self.inodes().len()
    }

    /// Those of them that neither listen on that port nor came in by it.
    pub fn sockets_out(self, port: u16) -> usize {
        let tables = ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/{}/net/{table}", self.0)).unwrap_or_default());
        let came_in: HashSet<_> = tables.iter().flat_map(|table| inodes_by_port(table, port)).collect();
        self.inodes().iter().filter(|inode| !came_in.contains(inode.as_str())).count()
    }

    /// Waits until it has no more than that many sockets open. Panics when it keeps them.
    pub async fn sockets_fall_to(self, most: usize) {
        fall_to(most, || self.sockets()).await;
    }

    /// The same for [`Process::sockets_out`].
    pub async fn sockets_out_fall_to(self, port: u16, most: usize) {
        fall_to(most, || self.sockets_out(port)).await;
    }

    fn inodes(self) -> Vec<String> {
        let open = fs::read_dir(format!("/proc/{}/fd", self.0)).expect("a running process has a folder of open files");
        let targets = open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()); // what is closed meanwhile is not open
        let sockets = targets.filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()));
        sockets.collect()
    }

    fn status(self, field: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.0)).expect("a running process has a status");
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no {field} in {text}"))
    }
}

async fn fall_to(most: usize, count: impl Fn() -> usize) {
    let clock = SystemClock::new();
    let falling = async {
        while count() > most {
            clock.sleep(LOOK).await;
        }
    };
    if let Err(TimedOut) = within(&clock, PATIENCE, falling).await {
        panic!("{} sockets are still open, {most} were expected", count());
    }
}

/// The inodes of the sockets of a table of Linux whose own port is that one.
fn inodes_by_port(table: &str, port: u16) -> impl Iterator<Item = &str> {
    const OWN_ADDRESS: usize = 1;
    const INODE: usize = 9;
    table.lines().skip(1).filter_map(move |line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let (_, own) = columns.get(OWN_ADDRESS)?.rsplit_once(':')?;
        (u16::from_str_radix(own, 16) == Ok(port)).then(|| columns.get(INODE).copied())?
    })
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

    #[test]
    fn sockets_are_told_apart_by_their_own_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0\n\
            \x20  1: 0100007F:C001 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 4243 1 0 20 4 30 10 -1\n";
        assert_eq!(inodes_by_port(table, 8_080).collect::<Vec<_>>(), ["4242"]);
        assert_eq!(inodes_by_port(table, 0xc001).collect::<Vec<_>>(), ["4243"]);
        assert_eq!(inodes_by_port(table, 1).count(), 0);
    }
}
