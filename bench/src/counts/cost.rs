//! What an event costs, in figures that one can compare.

use std::collections::BTreeMap;

use super::callgrind::instructions;
use super::heap::heap;
use super::road::Road;
use super::syscalls::syscalls;
use super::tool::Workshop;

/// Calls after which data is on the disk.
const SYNCS: [&str; 3] = ["fsync", "fdatasync", "sync_file_range"];

/// What an event costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cost {
    /// Instructions outside the kernel.
    pub(super) instructions: f64,
    /// Allocations on the heap; one that grows is one more.
    pub(super) allocations: f64,
    /// Bytes that they ask for.
    pub(super) allocated_bytes: f64,
    /// Calls of the operating system by name.
    pub(super) syscalls: BTreeMap<String, f64>,
}

/// Takes the node down that road under every tool. They do not disturb each other: none of them looks at a clock.
pub(super) async fn measure(road: &Road, workshop: &Workshop) -> anyhow::Result<Cost> {
    let (instructions, heap, syscalls) = tokio::try_join!(instructions(road, workshop), heap(road, workshop), syscalls(road, workshop))?;
    Ok(Cost {
        instructions,
        allocations: heap.allocations,
        allocated_bytes: heap.bytes,
        syscalls,
    })
}

impl Cost {
    /// What is left when another is taken away from it.
    pub(super) fn without(&self, other: &Self) -> Self {
        let names = self.syscalls.keys().chain(other.syscalls.keys());
        Self {
            instructions: self.instructions - other.instructions,
            allocations: self.allocations - other.allocations,
            allocated_bytes: self.allocated_bytes - other.allocated_bytes,
            syscalls: names.map(|name| (name.clone(), self.calls(name) - other.calls(name))).collect(),
        }
    }

    /// How often an event makes that call.
    pub(super) fn calls(&self, name: &str) -> f64 {
        self.syscalls.get(name).copied().unwrap_or_default()
    }

    /// How often it calls the operating system at all.
    pub(super) fn all_calls(&self) -> f64 {
        self.syscalls.values().sum()
    }

    /// How often it waits for the disk.
    pub(super) fn syncs(&self) -> f64 {
        SYNCS.iter().map(|name| self.calls(name)).sum()
    }
}
