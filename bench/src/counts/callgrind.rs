//! Instructions: Callgrind executes the node on a processor of its own making, so that neither the load nor the model of the real one is in the figure.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use tokio::process::Command;

use super::road::Road;
use super::tool::Workshop;

/// Has the C library copy long blocks with vector instructions instead of one that repeats, of which Callgrind would count every byte.
const TUNABLES: &str = "glibc.cpu.x86_rep_movsb_threshold=1073741824:glibc.cpu.x86_rep_stosb_threshold=1073741824";

/// Instructions that an event costs on that road. The profile of the measured events stays in the folder.
pub(super) async fn instructions(road: &Road, workshop: &Workshop) -> anyhow::Result<f64> {
    let profile = workshop.file("callgrind", road);
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "-q", "--fair-sched=yes"])
        .args(["--zero-before=*measuring_begins*", "--dump-before=*measuring_ends*"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .env("GLIBC_TUNABLES", TUNABLES);
    workshop.watch(command, road).await?;
    // The first dump is that of the second mark; the one without a number is of what came after it.
    let total = measured(&profile.with_added_extension("1"))?;
    fs::remove_file(&profile)?;
    Ok(total / road.events() as f64)
}

/// All instructions of a profile.
pub(super) fn measured(profile: &Path) -> anyhow::Result<f64> {
    let text = fs::read_to_string(profile).with_context(|| format!("callgrind wrote no {}", profile.display()))?;
    Ok(total(&text)? as f64)
}

fn total(profile: &str) -> anyhow::Result<u64> {
    let line = profile.lines().rev().find_map(|line| line.strip_prefix("totals:"));
    let line = line.context("a profile of callgrind without totals")?;
    line.trim()
        .parse()
        .with_context(|| format!("'{line}' is no number of instructions"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_in_the_last_line_of_a_profile() {
        let profile = "# callgrind format\nversion: 1\nsummary: 7\nfn=(1) main\n3 7\ntotals: 57973685\n";
        assert_eq!(total(profile).unwrap(), 57_973_685);
        assert!(total("fn=(1)").is_err());
    }
}
