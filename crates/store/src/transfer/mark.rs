//! What is noted in a store about a move, so that nobody serves it meanwhile, and so that a move goes on where it was.

use serde::{Deserialize, Serialize};
use tidings_model::Timestamp;
use uuid::Uuid;

use super::Position;

/// Tells a move from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveId(pub Uuid);

/// What a store is to a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It goes away from here.
    Source,
    /// It comes here.
    Target {
        /// Where the next chunk begins; `None` when everything is here.
        reached: Option<Position>,
    },
}

/// A move, as one of its two stores notes it. The last is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which move.
    pub id: MoveId,
    /// What this store is to it.
    pub role: Role,
    /// The other store, as people name it, without a password.
    pub other: String,
    /// When everything had arrived and was compared; `None` before.
    pub finished_at: Option<Timestamp>,
}

impl Mark {
    /// Why nobody may serve the store `here` (as people name it); `None` where everybody may.
    pub fn refusal(&self, here: &str) -> Option<String> {
        let other = &self.other;
        let take_back = format!("`tidings migrate-store --take-back --from {here}`");
        match (&self.role, self.finished_at) {
            (Role::Target { .. }, Some(_)) => None,
            (Role::Target { .. }, None) => Some(format!(
                "{here} holds a part of what is being moved here from {other}: run `tidings migrate-store --from {other} --to {here}` again, with the options that its \
                 URLs had, and it goes on where it stopped; or give it up: take the move back at the other end, and remove this one"
            )),
            (Role::Source, None) => Some(format!(
                "{here} is being moved to {other}: run `tidings migrate-store --from {here} --to {other}` again, with the options that its URLs had, and it goes \
                 on where it stopped; or take it back with {take_back}"
            )),
            (Role::Source, Some(at)) => Some(format!(
                "{here} was moved to {other} at {at}: serve that one. If this one is to be served again, what the other accepted and delivered since then is not \
                 here: stop its servers, then take the move back with {take_back}"
            )),
        }
    }
}
