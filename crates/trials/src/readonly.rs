//! The disk turns read-only under a server, and one is started on a disk that is.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;

use crate::disk::Disk;
use crate::ledger::Audit;
use crate::say;
use crate::site::{PATIENCE, Site, taken};

const PRODUCERS: u64 = 6;
const REST: Duration = Duration::from_millis(2);
const DISK_MEBIBYTES: u32 = 256;
const EVENTS_MIN: usize = 200;
const REFUSED_MIN: u64 = 100;
/// The status of a start that cannot write.
const CANNOT_WRITE: i32 = 73;

/// Makes the disk read-only under load, and gives what the ledger says once it can be written again. Needs root.
pub async fn read_only(binary: &Path) -> anyhow::Result<Audit> {
    let mut disk = Disk::image(DISK_MEBIBYTES)?;
    let mut site = Site::open(binary, Some(&disk.data())).await?;
    site.produce(PRODUCERS, REST);
    let goes_on = site.ledger.accepts_more(&site.clock, PATIENCE, EVENTS_MIN).await;
    ensure!(goes_on, "the server accepts nothing");

    disk.fail()?;
    let refuses = site.ledger.is_refused_more(&site.clock, PATIENCE, REFUSED_MIN).await;
    ensure!(refuses, "nothing was refused on a disk that is read-only");
    taken(&site.server.get("/v1/events?limit=200").await)?;
    taken(&site.server.get("/v1/webhooks").await)?;
    let log = site.server.log();
    let told = log.iter().find(|line| line.contains("ERROR") && line.contains("nothing is stored"));
    ensure!(told.is_some(), "the log does not say that nothing is stored: {log:?}");
    say(&format!("read-only: {} requests refused, reads go on", site.ledger.refused_count()));

    site.kill().await;
    match site.try_start().await {
        Ok(()) => anyhow::bail!("a server started on a disk that is read-only"),
        Err(refused) => {
            let said = &refused.said;
            ensure!(refused.status == Some(CANNOT_WRITE), "refused with {:?}: {said}", refused.status);
            ensure!(said.contains("ead-only"), "the refusal does not say why: {said}");
            say(&format!("read-only: a start is refused with {CANNOT_WRITE}: {said}"));
        }
    }

    disk.mount_again()?;
    site.start().await?;
    let audit = site.close_the_books().await?;
    say(&format!("read-only: {audit}"));
    audit.hold()?;
    Ok(audit)
}
