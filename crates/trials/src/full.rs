//! The disk is full while events are accepted and attempts recorded: nothing is stored by half, reads go on, and so does everything when there is room.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tidings_runtime::{Clock, Stopwatch, TimedOut, within};

use crate::disk::Disk;
use crate::ledger::Audit;
use crate::say;
use crate::site::{PATIENCE, Site, taken};

const PRODUCERS: u64 = 6;
const REST: Duration = Duration::from_millis(2);
const DISK_MEBIBYTES: u32 = 96;
/// Events that are accepted while there is room, at least.
const EVENTS_MIN: usize = 200;
/// Requests that are refused while there is none, at least.
const REFUSED_MIN: u64 = 100;
/// Lines of the log that a full disk is worth: as many at once, and as many for each ten seconds.
const LINES: u64 = 40;
/// Between two looks at the log.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The status of a start that cannot write.
const CANNOT_WRITE: i32 = 73;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Full {
    /// How often the disk fills up.
    pub rounds: u32,
    /// How long it stays full, at least: what is leased longer than three minutes is taken up again.
    pub hold: Duration,
}

/// How it comes that nothing more can be written.
enum Shortage<'a> {
    /// The disk is full.
    Disk(&'a Disk),
    /// The operating system lets no file of the process grow: what can be had without root.
    Limit,
}

impl Shortage<'_> {
    fn begin(&self, site: &Site) -> anyhow::Result<()> {
        match self {
            Self::Disk(disk) => disk.fill(),
            Self::Limit => {
                let log = site.server.data().join("tidings.db-wal");
                limit_files(site, Some(fs::metadata(log)?.len()))
            }
        }
    }

    fn end(&self, site: &Site) -> anyhow::Result<()> {
        match self {
            Self::Disk(disk) => disk.empty(),
            Self::Limit => limit_files(site, None),
        }
    }
}

/// Lets no file of the server grow beyond that, from now on.
fn limit_files(site: &Site, bytes: Option<u64>) -> anyhow::Result<()> {
    let id = site.server.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(id, Resource::Fsize, limit)?;
    Ok(())
}

/// Fills the disk under a server again and again, and gives what the ledger says. Needs root.
pub async fn full(binary: &Path, plan: Full) -> anyhow::Result<Audit> {
    let disk = Disk::memory(DISK_MEBIBYTES)?;
    let mut site = Site::open(binary, Some(&disk.data())).await?;
    rounds(&mut site, &Shortage::Disk(&disk), plan).await?;
    killed_on_a_full_disk(&mut site, &disk).await?;
    close(&mut site, "full").await
}

/// The same without root, and without a start on a full disk: the operating system lets no file of the server grow.
pub async fn limited(binary: &Path, plan: Full) -> anyhow::Result<Audit> {
    let mut site = Site::open(binary, None).await?;
    ensure!(site.terminate().await == Some(0), "the server did not stop in order");
    // What would otherwise end the process is left to be an error of the write.
    site.server.run_under(&["sh", "-c", "trap '' XFSZ && exec \"$@\"", "sh"]);
    site.start().await?;
    rounds(&mut site, &Shortage::Limit, plan).await?;
    close(&mut site, "limited").await
}

async fn close(site: &mut Site, name: &str) -> anyhow::Result<Audit> {
    let audit = site.close_the_books().await?;
    say(&format!("{name}: {audit}"));
    audit.hold()?;
    Ok(audit)
}

async fn rounds(site: &mut Site, shortage: &Shortage<'_>, plan: Full) -> anyhow::Result<()> {
    site.produce(PRODUCERS, REST);
    for round in 1..=plan.rounds {
        accepts(site).await?;
        let before = site.server.log().len();
        let watch = Stopwatch::start(&site.clock);
        shortage.begin(site)?;
        let refuses = site.ledger.is_refused_more(&site.clock, PATIENCE, REFUSED_MIN).await;
        ensure!(refuses, "nothing was refused though there was no room");
        reads(site).await?;
        says_not_ready(site).await?;
        site.clock.sleep(plan.hold).await;
        let log = site.server.log();
        let log = log.get(before..).context("the log was cut")?;
        let tens = watch.elapsed_us(&site.clock) / 10_000_000;
        ensure!(
            log.len() as u64 <= LINES * (1 + tens),
            "{} lines of log for one full disk, the last: {:?}",
            log.len(),
            log.last()
        );
        ensure!(
            log.iter().any(|line| line.contains("ERROR") && line.contains("nothing is stored")),
            "the log does not say that nothing is stored: {log:?}"
        );
        shortage.end(site)?;
        accepts(site).await?;
        is_over(site, before).await?;
        is_ready(site).await?;
        say(&format!(
            "full {round} of {}: {} requests refused so far, {} lines of log, goes on by itself",
            plan.rounds,
            site.ledger.refused_count(),
            log.len()
        ));
    }
    Ok(())
}

/// Waits until the log says that it is over: what fails again before then is the same trouble.
async fn is_over(site: &Site, since: usize) -> anyhow::Result<()> {
    let said = async {
        while !site
            .server
            .log()
            .iter()
            .skip(since)
            .any(|line| line.contains("over: nothing is stored"))
        {
            site.clock.sleep(LOOK_AGAIN).await;
        }
    };
    match within(&site.clock, PATIENCE, said).await {
        Ok(()) => Ok(()),
        Err(TimedOut) => bail!("the log does not say that it is over"),
    }
}

/// Whoever sends traffic here is told that there is no room for it.
async fn says_not_ready(site: &Site) -> anyhow::Result<()> {
    let told = site.server.get_raw("/readyz").await;
    ensure!(
        told.status == 503 && told.text.contains("the store is not available"),
        "/readyz says {}: {}",
        told.status,
        told.text
    );
    Ok(())
}

/// Waits until traffic is wanted again.
async fn is_ready(site: &Site) -> anyhow::Result<()> {
    let said = async {
        while site.server.get_raw("/readyz").await.status != 200 {
            site.clock.sleep(LOOK_AGAIN).await;
        }
    };
    let said = within(&site.clock, PATIENCE, said).await;
    said.map_err(|TimedOut| anyhow::anyhow!("/readyz does not say that it is over"))
}

async fn accepts(site: &Site) -> anyhow::Result<()> {
    let goes_on = site.ledger.accepts_more(&site.clock, PATIENCE, EVENTS_MIN).await;
    ensure!(
        goes_on,
        "the server accepts nothing though there is room; its log ends with: {:?}",
        site.server.log().last()
    );
    Ok(())
}

/// What only reads works whatever the disk says.
async fn reads(site: &Site) -> anyhow::Result<()> {
    for path in [
        "/v1/events?limit=200",
        "/v1/deliveries?limit=200",
        "/v1/webhooks",
        "/v1/event-types",
    ] {
        taken(&site.server.get(path).await).context(path)?;
    }
    Ok(())
}

/// Killed while there is no room, refused while there is none, and well when there is.
async fn killed_on_a_full_disk(site: &mut Site, disk: &Disk) -> anyhow::Result<()> {
    accepts(site).await?;
    disk.fill()?;
    let refuses = site.ledger.is_refused_more(&site.clock, PATIENCE, REFUSED_MIN).await;
    ensure!(refuses, "nothing was refused though there was no room");
    site.kill().await;
    match site.try_start().await {
        Ok(()) => {
            // The log had room for what a start writes.
            say("full: it starts on a full disk");
            reads(site).await?;
            site.kill().await;
        }
        Err(refused) => {
            ensure!(
                refused.status == Some(CANNOT_WRITE),
                "refused with {:?}: {}",
                refused.status,
                refused.said
            );
            ensure!(refused.said.contains("full") || refused.said.contains("space"), "{}", refused.said);
            say(&format!("full: a start is refused with {CANNOT_WRITE}: {}", refused.said));
        }
    }
    disk.empty()?;
    site.start().await?;
    accepts(site).await
}
