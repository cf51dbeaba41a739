//! Who may sign in, and as what: for owners.

use std::collections::BTreeMap;

use tidings_model::Timestamp;
use tidings_store::{ChangePersonError, NameTaken, Person, PersonChange, PersonRole};

use crate::app::App;
use crate::problem::{Code, Problem};
use crate::validate;
use crate::visit::Visit;

/// A person as owners see them in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonView {
    /// Their address.
    pub email: String,
    /// What they may do.
    pub role: PersonRole,
    /// When they were added.
    pub created_at: Timestamp,
    /// True while they have not chosen a password.
    pub invited: bool,
    /// When they were last seen, to a minute, in a session that has not ended.
    pub seen_at: Option<Timestamp>,
    /// True for the person who asks.
    pub current: bool,
}

/// What people call a role: `owner`, `admin`, `viewer`.
pub const fn role_name(role: PersonRole) -> &'static str {
    match role {
        PersonRole::Owner => "owner",
        PersonRole::Admin => "admin",
        PersonRole::Viewer => "viewer",
    }
}

/// The role of that name.
pub fn role_named(name: &str) -> Result<PersonRole, Problem> {
    [PersonRole::Owner, PersonRole::Admin, PersonRole::Viewer]
        .into_iter()
        .find(|role| role_name(*role) == name)
        .ok_or_else(|| Problem::field("role", "has to be owner, admin or viewer"))
}

impl App {
    /// Everybody who may sign in or was invited to, in the order in which they were added.
    pub async fn people(&self, visit: &Visit) -> Result<Vec<PersonView>, Problem> {
        visit.can_manage_people()?;
        let mut seen: BTreeMap<String, Timestamp> = BTreeMap::new();
        for session in self.store.sessions(None, self.clock.now()).await? {
            let seen_at = seen.entry(session.email).or_insert(session.seen_at);
            *seen_at = (*seen_at).max(session.seen_at);
        }
        let people = self.store.people().await?;
        Ok(people
            .into_iter()
            .map(|person| PersonView {
                role: person.role,
                created_at: person.created_at,
                invited: person.password_hash.is_empty(),
                seen_at: seen.remove(&person.email),
                current: person.email == visit.email,
                email: person.email,
            })
            .collect())
    }

    /// Adds a person, and gives the token of the link with which they choose a password (see [`App::accept_invitation`]).
    ///
    /// # Errors
    /// [`Code::Invalid`] with the field `email`; [`Code::Conflict`] when they are there already: [`App::password_link`] gives them a new link.
    pub async fn invite(&self, visit: &Visit, email: &str, role: PersonRole) -> Result<String, Problem> {
        visit.can_manage_people()?;
        let person = Person {
            email: validate::email(email).map_err(|message| Problem::field("email", message))?,
            role,
            password_hash: String::new(),
            created_at: self.clock.now(),
            recovered_until: None,
        };
        let taken = |NameTaken| {
            let detail = format!("'{}' is among the people already; make a new link for them there", person.email);
            Problem::new(Code::Conflict, detail)
        };
        self.store.create_person(&person).await?.map_err(taken)?;
        let detail = format!("as {}", role_name(role));
        self.record(visit, "person.invited", None, &person.email, &detail).await;
        self.invitation_token(&person)
    }

    /// Changes what a person may do, from their next request on.
    ///
    /// # Errors
    /// [`Code::Conflict`] for the last owner who can sign in.
    pub async fn change_role(&self, visit: &Visit, email: &str, role: PersonRole) -> Result<(), Problem> {
        visit.can_manage_people()?;
        let change = PersonChange {
            role: Some(role),
            ..PersonChange::default()
        };
        let changed = self.store.change_person(email, &change).await?;
        changed.map_err(|error| refused(error, email))?;
        let detail = format!("to {}", role_name(role));
        self.record(visit, "person.role-changed", None, email, &detail).await;
        Ok(())
    }

    /// Removes a person and ends their sessions.
    ///
    /// # Errors
    /// [`Code::Conflict`] for the last owner who can sign in.
    pub async fn remove_person(&self, visit: &Visit, email: &str) -> Result<(), Problem> {
        visit.can_manage_people()?;
        let removed = self.store.delete_person(email).await?;
        removed.map_err(|error| refused(error, email))?;
        self.record(visit, "person.removed", None, email, "").await;
        Ok(())
    }
}

fn refused(error: ChangePersonError, email: &str) -> Problem {
    match error {
        ChangePersonError::NotFound => Problem::not_found("person", &email),
        ChangePersonError::LinkUsed => Problem::new(Code::Forbidden, error.to_string()),
        ChangePersonError::LastOwner => Problem::new(
            Code::Conflict,
            format!("'{email}' is the last owner who can sign in; make somebody else an owner first"),
        ),
    }
}
