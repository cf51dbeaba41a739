//! Environments: adding, changing, deleting, copying.

use std::sync::Arc;

use tidings_model::{CancelReason, Environment, EnvironmentId, EventId, RetrySchedule, Settings, Timestamp, Verdict};

use super::world::{Done, World, at, credential, environment, environment_id, event_type, key, nth, settlement};
use crate::{
    AppendRefusal, CopyReport, CustomEventType, DeleteEnvironmentError, EnvironmentChange, EnvironmentHolds, EventFilter, NameTaken, Page,
    Pruned, Settled, Store, WebhookFilter,
};

/// Settings of which none is the default.
fn unusual_settings() -> Settings {
    let retry_schedule = RetrySchedule::new(vec![0, 7, 7, 604_800]).expect("a good schedule");
    Settings {
        http_allowed: true,
        retry_schedule,
        timeout_ms: 59_999,
        retention_days: 3_650,
    }
}

async fn names(store: &Arc<dyn Store>) -> Vec<String> {
    store
        .environments()
        .await
        .done()
        .into_iter()
        .map(|environment| environment.name)
        .collect()
}

async fn prune(world: &World, before: Timestamp) -> Pruned {
    world.store.prune(world.environment, before, 100).await.done()
}

/// Two environments cannot have names that differ only in ASCII case, neither by creation nor by change; an environment can change its own.
pub async fn names_are_unique_without_regard_to_ascii_case(store: &Arc<dyn Store>) {
    store.create_environment(&environment(1, "Production")).await.done().done();
    assert_eq!(store.create_environment(&environment(2, "PRODUCTION")).await.done(), Err(NameTaken));
    store.create_environment(&environment(2, "Développement")).await.done().done();
    store.create_environment(&environment(3, "DÉveloppement")).await.done().done();

    let named = |name: &str| EnvironmentChange {
        name: Some(name.to_owned()),
        settings: None,
    };
    assert_eq!(
        store.change_environment(environment_id(2), &named("production")).await.done(),
        Err(NameTaken)
    );
    let changed = store
        .change_environment(environment_id(1), &named("PRODUCTION"))
        .await
        .done()
        .done()
        .done();
    assert_eq!(changed.name, "PRODUCTION");
    assert_eq!(names(store).await, ["PRODUCTION", "Développement", "DÉveloppement"]);
}

/// Environments come back whole, in the order in which they were added, whatever their times and ids.
pub async fn environments_come_in_the_order_in_which_they_were_added(store: &Arc<dyn Store>) {
    let added: Vec<_> = [(3, at(20)), (1, at(10)), (2, at(0))]
        .map(|(number, created_at)| Environment {
            created_at,
            settings: unusual_settings(),
            ..environment(number, &number.to_string())
        })
        .into();
    for environment in &added {
        store.create_environment(environment).await.done().done();
    }
    assert_eq!(store.environments().await.done(), added);
}

/// A change leaves alone what it does not name, and says what the environment is then.
pub async fn a_change_leaves_the_rest_of_an_environment_as_it_was(store: &Arc<dyn Store>) {
    let before = environment(1, "QA");
    store.create_environment(&before).await.done().done();

    let change = EnvironmentChange {
        name: None,
        settings: Some(unusual_settings()),
    };
    let expected = Environment {
        settings: unusual_settings(),
        ..before
    };
    assert_eq!(
        store.change_environment(expected.id, &change).await.done().done(),
        Some(expected.clone())
    );

    let change = EnvironmentChange {
        name: Some("Staging".to_owned()),
        settings: None,
    };
    let expected = Environment {
        name: "Staging".to_owned(),
        ..expected
    };
    assert_eq!(
        store.change_environment(expected.id, &change).await.done().done(),
        Some(expected.clone())
    );
    assert_eq!(store.environments().await.done(), [expected]);
    assert_eq!(
        store.change_environment(environment_id(9), &change).await.done(),
        Ok(None),
        "there is none of that id"
    );
}

/// Without force, whatever an environment holds keeps it, and is counted.
pub async fn an_environment_that_holds_something_is_deleted_by_force_alone(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let id = world.environment;
    let refused = |holds| Err(DeleteEnvironmentError::Holds(holds));
    let mut holds = EnvironmentHolds::default();

    store.create_event_type(id, &event_type("order.paid")).await.done().done();
    holds.event_types = 1;
    assert_eq!(store.delete_environment(id, false).await.done(), refused(holds));

    store.create_credential(&credential(1, id)).await.done();
    store.create_credential(&credential(2, id)).await.done();
    holds.credentials = 2;
    assert_eq!(store.delete_environment(id, false).await.done(), refused(holds));

    let webhook = world.webhook(1).await;
    holds.webhooks = 1;
    assert_eq!(store.delete_environment(id, false).await.done(), refused(holds));

    world.publish(at(0), &[webhook]).await;
    world.publish(at(0), &[]).await;
    holds.events = 2;
    assert_eq!(store.delete_environment(id, false).await.done(), refused(holds));

    assert_eq!(
        store.delete_environment(environment_id(9), true).await.done(),
        Err(DeleteEnvironmentError::NotFound)
    );
    assert_eq!(names(store).await.len(), 1, "nothing was deleted");
    store.delete_environment(id, true).await.done().done();
    assert_eq!(
        store.delete_environment(id, true).await.done(),
        Err(DeleteEnvironmentError::NotFound)
    );
}

/// What an environment holds of events is counted up to a thousand.
pub async fn held_events_are_counted_up_to_a_thousand(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let event = world.event(at(0), &[]).await;
    store.append(vec![event; 1_001]).await.done();
    let holds = EnvironmentHolds {
        events: 1_000,
        ..EnvironmentHolds::default()
    };
    assert_eq!(
        store.delete_environment(world.environment, false).await.done(),
        Err(DeleteEnvironmentError::Holds(holds))
    );
}

/// An environment that is empty, or has become so, is deleted without force, and its name is free.
pub async fn an_empty_environment_is_deleted(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    assert!(store.delete_webhook(world.environment, webhook, at(0)).await.done());
    world.publish(at(0), &[]).await;
    prune(&world, at(1)).await;

    store.delete_environment(world.environment, false).await.done().done();
    assert_eq!(store.environments().await.done(), []);
    assert_eq!(store.deleted_environments().await.done(), [], "nothing of it is left to prune");
    store.create_environment(&environment(2, "Environment 1")).await.done().done();
}

/// By force, what is configured goes at once, and that of other environments stays.
pub async fn force_deletes_what_is_configured_at_once(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    for (number, world) in [(1, &world), (2, &other)] {
        world.webhook(number).await;
        store.create_credential(&credential(number as u8, world.environment)).await.done();
        store
            .create_event_type(world.environment, &event_type("order.paid"))
            .await
            .done()
            .done();
    }
    let stale = world.event(at(0), &[]).await;
    store.delete_environment(world.environment, true).await.done().done();

    let webhooks = async |id: EnvironmentId| store.webhooks(id, &WebhookFilter::default(), Page::first(10)).await.done().len();
    assert_eq!(webhooks(world.environment).await, 0);
    assert_eq!(webhooks(other.environment).await, 1);
    assert_eq!(store.credentials().await.done(), [credential(2, other.environment)]);
    assert!(store.routing(world.environment).await.done().is_none());
    assert_eq!(store.routing(other.environment).await.done().done().event_types.len(), 1);
    let versions: Vec<_> = store.routing_versions().await.done().into_iter().map(|(id, _)| id).collect();
    assert_eq!(versions, [other.environment]);
    assert_eq!(store.append(vec![stale]).await.done(), [Err(AppendRefusal::NoEnvironment)]);
    assert_eq!(store.deleted_environments().await.done(), [], "it had no events");
}

/// By force, events go by pruning, as soon as nothing of them is pending: what is leased may still be settled, the rest is cancelled.
pub async fn the_events_of_a_deleted_environment_go_by_pruning(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let webhook = world.webhook(1).await;
    world.publish(at(0), &[webhook]).await;
    let leased = world.lease_one(webhook, at(0)).await;
    let waiting = world.publish(at(0), &[webhook]).await;
    let kept = other.publish(at(0), &[]).await;
    store.delete_environment(world.environment, true).await.done().done();

    assert_eq!(store.deleted_environments().await.done(), [world.environment]);
    let due = world.due().await;
    assert_eq!(due.len(), 1);
    assert_eq!(
        (due[0].webhook, due[0].environment, due[0].next_due),
        (webhook, world.environment, at(0))
    );
    assert_eq!(due[0].cancelled, Some(CancelReason::WebhookDeleted));
    assert_eq!(prune(&world, at(10)).await, Pruned { events: 0, more: false }, "both are pending");

    assert_eq!(
        world.settle(settlement(&leased, Verdict::Delivered, at(1))).await,
        Settled::Recorded { failing_since: None }
    );
    assert_eq!(store.cancel_pending(webhook, at(2), 10).await.done(), 1);
    assert_eq!(world.due().await, []);
    assert_eq!(prune(&world, at(10)).await, Pruned { events: 2, more: false });
    assert_eq!(store.deleted_environments().await.done(), []);

    assert!(store.event(world.environment, waiting).await.done().is_none());
    let left: Vec<EventId> = store
        .events(&EventFilter::of(other.environment), Page::first(10))
        .await
        .done()
        .into_iter()
        .map(|event| event.id)
        .collect();
    assert_eq!(left, [kept]);
    assert!(store.delivery(world.environment, nth(waiting, 0), at(10)).await.done().is_none());
}

/// A copy takes settings and event types, leaves those that are there, and says what it left behind.
pub async fn a_copy_takes_settings_and_event_types_alone(store: &Arc<dyn Store>) {
    let from = World::new(store).await;
    let to = from.beside(2).await;
    let change = EnvironmentChange {
        name: None,
        settings: Some(unusual_settings()),
    };
    store.change_environment(from.environment, &change).await.done().done();
    for text in ["order.shipped", "order.paid", "order.lost"] {
        store.create_event_type(from.environment, &event_type(text)).await.done().done();
    }
    let own = CustomEventType {
        description: "Its own.".to_owned(),
        ..event_type("order.paid")
    };
    store.create_event_type(to.environment, &own).await.done().done();
    let webhook = from.webhook(1).await;
    from.publish(at(0), &[webhook]).await;
    store.create_credential(&credential(1, from.environment)).await.done();

    let report = store.copy_environment(from.environment, to.environment, at(5)).await.done().done();
    let expected = CopyReport {
        event_types_copied: vec![key("order.lost"), key("order.shipped")],
        event_types_kept: vec![key("order.paid")],
        webhooks_left: 1,
        credentials_left: 1,
    };
    assert_eq!(report, expected);
    let routing = store.routing(to.environment).await.done().done();
    assert_eq!(routing.settings, unusual_settings());
    assert_eq!(routing.webhooks, []);
    let (mut lost, mut shipped) = (event_type("order.lost"), event_type("order.shipped"));
    (lost.created_at, shipped.created_at) = (at(5), at(5));
    assert_eq!(routing.event_types, [lost, own, shipped]);
    assert_eq!(store.credentials().await.done().len(), 1);
    assert_eq!(store.events(&EventFilter::of(to.environment), Page::first(10)).await.done(), []);
    assert_eq!(names(store).await, ["Environment 1", "Environment 2"]);

    assert_eq!(
        store.copy_environment(from.environment, environment_id(9), at(6)).await.done(),
        None
    );
    assert_eq!(store.copy_environment(environment_id(9), to.environment, at(6)).await.done(), None);
}

/// What an environment holds is what would keep it from being deleted.
pub async fn what_an_environment_holds_is_told(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let holds = async |id| store.environment_holds(id).await.done();
    assert_eq!(holds(world.environment).await, Some(EnvironmentHolds::default()));

    let (webhook, gone) = (world.webhook(1).await, world.webhook(2).await);
    store.delete_webhook(world.environment, gone, at(1)).await.done();
    store.create_credential(&credential(1, world.environment)).await.done();
    for key in ["order.paid", "order.sent"] {
        store.create_event_type(world.environment, &event_type(key)).await.done().done();
    }
    for _ in 0..3 {
        world.publish(at(1), &[webhook]).await;
    }
    let held = EnvironmentHolds {
        webhooks: 1,
        event_types: 2,
        credentials: 1,
        events: 3,
    };
    assert_eq!(holds(world.environment).await, Some(held));
    assert_eq!(holds(other.environment).await, Some(EnvironmentHolds::default()));

    let event = world.event(at(1), &[]).await;
    store.append(vec![event; 1_000]).await.done();
    assert_eq!(holds(world.environment).await.done().events, 1_000);
    store.delete_environment(world.environment, true).await.done().done();
    assert_eq!(holds(world.environment).await, None);
    assert_eq!(holds(environment_id(9)).await, None);
}
