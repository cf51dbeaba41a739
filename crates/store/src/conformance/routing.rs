//! The routing version: what raises it, and what does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidings_model::{DisableReason, EnvironmentId, Settings, Verdict, Webhook};

use super::world::{Done, World, at, credential, environment, environment_id, event_type, key, webhook};
use crate::{EnvironmentChange, Store};

async fn versions(store: &Arc<dyn Store>) -> BTreeMap<EnvironmentId, u64> {
    let versions: BTreeMap<_, _> = store.routing_versions().await.done().into_iter().collect();
    for (id, version) in &versions {
        assert_eq!(store.routing(*id).await.done().done().version, *version);
    }
    versions
}

/// Watches the versions of a world and of its neighbour.
struct Watch<'a> {
    world: &'a World,
    seen: BTreeMap<EnvironmentId, u64>,
}

impl Watch<'_> {
    /// What just happened raised the version of the world, and of nothing else.
    async fn raised(&mut self, by: &str) {
        let now = versions(&self.world.store).await;
        for (id, version) in &now {
            let before = self.seen[id];
            if *id == self.world.environment {
                assert!(*version > before, "{by} was to raise the version");
            } else {
                assert_eq!(*version, before, "{by} raised the version of another environment");
            }
        }
        self.seen = now;
    }

    /// What just happened raised nothing.
    async fn stayed(&self, after: &str) {
        assert_eq!(versions(&self.world.store).await, self.seen, "after {after}");
    }
}

/// Every change of what matching and sending depend on raises the version of its environment, and of no other.
pub async fn every_change_raises_the_version_of_its_environment_alone(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let id = world.environment;
    let mut watch = Watch {
        world: &world,
        seen: versions(store).await,
    };

    let change = EnvironmentChange {
        name: Some("Renamed".to_owned()),
        settings: None,
    };
    store.change_environment(id, &change).await.done().done();
    watch.raised("a new name").await;
    let change = EnvironmentChange {
        name: None,
        settings: Some(Settings {
            http_allowed: true,
            ..Settings::default()
        }),
    };
    store.change_environment(id, &change).await.done().done();
    watch.raised("new settings").await;
    store.create_event_type(id, &event_type("order.paid")).await.done().done();
    watch.raised("a new event type").await;
    assert!(store.delete_event_type(id, &key("order.paid")).await.done());
    watch.raised("the removal of an event type").await;
    store.copy_environment(other.environment, id, at(1)).await.done().done();
    watch.raised("a copy").await;
    let hook = world.webhook(1).await;
    watch.raised("a new webhook").await;
    let read = world.read(hook).await;
    store
        .replace_webhook(
            &Webhook {
                updated_at: at(2),
                ..read.clone()
            },
            read.updated_at,
        )
        .await
        .done()
        .done();
    watch.raised("a replaced webhook").await;
    assert!(store.disable_webhook(hook, DisableReason::Gone, at(3)).await.done());
    watch.raised("a disabled webhook").await;
    assert!(store.delete_webhook(id, hook, at(4)).await.done());
    watch.raised("a deleted webhook").await;
}

/// What is refused, and what is no configuration, leaves every version as it is: an append is not to fail for it.
pub async fn nothing_else_raises_a_version(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    world.beside(2).await;
    let id = world.environment;
    let hook = world.webhook(1).await;
    store.create_event_type(id, &event_type("order.paid")).await.done().done();
    let watch = Watch {
        world: &world,
        seen: versions(store).await,
    };

    let taken = EnvironmentChange {
        name: Some("environment 2".to_owned()),
        settings: None,
    };
    assert!(store.change_environment(id, &taken).await.done().is_err());
    assert!(store.create_event_type(id, &event_type("order.paid")).await.done().is_err());
    assert!(!store.delete_event_type(id, &key("order.lost")).await.done());
    assert!(store.replace_webhook(&world.read(hook).await, at(77)).await.done().is_err());
    assert!(!store.delete_webhook(id, webhook(id, 7).id, at(1)).await.done());
    assert!(!store.disable_webhook(webhook(id, 7).id, DisableReason::Gone, at(1)).await.done());
    assert!(store.create_environment(&environment(3, "ENVIRONMENT 1")).await.done().is_err());
    watch.stayed("what was refused").await;

    store.create_credential(&credential(1, id)).await.done();
    assert!(store.delete_credential(id, &credential(1, id).id).await.done());
    watch.stayed("a credential").await;

    world.publish(at(1), &[hook]).await;
    world.attempt(hook, Verdict::Exhausted, at(1)).await;
    store.prune(id, at(9), 10).await.done();
    watch.stayed("an event on its road").await;
}

/// Whoever knows a routing learns what has changed since, and nothing else; what was changed in between and then deleted is deleted.
pub async fn what_has_changed_since_a_version_is_told_alone(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let [kept, replaced, disabled, deleted] = [
        world.webhook(1).await,
        world.webhook(2).await,
        world.webhook(3).await,
        world.webhook(4).await,
    ];
    let since = world.version().await;
    let changes = async |since| {
        let changes = store.routing_changes(world.environment, since).await.done().done();
        let whole = store.routing(world.environment).await.done().done();
        assert_eq!(
            (changes.routing.version, &changes.routing.settings, &changes.routing.event_types),
            (whole.version, &whole.settings, &whole.event_types)
        );
        for webhook in &changes.routing.webhooks {
            assert!(whole.webhooks.contains(webhook), "{} as it is now", webhook.id);
        }
        let changed: Vec<_> = changes.routing.webhooks.iter().map(|webhook| webhook.id).collect();
        (changed, changes.deleted)
    };
    assert_eq!(changes(since).await, (Vec::new(), Vec::new()));

    let read = world.read(replaced).await;
    let rewritten = Webhook {
        updated_at: at(2),
        ..read.clone()
    };
    store.replace_webhook(&rewritten, read.updated_at).await.done().done();
    let after_replacing = world.version().await;
    assert!(store.disable_webhook(disabled, DisableReason::Gone, at(3)).await.done());
    assert!(store.delete_webhook(world.environment, deleted, at(4)).await.done());
    let added = world.webhook(5).await;
    let brief = world.webhook(6).await;
    assert!(store.delete_webhook(world.environment, brief, at(5)).await.done());
    store
        .create_event_type(world.environment, &event_type("order.paid"))
        .await
        .done()
        .done();
    other.webhook(7).await;

    assert_eq!(changes(since).await, (vec![replaced, disabled, added], vec![deleted, brief]));
    assert_eq!(changes(after_replacing).await, (vec![disabled, added], vec![deleted, brief]));
    assert_eq!(changes(world.version().await).await, (Vec::new(), Vec::new()));
    assert!(changes(0).await.0.contains(&kept), "from the beginning, everything");
}

/// An environment that does not exist has no routing.
pub async fn an_unknown_environment_has_no_routing(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    assert!(store.routing(environment_id(9)).await.done().is_none());
    assert!(store.routing_changes(environment_id(9), 1).await.done().is_none());
    let routing = store.routing(world.environment).await.done().done();
    assert_eq!((routing.environment, routing.settings), (world.environment, Settings::default()));
    assert_eq!((routing.event_types, routing.webhooks), (Vec::new(), Vec::new()));
}
