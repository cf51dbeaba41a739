//! Whether a process has anything to do, as the operating system sees it: what the process itself would have to say would be counted with the rest.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(1);
/// How often a process has to look the same, and asleep, to be at rest.
const LOOKS: usize = 3;

/// Waits until every thread of the process sleeps and goes on sleeping.
pub(super) async fn wait_for(pid: u32) -> anyhow::Result<()> {
    let mut before = None;
    let mut same = 0;
    while same < LOOKS {
        crate::time::pause(PAUSE).await;
        let now = asleep(pid)?;
        same = if now.is_some() && now == before { same + 1 } else { 0 };
        before = now;
    }
    Ok(())
}

/// How often the threads of a process have gone to sleep, by thread; `None` when one of them is awake.
fn asleep(pid: u32) -> anyhow::Result<Option<Vec<String>>> {
    let folder = format!("/proc/{pid}/task");
    let threads = fs::read_dir(&folder).with_context(|| format!("there is no process {pid}"))?;
    let mut switches = Vec::new();
    for thread in threads {
        let Some(count) = switches_when_asleep(&thread?.path()) else {
            return Ok(None);
        };
        switches.push(count);
    }
    Ok(Some(switches))
}

/// How often a thread has given up its processor; `None` when it is awake, or gone.
fn switches_when_asleep(thread: &Path) -> Option<String> {
    let status = fs::read_to_string(thread.join("status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if !field("State:")?.starts_with('S') {
        return None;
    }
    Some(format!(
        "{} {}",
        field("voluntary_ctxt_switches:")?,
        field("nonvoluntary_ctxt_switches:")?
    ))
}
