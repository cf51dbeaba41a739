//! Two nodes on one store: what one of them changes, the other goes by with its next beat.

use std::sync::Arc;

use tidings_app::App;
use tidings_app::keys::MasterKeys;
use tidings_runtime::{Shutdown, TaskSet};
use tidings_signing::MasterKey;
use tidings_store::BEAT_EVERY;

use crate::support::{CLIENT_ID, CLIENT_SECRET, MASTER_KEY, World, app_with};

/// Another node of the same store and the same time.
async fn neighbour(world: &World) -> Arc<App> {
    let keys = MasterKeys::given(MasterKey::from_bytes(MASTER_KEY));
    let tasks = TaskSet::new(Shutdown::new());
    Arc::new(app_with(keys, &world.store, &world.clock, &world.network, &tasks).await)
}

/// Lets every node beat, and do what follows from it.
async fn beat(world: &World) {
    for _ in 0..2 {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        world.clock.advance(BEAT_EVERY);
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_credential_is_known_to_every_node_and_so_is_its_end() {
    let world = World::new().await;
    let neighbour = neighbour(&world).await;
    let made = world
        .app
        .create_credential(&world.operator, world.operator.environment(), "billing", None)
        .await
        .unwrap();
    let (id, secret) = (&made.credential.id, &made.secret);
    beat(&world).await;
    let token = neighbour.vendor_token(id.as_str(), secret).unwrap().token;
    assert!(neighbour.authenticate_token(&token).is_ok());

    world
        .app
        .revoke_credential(&world.operator, world.operator.environment(), id.clone())
        .await
        .unwrap();
    beat(&world).await;
    assert!(neighbour.authenticate_basic(id.as_str(), secret).is_err());
    assert!(neighbour.authenticate_token(&token).is_err());
}

#[tokio::test]
async fn an_environment_is_known_to_every_node() {
    let world = World::new().await;
    let neighbour = neighbour(&world).await;
    let there = world.stranger().await; // of an environment that is made meanwhile
    beat(&world).await;
    assert!(neighbour.event_types(&there).is_ok());
}

#[tokio::test]
async fn tokens_that_were_ended_on_one_node_are_refused_by_every_other() {
    let world = World::new().await;
    let neighbour = neighbour(&world).await;
    let token = neighbour.vendor_token(CLIENT_ID, CLIENT_SECRET).unwrap().token;
    assert!(neighbour.authenticate_token(&token).is_ok());

    world.app.rotate_token_key(&world.operator, true).await.unwrap();
    beat(&world).await;
    assert!(neighbour.authenticate_token(&token).is_err(), "it was signed with the key before");
    let token = neighbour.vendor_token(CLIENT_ID, CLIENT_SECRET).unwrap().token;
    assert!(world.app.authenticate_token(&token).is_ok());
}

#[tokio::test]
async fn every_node_is_shown_with_the_one_that_answers() {
    let world = World::new().await;
    let neighbour = neighbour(&world).await;
    for app in [&world.app, &neighbour] {
        let nodes = app.nodes(&world.operator).await.unwrap();
        assert_eq!(nodes.iter().filter(|shown| shown.answers).count(), 1);
        assert!(nodes.len() >= 2, "{nodes:?}");
    }
    let tenant = world.tenant("acme");
    assert!(neighbour.nodes(&tenant).await.is_err(), "a tenant sees none");
}
