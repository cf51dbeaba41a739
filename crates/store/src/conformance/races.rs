//! Two writers and more at once: what one of them gets, no other has.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use tidings_model::{DeliveryState, DisableReason, Verdict, Webhook};
use tokio::task::JoinSet;

use super::people::person;
use super::world::{Done, LEASE, World, at, idempotency, nth, settlement, webhook};
use crate::{
    AppendRefusal, ChangePersonError, DeliveryFilter, EventFilter, NewEvent, Page, PersonChange, PersonRole, Settled, Start, Store,
};

/// Writers at once.
const WRITERS: usize = 16;

/// Runs one task a writer, all at once, and gives back what each answered.
async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(task: impl Fn(usize) -> F) -> Vec<T> {
    let tasks: JoinSet<T> = (0..WRITERS).map(task).collect();
    tasks.join_all().await
}

/// Of many appends with one idempotency key, one is written, and all answer with its id.
pub async fn one_of_many_appends_with_one_key_is_written(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    for round in 0..8 {
        let promise = Some(idempotency(&format!("round {round}"), 1, at(900)));
        let event = NewEvent {
            idempotency: promise,
            ..world.event(at(round), &[]).await
        };
        let answers = at_once(|_| {
            let (store, event) = (Arc::clone(store), event.clone());
            async move { store.append(vec![event]).await.done()[0].done() }
        })
        .await;
        assert_eq!(answers.iter().filter(|appended| appended.fresh).count(), 1);
        assert_eq!(answers.iter().map(|appended| appended.event).collect::<BTreeSet<_>>().len(), 1);
        let written = store.events(&EventFilter::of(world.environment), Page::first(100)).await.done();
        assert_eq!(written.len(), round as usize + 1);
    }
}

/// Many appends at once get ids of their own, and all of them are there.
pub async fn appends_at_once_get_ids_of_their_own(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let event = world.event(at(1), &[(webhook, Start::Due)]).await;
    let answers = at_once(|_| {
        let (store, event) = (Arc::clone(store), event.clone());
        async move { store.append(vec![event; 5]).await.done() }
    })
    .await;
    let ids: BTreeSet<_> = answers.into_iter().flatten().map(|answer| answer.done().event).collect();
    assert_eq!(ids.len(), 5 * WRITERS);
    let all = DeliveryFilter::of(world.environment);
    assert_eq!(store.count_deliveries(&all, 1_000).await.done(), 5 * WRITERS);
}

/// Of many who lease at once, no two get the same delivery, and together they get all.
pub async fn no_two_lease_the_same_delivery(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let event = world.event(at(1), &[(webhook, Start::Due)]).await;
    store.append(vec![event; 5 * WRITERS]).await.done();
    // The second round takes over what the first let expire.
    for now in [at(2), at(2) + LEASE] {
        let grants: Vec<_> = (0..WRITERS).map(|_| world.grant(now)).collect();
        let batches = at_once(|writer| {
            let (store, grant) = (Arc::clone(store), grants[writer]);
            async move { store.lease_due(webhook, now, 7, grant).await.done() }
        })
        .await;
        let leased: Vec<_> = batches.into_iter().flat_map(|batch| batch.deliveries).collect();
        let ids: BTreeSet<_> = leased.iter().map(|leased| leased.id).collect();
        assert_eq!((leased.len(), ids.len()), (5 * WRITERS, 5 * WRITERS));
    }
}

/// Of many who settle one lease, while others cancel and take over what has expired, one has its way.
pub async fn one_of_many_finishes_a_delivery(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    store.disable_webhook(webhook, DisableReason::Operator, at(1)).await.done();
    let expired = at(1) + LEASE;
    for _ in 0..8 {
        let event = world.publish(at(1), &[webhook]).await;
        let leased = world.lease_one(webhook, at(1)).await;
        let won = at_once(|writer| {
            let (store, settlement) = (Arc::clone(store), settlement(&leased, Verdict::Delivered, at(2)));
            async move {
                if writer % 2 == 0 {
                    store.settle(vec![settlement].into()).await.done()[0] != Settled::LeaseLost
                } else {
                    store.cancel_pending(webhook, expired, 10).await.done() == 1
                }
            }
        })
        .await;
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
        let detail = store.delivery(world.environment, nth(event, 0), expired).await.done().done();
        match detail.delivery.state {
            DeliveryState::Delivered { .. } => assert_eq!(detail.attempts.len(), 1),
            DeliveryState::Cancelled { .. } => assert_eq!(detail.attempts, []),
            other => panic!("nobody finished it: {other:?}"),
        }
    }
}

/// Of many who replace what they all read, one does.
pub async fn one_of_many_replaces_what_all_have_read(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let id = world.webhook(1).await;
    let read = world.read(id).await;
    let answers = at_once(|writer| {
        let mine = Webhook {
            name: writer.to_string(),
            updated_at: at(5),
            ..read.clone()
        };
        let (store, unchanged_since) = (Arc::clone(store), read.updated_at);
        async move { store.replace_webhook(&mine, unchanged_since).await.done().is_ok().then_some(mine) }
    })
    .await;
    let won: Vec<_> = answers.into_iter().flatten().collect();
    assert_eq!(won, [world.read(id).await]);
}

/// Once a webhook is there, no append that was matched without it gets past, however many are on their way.
pub async fn no_append_gets_past_a_new_webhook(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    for number in 1..=8 {
        let (event, new) = (world.event(at(1), &[]).await, webhook(world.environment, number));
        let answers = at_once(|writer| {
            let (store, event, new) = (Arc::clone(store), event.clone(), new.clone());
            async move {
                let creates = writer == WRITERS / 2;
                assert!(!creates || store.create_webhook(&new).await.done().is_ok());
                (creates, store.append(vec![event]).await.done()[0])
            }
        })
        .await;
        for (created, answer) in answers {
            let stale = answer == Err(AppendRefusal::StaleRouting);
            assert!(stale || (!created && answer.is_ok()), "{answer:?}");
        }
    }
}

/// Of many owners who are removed or become something else at once, one stays.
pub async fn one_of_many_owners_stays(store: &Arc<dyn Store>) {
    let email = |writer: usize| format!("{writer}@example.com");
    for writer in 0..WRITERS {
        store.create_person(&person(&email(writer), PersonRole::Owner)).await.done().done();
    }
    let answers = at_once(|writer| {
        let (store, email) = (Arc::clone(store), email(writer));
        let demoted = PersonChange {
            role: Some(PersonRole::Viewer),
            ..PersonChange::default()
        };
        async move {
            match writer % 2 {
                0 => store.delete_person(&email).await.done(),
                _ => store.change_person(&email, &demoted).await.done(),
            }
        }
    })
    .await;
    let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused, [ChangePersonError::LastOwner]);
    let people = store.people().await.done();
    assert_eq!(people.iter().filter(|person| person.role == PersonRole::Owner).count(), 1);
}
