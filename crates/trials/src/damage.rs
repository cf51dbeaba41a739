//! Bytes of a stopped server's data are flipped or cut off, at places that the seed decides. The next start is refused with advice, has every event, or says
//! what is wrong; what is missing or different without a word is the one outcome that may not be.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use fastrand::Rng;
use tempfile::TempDir;
use tidings_model::EventId;
use tidings_runtime::{Clock as _, TimedOut, within};

use crate::ledger::payload;
use crate::say;
use crate::site::{PATIENCE, Site};

const PRODUCERS: u64 = 6;
const REST: Duration = Duration::from_millis(1);
/// Events that the data holds before it is damaged.
const EVENTS: usize = 2_000;
/// What the server says when it has looked its store through, and what is in it when nothing was found.
const LOOKED: &str = "looked the store through";
const NOTHING_FOUND: &str = "\"found\":0";
/// Between two looks at the log.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Rounds between two lines of progress.
const LINE: u32 = 20;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Damage {
    /// How often.
    pub rounds: u32,
    /// Decides the places.
    pub seed: u64,
}

/// How often what came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    /// The start was refused, and the refusal names the backup.
    pub refused: u32,
    /// The server started, and has every event as it was sent.
    pub whole: u32,
    /// The server started, and says of something that it cannot be read.
    pub told: u32,
    /// The server started, and an event is gone without a word.
    pub lost: u32,
    /// The server started, and an event is another one.
    pub altered: u32,
    /// What the last two were made by, in words.
    pub silent: Vec<String>,
}

impl Outcomes {
    /// Fails when something was gone or another without a word.
    ///
    /// # Errors
    /// With what it was made by.
    pub fn hold(&self) -> anyhow::Result<()> {
        ensure!(self.silent.is_empty(), "{self}: {}", self.silent.join("; "));
        Ok(())
    }
}

impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} refused with advice, {} with every event, {} that say what they cannot read, {} with an event gone, {} with an event altered",
            self.refused, self.whole, self.told, self.lost, self.altered
        )
    }
}

/// Damages the data of a killed server again and again.
pub async fn damage(binary: &Path, plan: Damage) -> anyhow::Result<Outcomes> {
    say(&format!("damage: {} rounds, seed {}", plan.rounds, plan.seed));
    let mut dice = Rng::with_seed(plan.seed);
    let data = tempfile::tempdir()?;
    let mut site = Site::open(binary, Some(data.path())).await?;
    site.produce(PRODUCERS, REST);
    let enough = site.ledger.accepts_more(&site.clock, PATIENCE, EVENTS).await;
    ensure!(enough, "the server accepts nothing");
    // A restart in order in between, so that a part of the data is in the database and a part in its log.
    ensure!(site.terminate().await == Some(0), "the server did not stop in order");
    site.start().await?;
    let enough = site.ledger.accepts_more(&site.clock, PATIENCE, EVENTS).await;
    ensure!(enough, "the server accepts nothing");
    site.finish_producing().await?;
    site.kill().await;
    let accepted = site.ledger.accepted_numbers();
    let copy = Copy::of(data.path())?;

    let mut outcomes = Outcomes::default();
    for round in 1..=plan.rounds {
        copy.put_back(data.path())?;
        let done = harm(data.path(), &mut dice)?;
        meet(&mut site, &accepted, &done, &mut outcomes).await?;
        if round % LINE == 0 {
            say(&format!("{round} of {} rounds: {outcomes}", plan.rounds));
        }
    }
    say(&format!("{} times damaged: {outcomes}", plan.rounds));
    for words in &outcomes.silent {
        say(&format!("  {words}"));
    }
    Ok(outcomes)
}

/// The files of a data folder as they were.
struct Copy(TempDir);

impl Copy {
    fn of(data: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        copy_files(data, folder.path())?;
        Ok(Self(folder))
    }

    fn put_back(&self, data: &Path) -> anyhow::Result<()> {
        for file in fs::read_dir(data)? {
            fs::remove_file(file?.path())?;
        }
        copy_files(self.0.path(), data)
    }
}

fn copy_files(from: &Path, to: &Path) -> anyhow::Result<()> {
    for file in fs::read_dir(from)? {
        let file = file?;
        fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}

/// Flips a bit or a sector, or cuts the file off, in the database or its log. Says what it did.
fn harm(data: &Path, dice: &mut Rng) -> anyhow::Result<String> {
    let name = if dice.bool() { "tidings.db" } else { "tidings.db-wal" };
    let path: PathBuf = data.join(name);
    let file = File::options()
        .read(true)
        .write(true)
        .open(&path)
        .with_context(|| format!("there is no {name}"))?;
    let length = file.metadata()?.len();
    ensure!(length > 0, "{name} is empty");
    let at = dice.u64(0..length);
    Ok(match dice.u8(0..3) {
        0 => {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at)?;
            byte[0] ^= 1 << dice.u8(0..8);
            file.write_all_at(&byte, at)?;
            format!("one bit of byte {at} of {name}")
        }
        1 => {
            let at = at / 512 * 512;
            let mut sector = [0; 512];
            dice.fill(&mut sector);
            file.write_all_at(&sector[..512.min((length - at) as usize)], at)?;
            format!("the sector at {at} of {name}")
        }
        _ => {
            file.set_len(at)?;
            format!("{name} cut off at {at} of {length}")
        }
    })
}

/// Starts the server on what is left, and looks at every event.
async fn meet(site: &mut Site, accepted: &HashMap<EventId, u64>, done: &str, outcomes: &mut Outcomes) -> anyhow::Result<()> {
    let before = site.server.log().len();
    if let Err(refused) = site.try_start().await {
        let said = refused.said;
        ensure!(
            said.contains("tidings restore") || said.contains("tidings backup"),
            "{done}: the refusal gives no advice: {said}"
        );
        outcomes.refused += 1;
        return Ok(());
    }
    let seen = look(site, accepted).await?;
    match seen {
        Seen::Whole => outcomes.whole += 1,
        Seen::Gone(_) | Seen::Altered(_) if says_that_it_is_unsound(site, before).await? => outcomes.told += 1,
        Seen::Unreadable => outcomes.told += 1,
        Seen::Gone(count) => {
            outcomes.lost += 1;
            outcomes.silent.push(format!("{done}: {count} events are gone"));
        }
        Seen::Altered(count) => {
            outcomes.altered += 1;
            outcomes.silent.push(format!("{done}: {count} events are altered"));
        }
    }
    site.kill().await;
    Ok(())
}

/// Whether the server, which looks its store through after the start, found something.
async fn says_that_it_is_unsound(site: &Site, before: usize) -> anyhow::Result<bool> {
    let said = async {
        loop {
            if let Some(line) = site.server.log().iter().skip(before).find(|line| line.contains(LOOKED)) {
                return !line.contains(NOTHING_FOUND);
            }
            site.clock.sleep(LOOK_AGAIN).await;
        }
    };
    within(&site.clock, PATIENCE, said)
        .await
        .map_err(|TimedOut| anyhow!("the server does not say that it looked its store through"))
}

/// What the server shows of what it accepted.
enum Seen {
    Whole,
    Unreadable,
    Gone(usize),
    Altered(usize),
}

async fn look(site: &Site, accepted: &HashMap<EventId, u64>) -> anyhow::Result<Seen> {
    let (mut gone, mut altered, mut unreadable) = (accepted.len(), 0, false);
    let mut cursor = String::new();
    loop {
        let page = site.server.get(&format!("/v1/events?limit=200{cursor}")).await;
        if page.status >= 500 {
            return Ok(Seen::Unreadable);
        }
        for event in page.json["data"].as_array().context("a list has rows")? {
            let Some(number) = event["id"]
                .as_str()
                .and_then(|id| id.parse().ok())
                .and_then(|id: EventId| accepted.get(&id))
            else {
                altered += 1;
                continue;
            };
            gone -= 1;
            if event["bodyAltered"] == true {
                unreadable = true;
                continue;
            }
            let sent: serde_json::Value = serde_json::from_str(&payload(*number))?;
            let same = ["number", "filling"].iter().all(|name| event["body"][name] == sent[name]);
            altered += usize::from(!same);
        }
        match page.json["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None if gone > 0 => return Ok(Seen::Gone(gone)),
            None if altered > 0 => return Ok(Seen::Altered(altered)),
            None if unreadable => return Ok(Seen::Unreadable),
            None => return Ok(Seen::Whole),
        }
    }
}
