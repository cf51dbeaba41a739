//! Types of the verbs about who may sign in, who is signed in, and who changed what.

use std::fmt;

use tidings_model::{EnvironmentId, Timestamp};

/// What a person may do in the portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonRole {
    /// Everything, people included.
    Owner,
    /// Everything but people.
    Admin,
    /// Looking.
    Viewer,
}

/// Somebody who may sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// Their address, in lower case, unique.
    pub email: String,
    /// What they may do.
    pub role: PersonRole,
    /// Their password as an argon2 hash string; empty while they have not chosen one.
    pub password_hash: String,
    /// When they were added.
    pub created_at: Timestamp,
    /// The end of the recovery link that they used last: those that end no later are used up, whoever kept one.
    pub recovered_until: Option<Timestamp>,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person")
            .field("email", &self.email)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// What is changed of a person; `None` leaves it as it is.
#[derive(Clone, Default)]
pub struct PersonChange {
    /// Their new role.
    pub role: Option<PersonRole>,
    /// The hash of their new password.
    pub password_hash: Option<String>,
    /// The end of the recovery link by which they change it.
    pub recovered_until: Option<Timestamp>,
}

/// Why a person was not changed or removed.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum ChangePersonError {
    /// Nobody has that address.
    #[error("there is no such person")]
    NotFound,
    /// They used this recovery link, or one that ends later.
    #[error("the link was used")]
    LinkUsed,
    /// Without them nobody could add people.
    #[error("the last owner stays an owner")]
    LastOwner,
}

/// Names a session: a digest of what the browser holds, from which that cannot be found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId(pub [u8; 32]);

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}

/// Somebody is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// The address of the person.
    pub email: String,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When they were last seen.
    pub seen_at: Timestamp,
    /// When it ends by itself.
    pub ends_at: Timestamp,
    /// What their browser calls itself.
    pub agent: String,
    /// The address that they signed in from.
    pub address: String,
}

/// That somebody changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who, in words that programs can read too: `person zoe@example.com`, `credential 2f…`.
    pub actor: String,
    /// What was done: `webhook.created`.
    pub action: String,
    /// In which environment, when it was in one.
    pub environment: Option<EnvironmentId>,
    /// To what: an id, a key, an address.
    pub target: String,
    /// What changed, in a line without secrets; may be empty.
    pub detail: String,
}

/// An entry in its place: numbers ascend by one writing after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number.
    pub number: u64,
    /// The entry.
    pub entry: AuditEntry,
}

/// Which entries of the audit log to list. Everything that is given has to hold.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// In this environment.
    pub environment: Option<EnvironmentId>,
    /// By this actor.
    pub actor: Option<String>,
    /// Whose action begins so: `webhook.`.
    pub action: Option<String>,
}
