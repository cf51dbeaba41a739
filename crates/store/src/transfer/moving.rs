//! The move itself: who may be moved where, chunk after chunk, and the comparison before either end is told that it is over.

use std::fmt;
use std::sync::Arc;

use tidings_model::Timestamp;

use super::compare::{self, Compared, Failed};
use super::{Chunk, ChunkSize, Kind, Mark, MoveId, Position, Role, Transfer};
use crate::StoreError;

/// A store at one end of a move.
#[derive(Clone, Copy)]
pub struct End<'a> {
    /// The store.
    pub store: &'a dyn Transfer,
    /// How people name it, without a password.
    pub name: &'a str,
}

/// A move to be made, or to be gone on with.
pub struct Moving<'a> {
    /// From where.
    pub source: End<'a>,
    /// To where.
    pub target: End<'a>,
    /// The id of the move, if it begins now.
    pub id: MoveId,
    /// How large chunks become.
    pub size: ChunkSize,
    /// What time it is.
    pub now: &'a (dyn Fn() -> Timestamp + Sync),
    /// Told often how far it is.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// How far a move is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Records of that kind go over.
    Copying {
        /// Which kind.
        kind: Kind,
        /// Events that went over in this run.
        events: u64,
        /// Events that there are.
        of: u64,
    },
    /// Both stores are read and held against each other.
    Comparing {
        /// Events that were read.
        events: u64,
        /// Events that there are.
        of: u64,
    },
}

/// A move that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// What went over, kind by kind; none where it was over before.
    pub compared: Vec<Compared>,
    /// Events that went over in this run.
    pub events: u64,
}

/// Why a store was not moved. What arrived stays, and the same move can be gone on with, unless it was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TransferError {
    /// It may not be moved from there, or there.
    #[error("{0}")]
    Refused(String),
    /// Nodes are on the roll of a store.
    #[error("{0} is served: stop all of its servers first")]
    Served(String),
    /// The source did not answer.
    #[error("the source, {name}: {error}")]
    Source {
        /// Its name.
        name: String,
        /// What it says.
        error: StoreError,
    },
    /// The target did not answer.
    #[error("the target, {name}: {error}")]
    Target {
        /// Its name.
        name: String,
        /// What it says.
        error: StoreError,
    },
    /// What arrived is not what went.
    #[error("{}", differences(.0))]
    Differs(Vec<Compared>),
}

fn differences(compared: &[Compared]) -> String {
    let words = compared.iter().filter(|compared| !is_same(compared)).map(|compared| {
        let (kind, source, target) = (compared.kind, compared.source.records, compared.target.records);
        let first = compared.difference.as_ref().map(|first| format!("; the first: {first}"));
        format!(
            "{kind}: {source} in the source, {target} in the target{}",
            first.unwrap_or_default()
        )
    });
    let words: Vec<_> = words.collect();
    format!(
        "what arrived is not what went: {}. The target is not to be served: remove it, see whether something else writes to either of them, and begin anew with \
         an empty one",
        words.join(". ")
    )
}

fn is_same(compared: &Compared) -> bool {
    compared.difference.is_none() && compared.source == compared.target
}

impl fmt::Debug for End<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("End").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is to be done, by what both stores have noted.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// Begin, with a new id: what another target has of a move that was given up for this one is never gone on with.
    Begin,
    /// Go on, from there.
    GoOn(MoveId, Option<Position>),
    /// It is over.
    Over,
}

fn is_over(source: &Mark, target: &Mark) -> bool {
    let over = |mark: &Mark| mark.finished_at.is_some();
    source.id == target.id && source.role == Role::Source && source.role != target.role && over(source) && over(target)
}

async fn marks(source: End<'_>, target: End<'_>) -> Result<(Option<Mark>, Option<Mark>), TransferError> {
    Ok((
        source.store.mark().await.map_err(|error| of_source(source, error))?,
        target.store.mark().await.map_err(|error| of_target(target, error))?,
    ))
}

/// Moves a store into another one, or goes on with that. Neither may be served meanwhile.
///
/// # Errors
/// See [`TransferError`].
pub async fn move_store(moving: &Moving<'_>) -> Result<Moved, TransferError> {
    let (source, target) = (moving.source, moving.target);
    let (of_source_mark, of_target_mark) = marks(source, target).await?;
    let empty = target.store.is_empty().await.map_err(|error| of_target(target, error))?;
    if of_source_mark.is_none() && source.store.is_empty().await.map_err(|error| of_source(source, error))? {
        let why = format!("{} holds nothing that could be moved: is it the store that was meant?", source.name);
        return Err(TransferError::Refused(why));
    }
    let (id, reached) = match plan(moving, of_source_mark.as_ref(), of_target_mark.as_ref(), empty)? {
        Plan::Over => {
            return Ok(Moved {
                compared: Vec::new(),
                events: 0,
            });
        }
        Plan::Begin => {
            let (id, start) = (moving.id, Some(Position::START));
            // First the source: from then on nothing changes there, whenever the move is gone on with.
            note_source(moving, id, None).await?;
            note_target(moving, id, start.clone(), None).await?;
            (id, start)
        }
        Plan::GoOn(id, reached) => {
            note_source(moving, id, None).await?;
            (id, reached)
        }
    };
    let events = copy(moving, id, reached).await?;
    let compared = compare_ends(moving).await?;
    let finished_at = Some((moving.now)());
    note_source(moving, id, finished_at).await?;
    note_target(moving, id, None, finished_at).await?;
    Ok(Moved { compared, events })
}

fn plan(moving: &Moving<'_>, source: Option<&Mark>, target: Option<&Mark>, empty: bool) -> Result<Plan, TransferError> {
    let (from, to) = (moving.source.name, moving.target.name);
    let refused = |why: String| Err(TransferError::Refused(why));
    if let Some(mark) = source
        && matches!(mark.role, Role::Target { .. })
        && let Some(why) = mark.refusal(from)
    {
        return refused(why);
    }
    let going = source.filter(|mark| mark.role == Role::Source);
    match (going, target) {
        (Some(ours), Some(theirs)) if is_over(ours, theirs) => return Ok(Plan::Over),
        (Some(ours), Some(theirs)) if ours.id == theirs.id => {
            if let Role::Target { reached } = &theirs.role {
                return Ok(Plan::GoOn(ours.id, reached.clone()));
            }
        }
        _ => {}
    }
    if let Some(why) = going.filter(|mark| mark.finished_at.is_some()).and_then(|mark| mark.refusal(from)) {
        return refused(why);
    }
    if empty {
        return Ok(Plan::Begin);
    }
    refused(match target {
        Some(mark) if matches!(mark.role, Role::Target { .. }) && mark.finished_at.is_none() => format!(
            "{to} holds a part of another move, from {}, or of one that was taken back: nothing is written over it. Name an empty target: a folder or a database \
             with nothing in it",
            mark.other
        ),
        _ => format!("{to} is not empty, and nothing is written over what is there: name a new folder, or a database with nothing in it"),
    })
}

async fn note_source(moving: &Moving<'_>, id: MoveId, finished_at: Option<Timestamp>) -> Result<(), TransferError> {
    let mark = Mark {
        id,
        role: Role::Source,
        other: moving.target.name.to_owned(),
        finished_at,
    };
    let noted = moving.source.store.note(&mark).await;
    served(moving.source, noted.map_err(|error| of_source(moving.source, error))?)
}

async fn note_target(
    moving: &Moving<'_>,
    id: MoveId,
    reached: Option<Position>,
    finished_at: Option<Timestamp>,
) -> Result<(), TransferError> {
    let mark = Mark {
        id,
        role: Role::Target { reached },
        other: moving.source.name.to_owned(),
        finished_at,
    };
    let noted = moving.target.store.note(&mark).await;
    served(moving.target, noted.map_err(|error| of_target(moving.target, error))?)
}

fn served(end: End<'_>, noted: bool) -> Result<(), TransferError> {
    if noted {
        Ok(())
    } else {
        Err(TransferError::Served(end.name.to_owned()))
    }
}

/// Carries over what is after a position, and says how many events that were. The next chunk is read while one is written.
async fn copy(moving: &Moving<'_>, id: MoveId, reached: Option<Position>) -> Result<u64, TransferError> {
    let (source, target) = (moving.source, moving.target);
    let of = source.store.count_events().await.map_err(|error| of_source(source, error))?;
    let read = async |from: Option<&Position>| match from {
        None => Ok(None),
        Some(from) => {
            let chunk = source.store.read_chunk(from, moving.size).await;
            chunk.map(|chunk| Some(Arc::new(chunk))).map_err(|error| of_source(source, error))
        }
    };
    let mut events = 0;
    let mut chunk: Option<Arc<Chunk>> = read(reached.as_ref()).await?;
    while let Some(current) = chunk {
        let (written, next) = tokio::join!(target.store.write_chunk(id, Arc::clone(&current)), read(current.next.as_ref()));
        written.map_err(|error| of_target(target, error))?;
        events += current.of(Kind::Events).len() as u64;
        (moving.progress)(Progress::Copying {
            kind: current.from.kind,
            events,
            of,
        });
        chunk = next?;
    }
    Ok(events)
}

async fn compare_ends(moving: &Moving<'_>) -> Result<Vec<Compared>, TransferError> {
    let (source, target) = (moving.source, moving.target);
    let of = source.store.count_events().await.map_err(|error| of_source(source, error))?;
    let told = |events| (moving.progress)(Progress::Comparing { events, of });
    let compared = compare::compare(source.store, target.store, moving.size, &told).await;
    let compared = compared.map_err(|failed| match failed {
        Failed::Source(error) => of_source(source, error),
        Failed::Target(error) => of_target(target, error),
    })?;
    if compared.iter().all(is_same) {
        Ok(compared)
    } else {
        Err(TransferError::Differs(compared))
    }
}

fn of_source(end: End<'_>, error: StoreError) -> TransferError {
    TransferError::Source {
        name: end.name.to_owned(),
        error,
    }
}

fn of_target(end: End<'_>, error: StoreError) -> TransferError {
    TransferError::Target {
        name: end.name.to_owned(),
        error,
    }
}
