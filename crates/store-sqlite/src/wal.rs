//! A look at the write-ahead log of a stopped store, before SQLite reads it.
//!
//! SQLite takes a log up to the first frame that does not check, and says nothing of what lies behind: that is right for a commit that a crash cut short,
//! and loses accepted events in silence when the bytes were damaged later. The two can be told apart. Each commit is synced before the next begins, so a
//! crash tears at most the last one: where two commits lie behind the broken place, one of them was answered. And the index of the log, which survives a
//! killed process, says how many frames were committed.
//!
//! What stays: damage to the very last commit of a machine that lost power looks like a torn one, and a log that is gone like one that was never written.

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::folder::OpenError;

const HEAD: usize = 32;
const FRAME_HEAD: usize = 24;
/// The first four bytes of a log. The last bit says that checksums read words with the greatest byte first.
const MAGIC: u32 = 0x377f_0682;
/// One of the two heads of the index.
const INDEX_HEAD: usize = 48;
/// Commits behind a broken place that prove it to be damage rather than the end of a torn one.
const PROOF: u64 = 2;

/// Which generation of the log a frame belongs to: the log is written over from its beginning once everything in it is in the database.
type Salts = [u8; 8];

/// What the log holds.
#[derive(Debug, PartialEq, Eq)]
enum Log {
    /// Nothing that was committed.
    Empty,
    /// Frames, and no head that says how to read them. The head is synced before the first frame is written.
    Headless,
    /// Frames.
    Frames {
        salts: Salts,
        /// Frames that SQLite will take: up to the last commit before the first that does not check.
        readable: u64,
        /// Commits from there on whose frames belong to this generation.
        beyond: u64,
    },
}

/// Refuses a database whose log holds commits that SQLite would pass over.
pub(crate) fn check(database: &Path) -> Result<(), OpenError> {
    let path = log_of(database);
    let damaged = |reason: String| OpenError::Damaged {
        file: database.to_owned(),
        reason,
    };
    match read(&path).map_err(|error| OpenError::io(&path, &error))? {
        Log::Empty => Ok(()),
        Log::Headless => Err(damaged("the head of its write-ahead log cannot be read".to_owned())),
        Log::Frames { readable, beyond, .. } if beyond >= PROOF => Err(damaged(format!(
            "its write-ahead log is broken after {readable} pages, with committed ones behind"
        ))),
        Log::Frames { salts, readable, .. } => match committed(&beside(database, "-shm"), salts) {
            Some(committed) if committed > readable => Err(damaged(format!(
                "of its write-ahead log {readable} pages can be read, and {committed} were committed"
            ))),
            _ => Ok(()),
        },
    }
}

/// Whether a log is there that holds anything.
pub(crate) fn has_log(database: &Path) -> bool {
    fs::metadata(log_of(database)).is_ok_and(|log| log.len() > 0)
}

/// The write-ahead log of a database.
pub(crate) fn log_of(database: &Path) -> PathBuf {
    beside(database, "-wal")
}

fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

fn read(path: &Path) -> io::Result<Log> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Log::Empty),
        file => file?,
    };
    if file.metadata()?.len() <= HEAD as u64 {
        return Ok(Log::Empty);
    }
    let mut file = BufReader::new(file);
    let mut head = [0; HEAD];
    file.read_exact(&mut head)?;
    let magic = word(&head, 0);
    let greatest_first = magic & 1 == 1;
    let page_bytes = word(&head, 8) as usize;
    let sum = Sum::of(&head[..24], Sum::default(), greatest_first);
    if magic & !1 != MAGIC || sum != Sum::at(&head, 24) || !(512..=65_536).contains(&page_bytes) {
        return Ok(Log::Headless);
    }
    let salts: Salts = head[16..24].try_into().expect("eight bytes are eight bytes");
    frames(file, salts, sum, page_bytes, greatest_first)
}

fn frames(mut file: impl Read, salts: Salts, mut before: Sum, page_bytes: usize, greatest_first: bool) -> io::Result<Log> {
    let mut frame = vec![0; FRAME_HEAD + page_bytes];
    let (mut number, mut readable, mut beyond, mut broken) = (0, 0, 0, false);
    while fill(&mut file, &mut frame)? {
        number += 1;
        let ours = frame[8..16] == salts;
        let stored = Sum::at(&frame, 16);
        let sum = Sum::of(&frame[..8], before, greatest_first);
        let checks = ours && Sum::of(&frame[FRAME_HEAD..], sum, greatest_first) == stored;
        let commits = word(&frame, 4) != 0;
        // The first broken frame may be a commit; those behind it are only believed when they check by the one before.
        let counts = commits && if broken { checks } else { ours };
        broken |= !checks;
        if broken {
            beyond += u64::from(counts);
        } else if commits {
            readable = number;
        }
        before = stored;
    }
    Ok(Log::Frames { salts, readable, beyond })
}

/// Reads one frame. False: there is no whole one any more.
fn fill(file: &mut impl Read, frame: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(frame) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

/// Frames that were committed to the log of these salts, by its index; nothing when the index is not there, not whole, or another log's.
fn committed(index: &Path, salts: Salts) -> Option<u64> {
    let mut heads = [0; 2 * INDEX_HEAD];
    File::open(index).ok()?.read_exact(&mut heads).ok()?;
    let (head, again) = heads.split_at(INDEX_HEAD);
    let greatest_first = cfg!(target_endian = "big");
    let sum = Sum::of(&head[..40], Sum::default(), greatest_first);
    let word = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().expect("four bytes are four bytes"));
    let whole = head == again && sum == Sum(word(40), word(44));
    (whole && head[32..40] == salts).then(|| u64::from(word(16)))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes are four bytes"))
}

/// The checksum of SQLite's log: each one goes on from the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum(u32, u32);

impl Sum {
    fn of(bytes: &[u8], before: Self, greatest_first: bool) -> Self {
        let read = if greatest_first { u32::from_be_bytes } else { u32::from_le_bytes };
        let (words, _) = bytes.as_chunks::<4>();
        let (pairs, _) = words.as_chunks::<2>();
        pairs.iter().fold(before, |Self(first, second), [one, two]| {
            let first = first.wrapping_add(read(*one)).wrapping_add(second);
            Self(first, second.wrapping_add(read(*two)).wrapping_add(first))
        })
    }

    fn at(bytes: &[u8], at: usize) -> Self {
        Self(word(bytes, at), word(bytes, at + 4))
    }
}
