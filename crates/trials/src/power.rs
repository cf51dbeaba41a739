//! The power goes: the file system under the server is cut off in the middle of its writes, the process is killed, and the disk mounted again.
//!
//! An answer counts when the client had it before the cut began. While a file system is being shut down, the kernel lets a sync through as done that it
//! gave up, which no disk without power does; what was answered in that moment is told apart, and has to be there whole or not at all.
//!
//! The same is done to a server whose syncs of the write-ahead log do not reach the disk, which is what `synchronous=NORMAL` leaves out. It has to lose
//! something, or a disk that loses nothing would prove nothing.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use tidings_runtime::Clock;

use crate::disk::Disk;
use crate::say;
use crate::site::{PATIENCE, Site};
use crate::tools::need;

const PRODUCERS: u64 = 6;
const REST: Duration = Duration::from_millis(2);
const DISK_MEBIBYTES: u32 = 1_024;
/// Events that are accepted between two cuts, at least.
const EVENTS_MIN: usize = 20;
/// How long the power stays after that, at most, in milliseconds: less than the five seconds after which ext4 writes by itself.
const LIFE_MS: u64 = 1_500;
/// Cuts between two lines of progress.
const LINE: u32 = 10;
/// Times that the control is tried until it loses something: about one cut in ten takes nothing from it.
const CONTROLS: u64 = 4;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Power {
    /// How often the power goes, for the server as it is and for the one whose syncs are swallowed.
    pub cuts: u32,
    /// Decides the moments.
    pub seed: u64,
}

/// What became of one of the two.
#[derive(Clone, Copy, Debug, Default)]
pub struct Losses {
    /// How often the power went.
    pub cuts: u32,
    /// Events that were answered 202.
    pub accepted: usize,
    /// Those that were answered before the cut and gone afterwards.
    pub lost: usize,
    /// Those that were answered while the file system was being shut down and gone afterwards.
    pub torn: usize,
    /// Cuts after which something was gone.
    pub lossy: u32,
    /// Cuts after which the database was refused. Only the control may come to that, and goes on with a new disk.
    pub refused: u32,
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cuts,
            accepted,
            lost,
            torn,
            lossy,
            refused,
        } = self;
        write!(
            f,
            "{cuts} cuts, {accepted} events accepted, {lost} lost, in {lossy} cuts ({torn} more that were answered during a cut), the database refused after {refused}"
        )
    }
}

/// Whether what the server syncs reaches the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Syncs {
    Done,
    /// Those of the write-ahead log are answered as done, and are not.
    Swallowed,
}

/// Cuts the power again and again. Gives what the server lost, which is nothing, and what the control lost, which is something.
pub async fn power(binary: &Path, plan: Power) -> anyhow::Result<(Losses, Losses)> {
    say(&format!("power: {} cuts, seed {}", plan.cuts, plan.seed));
    need("strace")?;
    let kept = series(binary, plan, Syncs::Done).await?;
    say(&format!("power, as it is: {kept}"));
    ensure!(kept.lost == 0, "events that were answered 202 are gone");
    let mut control = Losses::default();
    for again in 0..CONTROLS {
        let seed = plan.seed.wrapping_add(again);
        control = series(binary, Power { seed, ..plan }, Syncs::Swallowed).await?;
        say(&format!("power, syncs of the log swallowed: {control}"));
        if control.lost > 0 {
            break;
        }
    }
    ensure!(
        control.lost > 0,
        "the control lost nothing either: on this machine, this trial proves nothing"
    );
    Ok((kept, control))
}

async fn series(binary: &Path, plan: Power, syncs: Syncs) -> anyhow::Result<Losses> {
    let mut dice = Rng::with_seed(plan.seed);
    let mut losses = Losses::default();
    while losses.cuts < plan.cuts {
        one_disk(binary, plan.cuts, syncs, &mut dice, &mut losses).await?;
    }
    Ok(losses)
}

/// Cuts the power of one disk until all cuts are made, or its database is refused.
async fn one_disk(binary: &Path, cuts: u32, syncs: Syncs, dice: &mut Rng, losses: &mut Losses) -> anyhow::Result<()> {
    let mut disk = Disk::image(DISK_MEBIBYTES)?;
    let mut site = Site::open(binary, Some(&disk.data())).await?;
    if syncs == Syncs::Swallowed {
        ensure!(site.terminate().await == Some(0), "the server did not stop in order");
        swallow_syncs(&mut site)?;
        site.start().await?;
    }
    site.produce(PRODUCERS, REST);
    let before = losses.accepted;
    let mut checked = None;
    while losses.cuts < cuts {
        let goes_on = site.ledger.accepts_more(&site.clock, PATIENCE, EVENTS_MIN).await;
        ensure!(goes_on, "the server accepts nothing any more");
        site.clock.sleep(Duration::from_millis(dice.u64(1..LIFE_MS))).await;
        let answered = site.ledger.accepted_ids();
        site.ledger.excuse(true); // a disk that is going away cannot be read either
        disk.cut_off()?;
        site.kill().await;
        site.ledger.excuse(false);
        disk.mount_again()?;
        losses.cuts += 1;
        if let Err(refused) = site.try_start().await {
            ensure!(syncs == Syncs::Swallowed, "the start was refused: {}", refused.said);
            losses.refused += 1;
            return Ok(());
        }
        let accepted = site.ledger.accepted_ids();
        let stored = site.stored(checked).await?;
        let since = accepted.iter().filter(|id| checked.is_none_or(|checked| **id > checked));
        let gone = since.filter(|id| !stored.contains(id)).copied();
        let (lost, torn): (Vec<_>, Vec<_>) = gone.partition(|id| answered.contains(id));
        for id in &torn {
            site.ledger.forget(*id);
        }
        losses.accepted = before + accepted.len();
        losses.lost += lost.len();
        losses.torn += torn.len();
        losses.lossy += u32::from(!lost.is_empty());
        checked = accepted.last().copied();
        site.open_doors();
        if losses.cuts.is_multiple_of(LINE) {
            say(&format!("{losses}"));
        }
    }
    if syncs == Syncs::Done {
        let audit = site.close_the_books().await?;
        say(&format!("afterwards: {audit}"));
        audit.hold()?;
    }
    Ok(())
}

/// Has strace answer the syncs of the write-ahead log in the kernel's place.
fn swallow_syncs(site: &mut Site) -> anyhow::Result<()> {
    let log = site.server.data().canonicalize()?.join("tidings.db-wal");
    let log = log.to_str().context("the path of the disk is text")?;
    let options = ["-D", "-f", "-qqq", "-o", "/dev/null", "--seccomp-bpf"];
    let inject = ["-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:retval=0", "-P", log];
    site.server.run_under(&[&["strace"], &options[..], &inject[..]].concat());
    Ok(())
}
