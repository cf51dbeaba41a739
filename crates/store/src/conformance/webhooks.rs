//! Webhooks: adding, finding, replacing, disabling, deleting.

use std::sync::Arc;

use tidings_model::{
    DisableReason, SealedSecret, SealedSecretSet, Subscription, Timestamp, Verdict, Webhook, WebhookHealth, WebhookId, WebhookState,
};

use super::world::{Done, World, at, at_ms, environment_id, page, tenant, webhook};
use crate::{CreateWebhookError, Page, ReplaceWebhookError, Store, WebhookFilter, WebhookWithHealth};

fn sealed(bytes: &[u8]) -> SealedSecret {
    SealedSecret(bytes.to_vec())
}

const fn disabled(at: Timestamp, why: DisableReason) -> WebhookState {
    WebhookState::Disabled { at, why }
}

/// The same webhook with every field that can change changed.
fn rewritten(webhook: &Webhook) -> Webhook {
    Webhook {
        tenant: Some(tenant("tenant-1")),
        name: "Größer 🙂 'quoted' \"twice\"".to_owned(),
        description: "Two\nlines".to_owned(),
        url: "https://receiver.example/path?query=%20".to_owned(),
        secrets: SealedSecretSet {
            current: Some(sealed(&[0, 255, 1])),
            rotating_out: Some((sealed(&[7; 40]), at(99))),
        },
        subscription: Subscription::parse(["order.placed", "Users & Accounts.*", "order.paid"]).expect("good patterns"),
        headers: Some(sealed(b"\x00headers")),
        state: disabled(at(3), DisableReason::Operator),
        updated_at: at(50),
        ..webhook.clone()
    }
}

async fn listed(world: &World, filter: &WebhookFilter, page: Page<WebhookId>) -> Vec<WebhookId> {
    let found = world.store.webhooks(world.environment, filter, page).await.done();
    found.into_iter().map(|held| held.webhook.id).collect()
}

/// A webhook comes back as it was given, from every verb that shows it, with a health of nothing.
pub async fn a_webhook_comes_back_whole(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let plain = webhook(world.environment, 1);
    let mut all = vec![
        plain.clone(),
        Webhook {
            id: WebhookId::new(at(2), 2),
            ..rewritten(&plain)
        },
    ];
    for (number, why) in [(3, DisableReason::Gone), (4, DisableReason::Failing)] {
        all.push(Webhook {
            state: disabled(at(9), why),
            ..webhook(world.environment, number)
        });
    }
    all.sort_by_key(|webhook| webhook.id);
    for webhook in &all {
        world.add(webhook.clone()).await;
        let held = store.webhook(world.environment, webhook.id).await.done().done();
        assert_eq!(
            held,
            WebhookWithHealth {
                webhook: webhook.clone(),
                health: WebhookHealth::default()
            }
        );
    }
    assert_eq!(store.routing(world.environment).await.done().done().webhooks, all);
    let listed = store
        .webhooks(world.environment, &WebhookFilter::default(), Page::first(10))
        .await
        .done();
    let listed: Vec<_> = listed.into_iter().rev().map(|held| held.webhook).collect();
    assert_eq!(listed, all);
}

/// An id is given to one webhook, in whichever environment, and to none after it.
pub async fn an_id_belongs_to_one_webhook_for_ever(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let id = world.webhook(1).await;
    let before = world.read(id).await;
    let versions = store.routing_versions().await.done();
    for again in [webhook(world.environment, 1), webhook(other.environment, 1)] {
        assert_eq!(store.create_webhook(&again).await.done(), Err(CreateWebhookError::IdTaken));
        assert_eq!(world.read(id).await, before);
    }
    assert_eq!(store.routing_versions().await.done(), versions, "nothing was changed");
    assert!(store.delete_webhook(world.environment, id, at(1)).await.done());
    let again = webhook(other.environment, 1);
    assert_eq!(store.create_webhook(&again).await.done(), Err(CreateWebhookError::IdTaken));
}

/// No webhook is added to an environment that does not exist, and none is found from another environment than its own.
pub async fn a_webhook_exists_in_its_environment_alone(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let refused = store.create_webhook(&webhook(environment_id(9), 9)).await.done();
    assert_eq!(refused, Err(CreateWebhookError::NoEnvironment));

    let id = world.webhook(1).await;
    let before = world.read(id).await;
    assert!(store.webhook(other.environment, id).await.done().is_none());
    assert_eq!(listed(&other, &WebhookFilter::default(), Page::first(10)).await, []);
    assert!(!store.delete_webhook(other.environment, id, at(1)).await.done());
    let stolen = Webhook {
        environment: other.environment,
        ..before.clone()
    };
    assert_eq!(
        store.replace_webhook(&stolen, before.updated_at).await.done(),
        Err(ReplaceWebhookError::NotFound)
    );
    assert_eq!(world.read(id).await, before);
}

/// A list is newest first; a page begins after its cursor and its skipped rows and ends at its limit.
pub async fn webhooks_are_listed_newest_first_by_pages(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut ids = Vec::new();
    for number in [3, 1, 5, 2, 4] {
        ids.push(world.webhook(number).await);
    }
    ids.sort_unstable_by(|one, other| other.cmp(one));
    let all = WebhookFilter::default();
    assert_eq!(listed(&world, &all, Page::first(10)).await, ids);
    assert_eq!(listed(&world, &all, Page::first(2)).await, ids[..2]);
    assert_eq!(listed(&world, &all, page(Some(ids[1]), 0, 2)).await, ids[2..4]);
    assert_eq!(listed(&world, &all, page(Some(ids[1]), 1, 9)).await, ids[3..]);
    assert_eq!(listed(&world, &all, page(None, 5, 9)).await, []);
    assert_eq!(listed(&world, &all, page(None, 0, 0)).await, []);
}

/// A list is narrowed by tenant, by state and by a text in name or URL, of which no character is special.
pub async fn webhooks_are_narrowed_by_tenant_state_and_text(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let named = |number, name: &str, url: &str| Webhook {
        name: name.to_owned(),
        url: url.to_owned(),
        ..webhook(world.environment, number)
    };
    let billing = world.add(named(1, "Billing", "https://a.example/100%25")).await;
    let audit = world
        .add(Webhook {
            tenant: Some(tenant("acme")),
            ..named(2, "audit_log ÉTÉ", "https://b.example/x")
        })
        .await;
    let rival = world
        .add(Webhook {
            tenant: Some(tenant("rival")),
            ..named(3, "50% off", "https://a.example/BILLS")
        })
        .await;
    world.disable(rival).await;

    let search = async |text: &str| {
        listed(
            &world,
            &WebhookFilter {
                search: Some(text.to_owned()),
                ..WebhookFilter::default()
            },
            Page::first(10),
        )
        .await
    };
    assert_eq!(search("bill").await, [rival, billing], "name or URL, whatever the case");
    assert_eq!(search("A.EXAMPLE").await, [rival, billing]);
    assert_eq!(search("0%").await, [rival, billing]);
    assert_eq!(search("t_l").await, [audit], "_ stands for itself");
    assert_eq!(search("50%").await, [rival], "% stands for itself");
    assert_eq!(search("ÉtÉ").await, [audit]);
    assert_eq!(search("été").await, [], "beyond ASCII, case counts");
    assert_eq!(search("\\").await, []);

    let of = |name: &str| WebhookFilter {
        tenant: Some(tenant(name)),
        ..WebhookFilter::default()
    };
    assert_eq!(listed(&world, &of("acme"), Page::first(10)).await, [audit]);
    assert_eq!(listed(&world, &of("ACME"), Page::first(10)).await, []);
    let state = |active| WebhookFilter {
        active: Some(active),
        ..WebhookFilter::default()
    };
    assert_eq!(listed(&world, &state(true), Page::first(10)).await, [audit, billing]);
    assert_eq!(listed(&world, &state(false), Page::first(10)).await, [rival]);
    let all_three = |active| WebhookFilter {
        tenant: Some(tenant("rival")),
        search: Some("off".to_owned()),
        active: Some(active),
        in_trouble: false,
    };
    assert_eq!(listed(&world, &all_three(false), Page::first(10)).await, [rival]);
    assert_eq!(listed(&world, &all_three(true), Page::first(10)).await, []);
    assert_eq!(listed(&world, &state(true), page(Some(audit), 0, 10)).await, [billing]);
}

/// A webhook is replaced whole by whoever read it last, and by nobody else.
pub async fn a_webhook_is_replaced_by_who_read_it_last(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let bystander = world.webhook(2).await;
    let id = world.webhook(1).await;
    let read = world.read(id).await;
    let new = rewritten(&read);
    assert_eq!(store.replace_webhook(&new, read.updated_at).await.done(), Ok(()));
    assert_eq!(world.read(id).await, new);

    let late = Webhook {
        name: "Too late".to_owned(),
        updated_at: at(60),
        ..read.clone()
    };
    assert_eq!(
        store.replace_webhook(&late, read.updated_at).await.done(),
        Err(ReplaceWebhookError::Changed)
    );
    assert_eq!(world.read(id).await, new);
    assert_eq!(store.replace_webhook(&late, new.updated_at).await.done(), Ok(()));
    assert_eq!(world.read(id).await, late);
    assert_eq!(world.read(bystander).await, webhook(world.environment, 2));

    let unknown = webhook(world.environment, 7);
    assert_eq!(
        store.replace_webhook(&unknown, unknown.updated_at).await.done(),
        Err(ReplaceWebhookError::NotFound)
    );
}

/// A webhook that becomes active is not reproached with what was; any other replacement keeps its health.
pub async fn health_starts_anew_when_a_webhook_becomes_active(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let id = world.webhook(1).await;
    world.publish(at(1), &[id]).await;
    world.attempt(id, Verdict::Exhausted, at(1)).await;
    let failing = WebhookHealth {
        attempts: 1,
        failures: 1,
        last_attempt_at: Some(at(1)),
        failing_since: Some(at(1)),
    };
    let health = async || store.webhook(world.environment, id).await.done().done().health;
    assert_eq!(health().await, failing);

    let mut webhook = world.read(id).await;
    for (seconds, state, expected) in [
        (10, WebhookState::Active, failing),
        (11, disabled(at(11), DisableReason::Operator), failing),
        (12, disabled(at(11), DisableReason::Failing), failing),
        (13, WebhookState::Active, WebhookHealth::default()),
    ] {
        let unchanged_since = webhook.updated_at;
        webhook = Webhook {
            state,
            updated_at: at(seconds),
            ..webhook
        };
        store.replace_webhook(&webhook, unchanged_since).await.done().done();
        assert_eq!(health().await, expected, "after {state:?}");
    }
}

/// The engine disables an active webhook once, and whoever read it before notices.
pub async fn a_webhook_is_disabled_once(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let id = world.webhook(1).await;
    let read = world.read(id).await;
    assert!(store.disable_webhook(id, DisableReason::Failing, at(20)).await.done());
    let expected = Webhook {
        state: disabled(at(20), DisableReason::Failing),
        updated_at: at(20),
        ..read.clone()
    };
    assert_eq!(world.read(id).await, expected);
    assert!(!store.disable_webhook(id, DisableReason::Gone, at(21)).await.done());
    assert_eq!(world.read(id).await, expected, "the first reason stays");
    assert_eq!(
        store.replace_webhook(&read, read.updated_at).await.done(),
        Err(ReplaceWebhookError::Changed)
    );

    let back = Webhook {
        state: WebhookState::Active,
        updated_at: at(30),
        ..expected
    };
    store.replace_webhook(&back, at(20)).await.done().done();
    assert!(store.disable_webhook(id, DisableReason::Gone, at(30)).await.done());
    assert_eq!(
        world.read(id).await.updated_at,
        at_ms(30_001),
        "later than it was, in the same millisecond too"
    );
    assert_eq!(world.read(id).await.state, disabled(at(30), DisableReason::Gone));

    let unknown = webhook(world.environment, 7).id;
    assert!(!store.disable_webhook(unknown, DisableReason::Gone, at(40)).await.done());
}

/// A deleted webhook does not exist for any verb that configures.
pub async fn a_deleted_webhook_does_not_exist(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let kept = world.webhook(2).await;
    let id = world.webhook(1).await;
    let read = world.read(id).await;
    assert!(store.delete_webhook(world.environment, id, at(5)).await.done());

    assert!(!store.delete_webhook(world.environment, id, at(6)).await.done());
    assert!(store.webhook(world.environment, id).await.done().is_none());
    assert_eq!(listed(&world, &WebhookFilter::default(), Page::first(10)).await, [kept]);
    assert_eq!(store.routing(world.environment).await.done().done().webhooks.len(), 1);
    assert_eq!(
        store.replace_webhook(&read, read.updated_at).await.done(),
        Err(ReplaceWebhookError::NotFound)
    );
    assert!(!store.disable_webhook(id, DisableReason::Gone, at(7)).await.done());
}

/// Those that need somebody: failing since some time, or disabled by the engine; not those that their owner disabled, nor those that are well again.
pub async fn webhooks_in_trouble_are_those_that_need_somebody(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    world.webhook(1).await; // never used
    let [failing, recovered] = [world.webhook(2).await, world.webhook(3).await];
    for (id, verdicts) in [
        (failing, [Verdict::Delivered, Verdict::Exhausted]),
        (recovered, [Verdict::Exhausted, Verdict::Delivered]),
    ] {
        for (verdict, seconds) in verdicts.into_iter().zip(1..) {
            world.publish(at(seconds), &[id]).await;
            world.attempt(id, verdict, at(seconds)).await;
        }
    }
    let mut off = Vec::new();
    for (number, why) in [(4, DisableReason::Operator), (5, DisableReason::Gone), (6, DisableReason::Failing)] {
        let id = world.webhook(number).await;
        assert!(store.disable_webhook(id, why, at(9)).await.done());
        off.push(id);
    }
    let [_, gone, given_up] = off[..] else {
        unreachable!("three were disabled")
    };
    let in_trouble = WebhookFilter {
        in_trouble: true,
        ..WebhookFilter::default()
    };
    assert_eq!(listed(&world, &in_trouble, Page::first(10)).await, [given_up, gone, failing]);
    assert_eq!(listed(&world, &in_trouble, page(Some(given_up), 1, 10)).await, [failing]);
    let active = WebhookFilter {
        active: Some(true),
        ..in_trouble.clone()
    };
    assert_eq!(listed(&world, &active, Page::first(10)).await, [failing]);
    assert!(store.delete_webhook(world.environment, gone, at(10)).await.done());
    assert_eq!(listed(&world, &in_trouble, Page::first(10)).await, [given_up, failing]);
}
