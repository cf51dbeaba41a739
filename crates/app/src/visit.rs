//! A person who is signed in, and what their role lets them do.

use aws_lc_rs::{constant_time, digest, hmac};
use data_encoding::BASE64URL_NOPAD;
use tidings_model::{EnvironmentId, Scopes};
use tidings_store::{Person, PersonRole, SessionId};

use crate::app::App;
use crate::caller::{Caller, Identity};
use crate::problem::{Code, Problem};

/// A person who is signed in. Only [`App`](crate::App) makes one, for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    pub(crate) email: String,
    pub(crate) role: PersonRole,
    pub(crate) session: SessionId,
    csrf: String,
}

impl Visit {
    /// The visit of a person whose browser holds the key of a session.
    pub(crate) fn new(key: &[u8; 32], person: &Person) -> Self {
        let csrf = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"tidings forms of this session");
        Self {
            email: person.email.clone(),
            role: person.role,
            session: session_id(key),
            csrf: BASE64URL_NOPAD.encode(csrf.as_ref()),
        }
    }

    /// The person's address.
    pub fn email(&self) -> &str {
        &self.email
    }

    /// What they may do.
    pub const fn role(&self) -> PersonRole {
        self.role
    }

    /// What their forms carry, to show that a page of ours sent them: the same for the whole session, and of no use to find its token.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Whether that is what a form of this session carries; takes the same time whatever it is.
    pub fn is_csrf(&self, text: &str) -> bool {
        constant_time::verify_slices_are_equal(self.csrf.as_bytes(), text.as_bytes()).is_ok()
    }

    /// What they may do in every environment.
    pub const fn scopes(&self) -> Scopes {
        match self.role {
            PersonRole::Viewer => Scopes::READ,
            PersonRole::Admin | PersonRole::Owner => Scopes::OPERATOR,
        }
    }

    /// Whether they may change things.
    pub const fn may_write(&self) -> bool {
        self.scopes().write
    }

    /// Whether they may change who may sign in.
    pub const fn may_manage_people(&self) -> bool {
        matches!(self.role, PersonRole::Owner)
    }

    pub(crate) fn can_manage_people(&self) -> Result<(), Problem> {
        if self.may_manage_people() {
            return Ok(());
        }
        Err(Problem::new(Code::Forbidden, "only owners may do this"))
    }

    /// Whether they may see who changed what.
    pub const fn may_see_audit(&self) -> bool {
        matches!(self.role, PersonRole::Owner | PersonRole::Admin)
    }

    /// Refuses whoever may not see who changed what.
    pub fn can_see_audit(&self) -> Result<(), Problem> {
        if self.may_see_audit() {
            return Ok(());
        }
        Err(Problem::new(Code::Forbidden, "only owners and admins see the audit log"))
    }

    /// Whether they may see which nodes serve the store.
    pub const fn may_see_nodes(&self) -> bool {
        self.may_see_audit()
    }

    /// Refuses whoever may not see which nodes serve the store.
    pub fn can_see_nodes(&self) -> Result<(), Problem> {
        if self.may_see_nodes() {
            return Ok(());
        }
        Err(Problem::new(Code::Forbidden, "only owners and admins see the nodes"))
    }

    fn caller(&self, environment: EnvironmentId) -> Caller {
        Caller {
            identity: Identity::Person(self.email.clone()),
            environment,
            tenant: None,
            scopes: self.scopes(),
        }
    }
}

impl App {
    /// A person acting in an environment, as their role has it.
    ///
    /// # Errors
    /// [`Code::NotFound`] when there is no such environment.
    pub fn caller_of(&self, visit: &Visit, environment: EnvironmentId) -> Result<Caller, Problem> {
        self.routes(environment)?;
        Ok(visit.caller(environment))
    }

    /// A person acting above environments: listing and making them. Its own environment is any one, or one that does not exist when there is none.
    pub fn caller_above(&self, visit: &Visit) -> Caller {
        let any = self.engine.directory.environments().first().copied();
        visit.caller(any.unwrap_or_else(|| EnvironmentId::from_chance([0; 16])))
    }
}

/// The digest by which a session is known.
pub(crate) fn session_id(key: &[u8; 32]) -> SessionId {
    let hash = digest::digest(&digest::SHA256, key);
    SessionId(hash.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}
