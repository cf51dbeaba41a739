//! Credentials and people.

use std::sync::Arc;

use tidings_model::{Credential, Scopes};

use super::world::{Done, World, at, credential};
use crate::{ChangePersonError, NameTaken, Person, PersonChange, PersonRole, Store};

/// Somebody who has chosen a password.
pub(super) fn person(email: &str, role: PersonRole) -> Person {
    Person {
        email: email.to_owned(),
        role,
        password_hash: format!("$argon2id$v=19$m=19456,t=2,p=1$salt${email}"),
        created_at: at(5),
        recovered_until: None,
    }
}

/// Somebody who was invited and has not chosen a password.
fn invited(email: &str, role: PersonRole) -> Person {
    Person {
        password_hash: String::new(),
        ..person(email, role)
    }
}

/// The change of a role.
fn into(role: PersonRole) -> PersonChange {
    PersonChange {
        role: Some(role),
        ..PersonChange::default()
    }
}

/// Credentials come back whole, in the order in which they were added.
pub async fn credentials_come_in_the_order_in_which_they_were_added(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let added = [
        Credential {
            scopes: Scopes::OPERATOR,
            created_at: at(9),
            ..credential(3, world.environment)
        },
        Credential {
            scopes: Scopes::READ,
            name: String::new(),
            ..credential(1, other.environment)
        },
        Credential {
            scopes: Scopes::default(),
            secret_hash: vec![0, 255, 128],
            ..credential(2, world.environment)
        },
    ];
    for credential in &added {
        store.create_credential(credential).await.done();
    }
    assert_eq!(store.credentials().await.done(), added);
}

/// A credential is revoked in its own environment, once.
pub async fn a_credential_is_revoked_once_and_in_its_environment(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let (gone, kept) = (credential(1, world.environment), credential(2, world.environment));
    store.create_credential(&gone).await.done();
    store.create_credential(&kept).await.done();

    assert!(!store.delete_credential(other.environment, &gone.id).await.done());
    assert!(store.delete_credential(world.environment, &gone.id).await.done());
    assert!(!store.delete_credential(world.environment, &gone.id).await.done());
    assert_eq!(store.credentials().await.done(), [kept]);
}

/// People come back whole, in the order in which they were added, each address once.
pub async fn people_have_an_address_of_their_own(store: &Arc<dyn Store>) {
    let added = [
        person("zoe@example.com", PersonRole::Owner),
        person("adam@example.com", PersonRole::Admin),
        person("mia@example.com", PersonRole::Viewer),
    ];
    for person in &added {
        store.create_person(person).await.done().done();
    }
    assert_eq!(
        store.create_person(&person("adam@example.com", PersonRole::Owner)).await.done(),
        Err(NameTaken)
    );
    assert!(store.people().await.done() == added, "they are not what was added");
}

/// A change leaves alone what it does not name, and everybody else.
pub async fn a_person_is_changed_in_what_is_given(store: &Arc<dyn Store>) {
    let mut people = [
        person("zoe@example.com", PersonRole::Owner),
        invited("adam@example.com", PersonRole::Viewer),
    ];
    for person in &people {
        store.create_person(person).await.done().done();
    }
    let change = async |change: &PersonChange| store.change_person("adam@example.com", change).await.done();
    assert_eq!(change(&PersonChange::default()).await, Ok(()));
    assert!(store.people().await.done() == people, "nothing was to change");

    assert_eq!(change(&into(PersonRole::Admin)).await, Ok(()));
    people[1].role = PersonRole::Admin;
    assert!(store.people().await.done() == people, "the role was to change");

    let hash = PersonChange {
        password_hash: Some("$argon2id$other".to_owned()),
        ..PersonChange::default()
    };
    assert_eq!(change(&hash).await, Ok(()));
    "$argon2id$other".clone_into(&mut people[1].password_hash);
    assert!(store.people().await.done() == people, "the password was to change");

    let unknown = store.change_person("nobody@example.com", &into(PersonRole::Owner)).await.done();
    assert_eq!(unknown, Err(ChangePersonError::NotFound));
    assert!(store.people().await.done() == people, "nobody was to change");
}

/// By a recovery link somebody is changed once; with it those are used up that end no later, whoever uses them and wherever.
pub async fn a_recovery_link_changes_a_person_once(store: &Arc<dyn Store>) {
    let mut zoe = person("zoe@example.com", PersonRole::Owner);
    store.create_person(&zoe).await.done().done();
    let by_link = async |ends: i64| {
        let change = PersonChange {
            password_hash: Some(format!("$argon2id$by the link that ends at {ends}")),
            recovered_until: Some(at(ends)),
            ..PersonChange::default()
        };
        store.change_person("zoe@example.com", &change).await.done()
    };
    assert_eq!(by_link(100).await, Ok(()));
    assert_eq!(by_link(100).await, Err(ChangePersonError::LinkUsed));
    assert_eq!(by_link(99).await, Err(ChangePersonError::LinkUsed));
    (zoe.password_hash, zoe.recovered_until) = ("$argon2id$by the link that ends at 100".to_owned(), Some(at(100)));
    assert!(store.people().await.done() == [zoe.clone()], "by a used link nothing was to change");

    assert_eq!(
        store.change_person("zoe@example.com", &into(PersonRole::Owner)).await.done(),
        Ok(())
    );
    assert!(
        store.people().await.done() == [zoe],
        "what is changed without a link leaves the links as they were"
    );
    assert_eq!(by_link(101).await, Ok(()));
}

/// The last owner who has chosen a password can neither become something else nor go, and loses nothing by the attempt. An owner who was only invited
/// is none who could take over, and may go.
pub async fn the_last_owner_stays_one(store: &Arc<dyn Store>) {
    let (zoe, adam, mia) = ("zoe@example.com", "adam@example.com", "mia@example.com");
    let people = [
        person(zoe, PersonRole::Owner),
        invited(adam, PersonRole::Owner),
        person(mia, PersonRole::Admin),
    ];
    for person in &people {
        store.create_person(person).await.done().done();
    }
    let with_password = PersonChange {
        role: Some(PersonRole::Viewer),
        password_hash: Some("$argon2id$other".to_owned()),
        ..PersonChange::default()
    };
    for change in [into(PersonRole::Admin), with_password] {
        assert_eq!(store.change_person(zoe, &change).await.done(), Err(ChangePersonError::LastOwner));
    }
    assert_eq!(store.delete_person(zoe).await.done(), Err(ChangePersonError::LastOwner));
    assert!(store.people().await.done() == people, "nobody was to change");
    assert_eq!(store.change_person(zoe, &into(PersonRole::Owner)).await.done(), Ok(()));
    assert_eq!(store.change_person(adam, &into(PersonRole::Viewer)).await.done(), Ok(()));
    assert_eq!(store.change_person(adam, &into(PersonRole::Owner)).await.done(), Ok(()));

    let chosen = PersonChange {
        password_hash: Some("$argon2id$chosen".to_owned()),
        ..PersonChange::default()
    };
    assert_eq!(store.change_person(adam, &chosen).await.done(), Ok(()));
    assert_eq!(
        store.change_person(zoe, &into(PersonRole::Admin)).await.done(),
        Ok(()),
        "there is another now"
    );
    assert_eq!(store.delete_person(adam).await.done(), Err(ChangePersonError::LastOwner));
    assert_eq!(store.change_person(mia, &into(PersonRole::Owner)).await.done(), Ok(()));
    assert_eq!(store.delete_person(adam).await.done(), Ok(()));
}

/// A person is removed once; the address is free then, and whoever takes it comes last.
pub async fn a_person_is_removed_once(store: &Arc<dyn Store>) {
    let (zoe, adam, mia) = (
        person("zoe@example.com", PersonRole::Owner),
        invited("adam@example.com", PersonRole::Owner),
        person("mia@example.com", PersonRole::Viewer),
    );
    for person in [&zoe, &adam, &mia] {
        store.create_person(person).await.done().done();
    }
    assert_eq!(store.delete_person(&adam.email).await.done(), Ok(()));
    assert_eq!(store.delete_person(&adam.email).await.done(), Err(ChangePersonError::NotFound));
    assert!(store.people().await.done() == [zoe.clone(), mia.clone()], "one was to go");
    store.create_person(&adam).await.done().done();
    assert!(store.people().await.done() == [zoe, mia, adam], "one was to come");
}
