//! People and their sessions.

use std::cmp::Reverse;

use tidings_model::Timestamp;

use super::State;
use crate::{ChangePersonError, NameTaken, Person, PersonChange, PersonRole, Session, SessionId};

impl State {
    fn person(&self, email: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.email == email)
    }

    /// Whether nobody but that person could sign in as an owner.
    fn is_last_owner(&self, email: &str) -> bool {
        let mut owners = self
            .people
            .iter()
            .filter(|person| person.role == PersonRole::Owner && !person.password_hash.is_empty());
        owners.next().is_some_and(|owner| owner.email == email) && owners.next().is_none()
    }

    pub(super) fn create_person(&mut self, person: &Person) -> Result<(), NameTaken> {
        if self.person(&person.email).is_some() {
            return Err(NameTaken);
        }
        self.people.push(person.clone());
        Ok(())
    }

    pub(super) fn change_person(&mut self, email: &str, change: &PersonChange) -> Result<(), ChangePersonError> {
        let demoted = change.role.is_some_and(|role| role != PersonRole::Owner);
        if demoted && self.is_last_owner(email) {
            return Err(ChangePersonError::LastOwner);
        }
        let person = self.people.iter_mut().find(|person| person.email == email);
        let person = person.ok_or(ChangePersonError::NotFound)?;
        if change.recovered_until.is_some() {
            if change.recovered_until <= person.recovered_until {
                return Err(ChangePersonError::LinkUsed);
            }
            person.recovered_until = change.recovered_until;
        }
        person.role = change.role.unwrap_or(person.role);
        if let Some(hash) = &change.password_hash {
            person.password_hash.clone_from(hash);
        }
        Ok(())
    }

    pub(super) fn delete_person(&mut self, email: &str) -> Result<(), ChangePersonError> {
        if self.person(email).is_none() {
            return Err(ChangePersonError::NotFound);
        }
        if self.is_last_owner(email) {
            return Err(ChangePersonError::LastOwner);
        }
        self.people.retain(|person| person.email != email);
        self.end_sessions(email, None);
        Ok(())
    }

    pub(super) fn create_session(&mut self, session: &Session) -> bool {
        let known = self.person(&session.email).is_some();
        if known {
            self.sessions.insert(session.id, session.clone());
        }
        known
    }

    pub(super) fn session(&self, id: SessionId, at: Timestamp) -> Option<(Session, Person)> {
        let session = self.sessions.get(&id).filter(|session| at < session.ends_at)?;
        Some((session.clone(), self.person(&session.email)?.clone()))
    }

    pub(super) fn touch_session(&mut self, id: SessionId, seen_at: Timestamp, ends_at: Timestamp) {
        if let Some(session) = self.sessions.get_mut(&id).filter(|session| seen_at < session.ends_at) {
            (session.seen_at, session.ends_at) = (seen_at, ends_at);
        }
    }

    pub(super) fn sessions(&self, email: Option<&str>, at: Timestamp) -> Vec<Session> {
        let open = self.sessions.values().filter(|session| at < session.ends_at);
        let mut sessions: Vec<_> = open
            .filter(|session| email.is_none_or(|email| session.email == email))
            .cloned()
            .collect();
        sessions.sort_by_key(|session| Reverse(session.created_at)); // stable: by id among equals
        sessions
    }

    pub(super) fn end_sessions(&mut self, email: &str, keep: Option<SessionId>) -> usize {
        let before = self.sessions.len();
        self.sessions.retain(|id, session| session.email != email || Some(*id) == keep);
        before - self.sessions.len()
    }
}
