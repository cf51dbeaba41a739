//! Who is signed in.

use std::sync::Arc;

use tidings_model::Timestamp;

use super::people::person;
use super::world::{Done, at, at_ms};
use crate::{Person, PersonRole, Session, SessionId, Store};

const ZOE: &str = "zoe@example.com";
const ADAM: &str = "adam@example.com";

const fn id(number: u8) -> SessionId {
    SessionId([number; 32])
}

/// A session that ends ten seconds after it began.
fn session(number: u8, email: &str, seconds: i64) -> Session {
    Session {
        id: id(number),
        email: email.to_owned(),
        created_at: at(seconds),
        seen_at: at(seconds),
        ends_at: at(seconds + 10),
        agent: "Mozilla/5.0 (größer)".to_owned(),
        address: "2001:db8::1".to_owned(),
    }
}

/// Zoe, an owner, and Adam, a viewer.
async fn people(store: &Arc<dyn Store>) -> [Person; 2] {
    let people = [person(ZOE, PersonRole::Owner), person(ADAM, PersonRole::Viewer)];
    for person in &people {
        store.create_person(person).await.done().done();
    }
    people
}

async fn begin(store: &Arc<dyn Store>, session: &Session) {
    assert!(store.create_session(session).await.done());
}

async fn listed(store: &Arc<dyn Store>, email: Option<&str>, when: Timestamp) -> Vec<SessionId> {
    let sessions = store.sessions(email, when).await.done();
    sessions.into_iter().map(|session| session.id).collect()
}

/// A session comes back whole with its person, as they are now; nobody unknown gets one.
pub async fn a_session_comes_back_whole_with_its_person(store: &Arc<dyn Store>) {
    let [zoe, _] = people(store).await;
    let began = session(1, ZOE, 0);
    begin(store, &began).await;
    assert!(!store.create_session(&session(2, "nobody@example.com", 0)).await.done());

    assert!(store.session(id(1), at(1)).await.done() == Some((began.clone(), zoe.clone())));
    assert!(store.session(id(2), at(1)).await.done().is_none());
    assert_eq!(store.sessions(None, at(1)).await.done(), [began]);
    let change = crate::PersonChange {
        password_hash: Some("$argon2id$new".to_owned()),
        ..crate::PersonChange::default()
    };
    store.change_person(ZOE, &change).await.done().done();
    let (_, zoe_now) = store.session(id(1), at(1)).await.done().done();
    assert_eq!(zoe_now.password_hash, "$argon2id$new");
}

/// A session ends by itself, to the millisecond.
pub async fn a_session_is_over_when_it_ends(store: &Arc<dyn Store>) {
    people(store).await;
    begin(store, &session(1, ZOE, 0)).await;
    assert!(store.session(id(1), at_ms(9_999)).await.done().is_some());
    assert!(store.session(id(1), at(10)).await.done().is_none());
    assert_eq!(listed(store, None, at_ms(9_999)).await, [id(1)]);
    assert_eq!(listed(store, None, at(10)).await, []);
    assert_eq!(listed(store, Some(ZOE), at(10)).await, []);
}

/// A session that is seen lasts longer, or shorter; one that is over does not come back.
pub async fn a_session_that_is_seen_ends_later(store: &Arc<dyn Store>) {
    people(store).await;
    begin(store, &session(1, ZOE, 0)).await;
    begin(store, &session(2, ZOE, 0)).await;
    store.touch_session(id(1), at(5), at(100)).await.done();
    let (seen, _) = store.session(id(1), at(99)).await.done().done();
    let expected = Session {
        seen_at: at(5),
        ends_at: at(100),
        ..session(1, ZOE, 0)
    };
    assert_eq!(seen, expected);
    assert_eq!(listed(store, None, at(50)).await, [id(1)], "the other was not seen");

    store.touch_session(id(1), at(6), at(7)).await.done();
    assert!(store.session(id(1), at(7)).await.done().is_none());
    store.touch_session(id(1), at(7), at(500)).await.done();
    assert!(store.session(id(1), at(8)).await.done().is_none(), "it had ended");
    store.touch_session(id(9), at(5), at(100)).await.done();
    assert!(store.session(id(9), at(6)).await.done().is_none());
}

/// Sessions are listed newest first, then by id, of one person or of all.
pub async fn sessions_are_listed_newest_first(store: &Arc<dyn Store>) {
    people(store).await;
    for (number, email, seconds) in [(3, ZOE, 1), (2, ADAM, 2), (4, ADAM, 1), (1, ZOE, 2), (5, ZOE, 0)] {
        begin(store, &session(number, email, seconds)).await;
    }
    assert_eq!(listed(store, None, at(3)).await, [id(1), id(2), id(3), id(4), id(5)]);
    assert_eq!(listed(store, Some(ZOE), at(3)).await, [id(1), id(3), id(5)]);
    assert_eq!(listed(store, Some(ADAM), at(3)).await, [id(2), id(4)]);
    assert_eq!(listed(store, Some("nobody@example.com"), at(3)).await, []);
    assert_eq!(listed(store, Some(ZOE), at(10)).await, [id(1), id(3)], "one has ended");
}

/// A session is ended once.
pub async fn a_session_is_ended_once(store: &Arc<dyn Store>) {
    people(store).await;
    begin(store, &session(1, ZOE, 0)).await;
    begin(store, &session(2, ZOE, 0)).await;
    assert!(store.delete_session(id(1)).await.done());
    assert!(!store.delete_session(id(1)).await.done());
    assert!(store.session(id(1), at(1)).await.done().is_none());
    assert_eq!(listed(store, None, at(1)).await, [id(2)]);
}

/// All sessions of one person are ended, but the one to keep; those of others stay.
pub async fn all_sessions_of_a_person_are_ended_but_one(store: &Arc<dyn Store>) {
    people(store).await;
    for (number, email) in [(1, ZOE), (2, ZOE), (3, ZOE), (4, ADAM)] {
        begin(store, &session(number, email, 0)).await;
    }
    assert_eq!(store.end_sessions("nobody@example.com", None).await.done(), 0);
    assert_eq!(store.end_sessions(ZOE, Some(id(2))).await.done(), 2);
    assert_eq!(listed(store, None, at(1)).await, [id(2), id(4)]);
    assert_eq!(
        store.end_sessions(ZOE, Some(id(4))).await.done(),
        1,
        "another's is not theirs to keep"
    );
    assert_eq!(store.end_sessions(ADAM, None).await.done(), 1);
    assert_eq!(listed(store, None, at(1)).await, []);
}

/// Who is removed is signed out, and stays so when somebody of that address is added again.
pub async fn who_is_removed_is_signed_out(store: &Arc<dyn Store>) {
    let [_, adam] = people(store).await;
    begin(store, &session(1, ZOE, 0)).await;
    begin(store, &session(2, ADAM, 0)).await;
    store.delete_person(ADAM).await.done().done();
    assert!(store.session(id(2), at(1)).await.done().is_none());
    assert_eq!(listed(store, None, at(1)).await, [id(1)]);
    store.create_person(&adam).await.done().done();
    assert_eq!(listed(store, Some(ADAM), at(1)).await, []);
}
