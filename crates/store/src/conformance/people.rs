//! Credentials and people.

use std::sync::Arc;

use tidings_model::{Credential, Scopes};

use super::world::{Done, World, at, credential};
use crate::{NameTaken, Person, PersonRole, Store};

/// The id of the first master key stays, whatever is said later.
pub async fn the_first_master_key_is_kept(store: &Arc<dyn Store>) {
    let (first, second) = ([1, 2, 3, 4], [5, 6, 7, 8]);
    assert_eq!(store.keep_master_key(first).await.done(), first);
    assert_eq!(store.keep_master_key(second).await.done(), first);
    assert_eq!(store.keep_master_key(first).await.done(), first);
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
    let person = |email: &str, role| Person {
        email: email.to_owned(),
        role,
        password_hash: format!("$argon2id$v=19$m=19456,t=2,p=1$salt${email}"),
        created_at: at(5),
    };
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
