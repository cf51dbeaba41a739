//! Master keys, the server's own keys, and what they seal.

use std::sync::Arc;

use tidings_model::{SealedSecret, SealedSecretSet, Webhook};

use super::world::{Done, World, at, webhook};
use crate::{
    MasterKeyId, MasterKeyState, MasterKeyUse, NewServerKey, Reseal, SealedPlace, SealedWebhook, ServerKey, ServerKeyPurpose, Store,
};

const FIRST: MasterKeyId = [1, 2, 3, 4];
const SECOND: MasterKeyId = [5, 6, 7, 8];

/// What looks like an envelope of that key.
fn sealed(key: MasterKeyId, content: u8) -> SealedSecret {
    SealedSecret([&[1], key.as_slice(), &[content; 12]].concat())
}

/// A webhook that keeps everything that a webhook can keep.
fn full(world: &World, number: u16, key: MasterKeyId) -> Webhook {
    Webhook {
        secrets: SealedSecretSet {
            current: Some(sealed(key, 1)),
            rotating_out: Some((sealed(key, 2), at(99))),
        },
        headers: Some(sealed(key, 3)),
        ..webhook(world.environment, number)
    }
}

fn kept(of: &Webhook) -> SealedWebhook {
    SealedWebhook {
        environment: of.environment,
        id: of.id,
        secrets: of.secrets.clone(),
        headers: of.headers.clone(),
    }
}

fn uses(id: MasterKeyId, state: MasterKeyState, since: i64, sealed: u64) -> MasterKeyUse {
    MasterKeyUse {
        id,
        state,
        since: at(since),
        sealed,
    }
}

/// The id of the first master key stays, whatever is said later.
pub async fn the_first_master_key_is_kept(store: &Arc<dyn Store>) {
    assert!(!store.change_master_key(FIRST, at(0)).await.done(), "none is kept yet");
    assert_eq!(store.keep_master_key(FIRST, at(1)).await.done(), FIRST);
    assert_eq!(store.keep_master_key(SECOND, at(2)).await.done(), FIRST);
    assert_eq!(store.keep_master_key(FIRST, at(3)).await.done(), FIRST);
    assert_eq!(store.master_keys().await.done(), [uses(FIRST, MasterKeyState::Current, 1, 0)]);
}

/// A master key is retired when nothing is left of what it sealed, and not before.
pub async fn a_master_key_is_retired_when_it_seals_nothing(store: &Arc<dyn Store>) {
    use MasterKeyState::{Current, Retired, Retiring};
    let world = World::new(store).await;
    store.keep_master_key(FIRST, at(1)).await.done();
    let webhook = full(&world, 1, FIRST);
    assert!(store.create_webhook(&webhook).await.done().is_ok());
    assert!(!store.retire_master_key(FIRST).await.done(), "it is the current one");

    assert!(store.change_master_key(SECOND, at(2)).await.done());
    assert!(!store.change_master_key(SECOND, at(3)).await.done());
    assert!(!store.retire_master_key(FIRST).await.done(), "it seals a webhook");
    assert_eq!(
        store.master_keys().await.done(),
        [uses(SECOND, Current, 2, 0), uses(FIRST, Retiring, 1, 3)]
    );

    assert!(store.delete_webhook(world.environment, webhook.id, at(4)).await.done());
    assert!(store.retire_master_key(FIRST).await.done());
    assert!(!store.retire_master_key(FIRST).await.done(), "once");
    assert_eq!(
        store.master_keys().await.done(),
        [uses(SECOND, Current, 2, 0), uses(FIRST, Retired, 1, 0)]
    );
    assert!(store.change_master_key(FIRST, at(5)).await.done(), "and back");
    assert_eq!(
        store.master_keys().await.done(),
        [uses(FIRST, Current, 5, 0), uses(SECOND, Retiring, 2, 0)]
    );
}

/// What other keys sealed is found page by page, and what the key itself sealed is not.
pub async fn what_another_key_sealed_is_found_by_pages(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let mut half = full(&other, 2, SECOND);
    half.headers = Some(sealed(FIRST, 3));
    let webhooks = [
        full(&world, 1, FIRST),
        half,
        full(&world, 3, SECOND),
        webhook(world.environment, 4),
        full(&world, 5, FIRST),
    ];
    for webhook in &webhooks {
        assert!(store.create_webhook(webhook).await.done().is_ok());
    }
    let [first, half, _, _, last] = &webhooks;
    let page = store.sealed_webhooks(SECOND, None, 2).await.done();
    assert_eq!(page, [kept(first), kept(half)]);
    assert_eq!(store.sealed_webhooks(SECOND, Some(half.id), 2).await.done(), [kept(last)]);
    assert_eq!(store.sealed_webhooks(SECOND, Some(last.id), 2).await.done(), []);
}

/// Sealing anew replaces what is still there, and changes nothing else of a webhook.
pub async fn a_value_is_sealed_anew_only_where_it_did_not_change(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let (mut held, mut changed) = (full(&world, 1, FIRST), full(&world, 2, FIRST));
    for webhook in [&held, &changed] {
        assert!(store.create_webhook(webhook).await.done().is_ok());
    }
    let found = store.sealed_webhooks(SECOND, None, 10).await.done();
    assert_eq!(found, [kept(&held), kept(&changed)]);

    let read = changed.updated_at;
    changed.secrets.current = Some(sealed(SECOND, 77));
    changed.headers = None;
    changed.updated_at = at(50);
    store.replace_webhook(&changed, read).await.done().done();
    let version = store.routing_versions().await.done();

    let resealed = |place, content| Reseal {
        place,
        from: sealed(FIRST, content),
        to: sealed(SECOND, content),
    };
    let values = [held.id, changed.id].into_iter().flat_map(|id| {
        [
            resealed(SealedPlace::Secret(id), 1),
            resealed(SealedPlace::RotatingOut(id), 2),
            resealed(SealedPlace::Headers(id), 3),
        ]
    });
    assert_eq!(store.reseal(values.collect()).await.done(), 4);

    held.secrets = full(&world, 1, SECOND).secrets;
    held.headers = Some(sealed(SECOND, 3));
    changed.secrets.rotating_out = Some((sealed(SECOND, 2), at(99)));
    for webhook in [held, changed] {
        let found = store.webhook(world.environment, webhook.id).await.done().done();
        assert_eq!(found.webhook, webhook);
    }
    assert_eq!(store.routing_versions().await.done(), version);
    assert_eq!(store.sealed_webhooks(SECOND, None, 10).await.done(), []);
}

/// Of each purpose one of the server's own keys is in use, and the others end.
pub async fn one_of_the_servers_own_keys_is_in_use(store: &Arc<dyn Store>) {
    let new = |purpose, replaces, content, now, older_until| NewServerKey {
        purpose,
        replaces,
        sealed: sealed(FIRST, content),
        at: at(now),
        older_until: at(older_until),
    };
    let (tokens, secrets) = (ServerKeyPurpose::AccessTokens, ServerKeyPurpose::ClientSecrets);
    store.keep_master_key(FIRST, at(0)).await.done();
    assert!(store.change_server_key(&new(tokens, None, 1, 1, 1)).await.done());
    assert!(!store.change_server_key(&new(tokens, None, 2, 1, 1)).await.done(), "there is one");
    assert!(store.change_server_key(&new(secrets, None, 3, 1, 1)).await.done());
    let keys = store.server_keys().await.done();
    let first = ServerKey {
        number: keys[0].number,
        purpose: tokens,
        sealed: sealed(FIRST, 1),
        made_at: at(1),
        ends_at: None,
    };
    assert_eq!((&keys[0], keys[1].purpose), (&first, secrets));

    assert!(store.change_server_key(&new(tokens, Some(first.number), 4, 10, 100)).await.done());
    assert!(
        !store.change_server_key(&new(tokens, Some(first.number), 5, 10, 10)).await.done(),
        "it is not in use"
    );
    let keys = store.server_keys().await.done();
    let (second, ends) = (keys[2].number, keys.iter().map(|key| key.ends_at).collect::<Vec<_>>());
    assert_eq!(ends, [Some(at(100)), None, None]);

    assert!(store.change_server_key(&new(tokens, Some(second), 6, 20, 50)).await.done());
    let ends: Vec<_> = store.server_keys().await.done().iter().map(|key| key.ends_at).collect();
    assert_eq!(ends, [Some(at(50)), None, Some(at(50)), None], "the earlier end holds");

    let place = SealedPlace::ServerKey(second);
    let (from, to) = (sealed(FIRST, 4), sealed(SECOND, 4));
    let reseal = Reseal { place, from, to };
    assert_eq!(store.reseal(vec![reseal.clone(), reseal]).await.done(), 1);
    assert_eq!(store.master_keys().await.done(), [uses(FIRST, MasterKeyState::Current, 0, 3)]);

    let third = store.server_keys().await.done()[3].number;
    assert!(store.change_server_key(&new(tokens, Some(third), 7, 60, 60)).await.done());
    let left: Vec<_> = store.server_keys().await.done().iter().map(|key| key.sealed.clone()).collect();
    assert_eq!(left, [sealed(FIRST, 3), sealed(FIRST, 7)], "what has ended is forgotten");
}
