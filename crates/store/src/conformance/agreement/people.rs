//! People and their sessions.

use std::time::Duration;

use proptest::option;
use proptest::prelude::*;

use super::actor::Actor;
use crate::conformance::world::Done;
use crate::{Person, PersonChange, PersonRole, Session, SessionId};

/// What happens to people; they and their sessions are numbered.
#[derive(Clone, Copy, Debug)]
pub(super) enum PersonOp {
    Add {
        number: u8,
        role: PersonRole,
        invited: bool,
    },
    Change {
        number: u8,
        role: Option<PersonRole>,
        password: bool,
    },
    Remove {
        number: u8,
    },
    SignIn {
        number: u8,
    },
    See {
        session: u8,
        ends_in_ms: i64,
    },
    End {
        session: u8,
    },
    EndAll {
        number: u8,
        keep: Option<u8>,
    },
}

pub(super) fn ops() -> impl Strategy<Value = PersonOp> {
    let role = prop_oneof![2 => Just(PersonRole::Owner), 1 => Just(PersonRole::Admin), 1 => Just(PersonRole::Viewer)];
    let (number, session) = (0..3_u8, 0..6_u8);
    prop_oneof![
        3 => (number.clone(), role.clone(), any::<bool>()).prop_map(|(number, role, invited)| PersonOp::Add { number, role, invited }),
        2 => (number.clone(), option::of(role), any::<bool>())
            .prop_map(|(number, role, password)| PersonOp::Change { number, role, password }),
        1 => number.clone().prop_map(|number| PersonOp::Remove { number }),
        4 => number.clone().prop_map(|number| PersonOp::SignIn { number }),
        1 => (session.clone(), prop_oneof![Just(-1_i64), Just(0), Just(5_000)])
            .prop_map(|(session, ends_in_ms)| PersonOp::See { session, ends_in_ms }),
        1 => session.clone().prop_map(|session| PersonOp::End { session }),
        1 => (number, option::of(session)).prop_map(|(number, keep)| PersonOp::EndAll { number, keep }),
    ]
}

impl Actor {
    pub(super) async fn person(&mut self, what: PersonOp) -> String {
        let password = |chosen: bool| {
            if chosen {
                format!("$argon2id$chosen at {}", self.now)
            } else {
                String::new()
            }
        };
        match what {
            PersonOp::Add { number, role, invited } => {
                let person = Person {
                    email: email(number),
                    role,
                    password_hash: password(!invited),
                    created_at: self.now,
                    recovered_until: None,
                };
                format!("{:?}", self.store.create_person(&person).await.done())
            }
            PersonOp::Change {
                number,
                role,
                password: chosen,
            } => {
                let password_hash = chosen.then(|| password(true));
                let recovered_until = chosen.then_some(self.now).filter(|now| now.as_millis() % 2 == 0);
                let change = PersonChange {
                    role,
                    password_hash,
                    recovered_until,
                };
                format!("{:?}", self.store.change_person(&email(number), &change).await.done())
            }
            PersonOp::Remove { number } => format!("{:?}", self.store.delete_person(&email(number)).await.done()),
            PersonOp::SignIn { number } => self.sign_in(number).await,
            PersonOp::See { session, ends_in_ms } => {
                let ends_at = self.ago(-ends_in_ms);
                self.store.touch_session(SessionId([session; 32]), self.now, ends_at).await.done();
                String::new()
            }
            PersonOp::End { session } => self.store.delete_session(SessionId([session; 32])).await.done().to_string(),
            PersonOp::EndAll { number, keep } => {
                let keep = keep.map(|session| SessionId([session; 32]));
                self.store.end_sessions(&email(number), keep).await.done().to_string()
            }
        }
    }

    async fn sign_in(&mut self, number: u8) -> String {
        let session = Session {
            id: SessionId([self.sessions; 32]),
            email: email(number),
            created_at: self.now,
            seen_at: self.now,
            ends_at: self.now + Duration::from_secs(60),
            agent: String::new(),
            address: String::new(),
        };
        self.sessions += 1;
        self.store.create_session(&session).await.done().to_string()
    }

    /// Everybody, and who is signed in.
    pub(super) async fn look_at_people(&self) -> Vec<String> {
        let people = self.store.people().await.done();
        let people: Vec<_> = people
            .into_iter()
            .map(|person| {
                (
                    person.email,
                    person.role,
                    person.password_hash,
                    person.created_at,
                    person.recovered_until,
                )
            })
            .collect();
        let mut seen = vec![format!("people: {people:?}")];
        for session in self.store.sessions(None, self.now).await.done() {
            let of = self.store.session(session.id, self.now).await.done();
            seen.push(format!("session: {:?} {of:?}", session.id.0[0]));
        }
        for number in 0..3 {
            let sessions = self.store.sessions(Some(&email(number)), self.now).await.done();
            let ids: Vec<_> = sessions.into_iter().map(|session| session.id.0[0]).collect();
            seen.push(format!("sessions of {number}: {ids:?}"));
        }
        seen
    }
}

fn email(number: u8) -> String {
    format!("{number}@example.com")
}
