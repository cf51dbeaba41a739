//! What the kernel was asked to make durable, and what producers were told in between: the lines of strace, read.
//!
//! Never knows: how the process was started or loaded.

use std::collections::HashMap;

use serde::Serialize;

/// The tracer, up to where it writes. It becomes the process that it traces (`-D`), and stops it only at these calls (`--seccomp-bpf`).
pub(crate) const TRACER: [&str; 8] = [
    "strace",
    "-D",
    "-f",
    "-ttt",
    "--seccomp-bpf",
    "-etrace=fsync,fdatasync,write,writev,sendto,sendmsg",
    "-s16",
    "-o",
];
/// What an answer to an accepted event begins with.
const ACCEPTED: &str = "\"HTTP/1.1 202";

/// What was seen in a part of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Seen {
    /// fsyncs and fdatasyncs that were done.
    pub(crate) syncs: u64,
    /// Answers 202 that were given.
    pub(crate) accepted: u64,
    /// Answers 202 before which no sync had both begun and been done since the answer before them. Says something only where one producer waits for
    /// each answer.
    pub(crate) unproven: u64,
}

/// A line of the trace that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// A sync that took a while is two lines, and others may lie between them.
    SyncBegan,
    SyncEnded,
    SyncWhole,
    Accepted,
}

/// Reads the lines whose time lies between the two, in microseconds since 1970.
pub(crate) fn read(trace: &str, from_us: u64, until_us: u64) -> Seen {
    let mut seen = Seen::default();
    // By thread: whether the sync that it waits for began after the answer before.
    let mut under_way: HashMap<&str, bool> = HashMap::new();
    let mut proven = false;
    for (thread, at_us, call) in trace.lines().filter_map(parse) {
        if !(from_us..until_us).contains(&at_us) {
            continue;
        }
        match call {
            Call::SyncBegan => {
                under_way.insert(thread, true);
            }
            Call::SyncEnded => {
                seen.syncs += 1;
                proven |= under_way.remove(thread) == Some(true);
            }
            Call::SyncWhole => {
                seen.syncs += 1;
                proven = true;
            }
            Call::Accepted => {
                seen.accepted += 1;
                seen.unproven += u64::from(!proven);
                proven = false;
                for fresh in under_way.values_mut() {
                    *fresh = false;
                }
            }
        }
    }
    seen
}

/// The thread, the time, and what happened; nothing when that does not matter.
fn parse(line: &str) -> Option<(&str, u64, Call)> {
    let (thread, rest) = line.split_once(' ')?;
    let (time, rest) = rest.trim_start().split_once(' ')?;
    let (seconds, fraction) = time.split_once('.')?;
    let at_us = seconds.parse::<u64>().ok()? * 1_000_000 + fraction.parse::<u64>().ok()?;
    let began = rest.starts_with("fdatasync(") || rest.starts_with("fsync(");
    let resumed = rest.starts_with("<... fdatasync resumed>") || rest.starts_with("<... fsync resumed>");
    let call = if began && rest.ends_with("<unfinished ...>") {
        Call::SyncBegan
    } else if began && rest.ends_with("= 0") {
        Call::SyncWhole
    } else if resumed && rest.ends_with("= 0") {
        Call::SyncEnded
    } else if !rest.starts_with("<...") && rest.contains(ACCEPTED) {
        Call::Accepted
    } else {
        return None;
    };
    Some((thread, at_us, call))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(trace: &str) -> (u64, u64, u64) {
        let Seen { syncs, accepted, unproven } = read(trace, 0, u64::MAX);
        (syncs, accepted, unproven)
    }

    #[test]
    fn an_answer_after_its_own_sync_is_proven() {
        let trace = "\
7  100.000001 fdatasync(12) = 0
5  100.000002 sendto(9, \"HTTP/1.1 202 Acc\"..., 300, MSG_NOSIGNAL, NULL, 0) = 300
7  100.000003 fdatasync(12 <unfinished ...>
5  100.000004 write(3, \"x\", 1) = 1
7  100.000005 <... fdatasync resumed>) = 0
5  100.000006 writev(9, [{iov_base=\"HTTP/1.1 202 Acc\"..., iov_len=300}], 1) = 300
";
        assert_eq!(seen(trace), (2, 2, 0));
    }

    #[test]
    fn an_answer_before_its_sync_is_not_proven_by_the_sync_of_another() {
        let trace = "\
7  100.000001 fdatasync(12 <unfinished ...>
5  100.000002 sendto(9, \"HTTP/1.1 202 Acc\"..., 300, MSG_NOSIGNAL, NULL, 0) = 300
7  100.000003 <... fdatasync resumed>) = 0
5  100.000004 sendto(9, \"HTTP/1.1 202 Acc\"..., 300, MSG_NOSIGNAL, NULL, 0) = 300
";
        assert_eq!(seen(trace), (1, 2, 2));
    }

    #[test]
    fn a_sync_that_failed_proves_nothing() {
        let trace = "\
7  100.000001 fdatasync(12) = -1 EIO (Input/output error)
5  100.000002 sendto(9, \"HTTP/1.1 202 Acc\"..., 300, MSG_NOSIGNAL, NULL, 0 <unfinished ...>
5  100.000003 <... sendto resumed>) = 300
";
        assert_eq!(seen(trace), (0, 1, 1));
    }

    #[test]
    fn what_lies_before_or_after_does_not_count() {
        let trace = "7 99.000000 fsync(12) = 0\n7 100.000000 fsync(12) = 0\n7 101.000000 fsync(12) = 0\n";
        assert_eq!(read(trace, 100_000_000, 101_000_000).syncs, 1);
    }
}
