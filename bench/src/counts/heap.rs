//! Allocations and their bytes: Massif stands in for the allocator of the C library, and so sees those of SQLite too, which a counting allocator of Rust's
//! would not.

use std::fs;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::node::{BEGINS_BYTES, ENDS_BYTES};
use super::road::Road;
use super::tool::Workshop;

/// What an event takes from the heap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Heap {
    /// How often.
    pub(super) allocations: f64,
    /// How much.
    pub(super) bytes: f64,
}

/// What an event takes on that road. Massif tells of each allocation as it is made; the node makes one of a telling size at each mark.
pub(super) async fn heap(road: &Road, workshop: &Workshop) -> anyhow::Result<Heap> {
    let log = workshop.file("massif", road);
    let mut command = Command::new("valgrind");
    command
        .args([
            "--tool=massif",
            "--fair-sched=yes",
            "--trace-malloc=yes",
            "--massif-out-file=/dev/null",
        ])
        .arg(format!("--log-file={}", log.display()));
    workshop.watch(command, road).await?;
    let text = fs::read_to_string(&log).with_context(|| format!("massif wrote no {}", log.display()))?;
    let (allocations, bytes) = between_marks(&text)?;
    let events = road.events() as f64;
    Ok(Heap {
        allocations: allocations as f64 / events,
        bytes: bytes as f64 / events,
    })
}

/// How many allocations there are between those of the two marks, and how many bytes they ask for.
fn between_marks(log: &str) -> anyhow::Result<(u64, u64)> {
    let asked = log.lines().filter_map(asked_for);
    let mut measured = asked.skip_while(|bytes| *bytes != BEGINS_BYTES as u64).skip(1);
    let (mut allocations, mut bytes) = (0, 0);
    let ended = measured.by_ref().any(|asked| {
        let ends = asked == ENDS_BYTES as u64;
        allocations += u64::from(!ends);
        bytes += if ends { 0 } else { asked };
        ends
    });
    ensure!(
        ended,
        "massif did not see both marks: is the program's allocator still that of the C library?"
    );
    Ok((allocations, bytes))
}

/// The bytes that a line such as `--1-- malloc(96) = 0x4B3BE30` tells of, when it tells of an allocation.
fn asked_for(line: &str) -> Option<u64> {
    let call = line.strip_prefix("--")?.split_once("-- ")?.1;
    let (name, rest) = call.split_once('(')?;
    let mut numbers = rest.split_once(')')?.0.split([',', ' ']).filter_map(|word| word.parse().ok());
    match name {
        "malloc" => numbers.next(),
        "calloc" => Some(numbers.next()? * numbers.next()?),
        "realloc" => numbers.next_back(), // after the address, which is no decimal number
        "memalign" => numbers.nth(1),     // after the alignment
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_allocate_tells_how_much() {
        let lines = [
            ("--26289-- malloc(96) = 0x4B3BE30", Some(96)),
            ("--26289-- calloc(18,16) = 0x4BDE5E0", Some(288)),
            ("--26289-- realloc(0x4B3BE30,128) = 0x4B3C1D0", Some(128)),
            ("--26289-- realloc(0x0,64)malloc(64) = 0x4B3C1D0", Some(64)),
            ("--26289-- memalign(al 128, size 768) = 0x4B3C1D0", Some(768)),
            ("--26289-- free(0x4B3BBD0)", None),
            ("==26289== Command: a malloc(1)", None),
        ];
        for (line, asked) in lines {
            assert_eq!(asked_for(line), asked, "{line}");
        }
    }

    #[test]
    fn only_what_is_between_the_marks_counts() {
        let line = |bytes: usize| format!("--1-- malloc({bytes}) = 0x4B3BE30\n");
        let log = [8, BEGINS_BYTES, 16, 32, ENDS_BYTES, 64].map(line).concat();
        assert_eq!(between_marks(&log).unwrap(), (2, 48));
        assert!(between_marks(&[8, BEGINS_BYTES, 16].map(line).concat()).is_err());
    }
}
