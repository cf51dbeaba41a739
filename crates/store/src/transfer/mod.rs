//! Moving a whole store into another one: what is asked of both beside the verbs, the order in which things go over, and the comparison at the end.
//!
//! A store is read as one stream of records, kind by kind, each by its key; what is written twice for the sake of a store's own lists is not among them.
//! The target writes every chunk in one transaction together with where the next one begins, so a move that is killed goes on where it was. Leases stay
//! behind: what was in somebody's hands arrives as waiting.
//!
//! Never knows: SQL, what is sealed, and who serves a store beyond its roll.

mod compare;
mod kind;
mod mark;
mod moving;
mod record;

use std::sync::Arc;

use async_trait::async_trait;

use crate::{Store, StoreError};

pub use compare::{Compared, Difference, Tally};
pub use kind::{Column, Holds, Kind};
pub use mark::{Mark, MoveId, Role};
pub use moving::{End, Moved, Moving, Progress, TransferError, move_store};
pub use record::{Chunk, ChunkSize, Position, Record, Value, event_bytes};

/// A store that can be moved, away and into. It is opened for that: as a start does it, but whatever is noted in it.
#[async_trait]
pub trait Transfer: Store {
    /// The move that is noted here last.
    async fn mark(&self) -> Result<Option<Mark>, StoreError>;
    /// Notes a move in the place of the one before it. False: nodes are on the roll, and nothing was noted. From then on none comes onto it, unless the
    /// mark lets them.
    async fn note(&self, mark: &Mark) -> Result<bool, StoreError>;
    /// Forgets what is noted.
    async fn forget_mark(&self) -> Result<(), StoreError>;
    /// Whether nothing is in it but its schema.
    async fn is_empty(&self) -> Result<bool, StoreError>;
    /// About how many events there are, for words about the progress; 0 when that is not known.
    async fn count_events(&self) -> Result<u64, StoreError>;
    /// Reads the records after a position, as of one moment.
    async fn read_chunk(&self, from: &Position, size: ChunkSize) -> Result<Chunk, StoreError>;
    /// Writes a chunk of that move, and that its next one begins after it. Refused where that is not the one that comes next.
    async fn write_chunk(&self, id: MoveId, chunk: Arc<Chunk>) -> Result<(), StoreError>;
}
