//! Idempotency keys: a repeated request is the same request.

use std::sync::Arc;

use tidings_model::{EventId, Timestamp};

use super::world::{Done, World, at, at_ms, environment_id, idempotency, nth};
use crate::{AppendRefusal, Appended, EventFilter, NewEvent, Page, Start, Store};

/// When the keys of these cases expire.
const EXPIRY: Timestamp = at(100);

/// An event with a key.
async fn keyed(world: &World, key: &str, fingerprint: u8, accepted: Timestamp) -> NewEvent {
    let promise = idempotency(key, fingerprint, accepted.max(EXPIRY));
    NewEvent {
        idempotency: Some(promise),
        ..world.event(accepted, &[]).await
    }
}

async fn try_append(world: &World, event: NewEvent) -> Result<Appended, AppendRefusal> {
    world.store.append(vec![event]).await.done()[0]
}

async fn count(world: &World) -> usize {
    world
        .store
        .events(&EventFilter::of(world.environment), Page::first(100))
        .await
        .done()
        .len()
}

/// The same key with the same fingerprint gives the first answer again and writes nothing, whatever became of the event since.
pub async fn a_repetition_gives_the_first_event_again(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let promise = Some(idempotency("k", 1, EXPIRY));
    let first = NewEvent {
        idempotency: promise.clone(),
        ..world.event(at(1), &[(webhook, Start::Due), (webhook, Start::Due)]).await
    };
    let answer = world.append(first.clone()).await;
    assert_eq!(
        answer,
        Appended {
            event: EventId::new(at(1), 0),
            fresh: true,
            deliveries: 2
        }
    );
    store.resend(world.environment, nth(answer.event, 0), at(2)).await.done().done();

    let again = NewEvent { at: at(99), ..first };
    assert_eq!(world.append(again).await, Appended { fresh: false, ..answer });
    let elsewise = NewEvent {
        idempotency: promise,
        ..world.event(at(99), &[]).await
    };
    assert_eq!(
        world.append(elsewise).await,
        Appended { fresh: false, ..answer },
        "the fingerprint counts, not the event"
    );
    assert_eq!(count(&world).await, 1);
    assert_eq!(world.publish(at(1), &[]).await, EventId::new(at(1), 1), "a repetition takes no id");
}

/// The same key with another fingerprint is refused, and says which event has it.
pub async fn a_key_is_refused_for_another_request(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let first = world.append(keyed(&world, "k", 1, at(1)).await).await;
    let other = keyed(&world, "k", 2, at(2)).await;
    assert_eq!(
        try_append(&world, other).await,
        Err(AppendRefusal::KeyReused { event: first.event })
    );
    assert_eq!(count(&world).await, 1);
    assert!(world.append(keyed(&world, "K", 2, at(2)).await).await.fresh, "case counts");
    assert!(
        world.append(keyed(&world, "k ", 2, at(2)).await).await.fresh,
        "every character counts"
    );
}

/// Inside one call a repetition is one, too.
pub async fn a_key_counts_inside_one_call(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let (one, two) = (keyed(&world, "k", 1, at(1)).await, keyed(&world, "k", 2, at(1)).await);
    let event = EventId::new(at(1), 0);
    let answers = store.append(vec![one.clone(), one.clone(), two, one]).await.done();
    let first = Appended {
        event,
        fresh: true,
        deliveries: 0,
    };
    let again = Ok(Appended { fresh: false, ..first });
    assert_eq!(answers, [Ok(first), again, Err(AppendRefusal::KeyReused { event }), again]);
    assert_eq!(count(&world).await, 1);
}

/// From its expiry on, a key is as if it had never been used.
pub async fn an_expired_key_is_free(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let first = world.append(keyed(&world, "k", 1, at(1)).await).await;
    let last_moment = keyed(&world, "k", 1, at_ms(99_999)).await;
    assert_eq!(world.append(last_moment).await, Appended { fresh: false, ..first });

    let renewed = NewEvent {
        idempotency: Some(idempotency("k", 2, at(300))),
        ..world.event(EXPIRY, &[]).await
    };
    let second = world.append(renewed).await;
    assert_eq!(
        second,
        Appended {
            event: EventId::new(EXPIRY, 0),
            fresh: true,
            deliveries: 0
        }
    );
    assert_eq!(
        world.append(keyed(&world, "k", 2, at(299)).await).await,
        Appended { fresh: false, ..second }
    );
    assert_eq!(
        try_append(&world, keyed(&world, "k", 1, at(299)).await).await,
        Err(AppendRefusal::KeyReused { event: second.event })
    );
    assert!(world.append(keyed(&world, "k", 1, at(300)).await).await.fresh);
}

/// A key belongs to its environment.
pub async fn a_key_belongs_to_its_environment(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    assert!(world.append(keyed(&world, "k", 1, at(1)).await).await.fresh);
    assert!(other.append(keyed(&other, "k", 2, at(1)).await).await.fresh);
    assert!(!other.append(keyed(&other, "k", 2, at(1)).await).await.fresh);
}

/// A repetition is answered whatever routing version it names; a key of what was refused is not used.
pub async fn a_key_is_looked_for_before_the_routing_version(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let used = keyed(&world, "used", 1, at(1)).await;
    let unused = keyed(&world, "unused", 1, at(1)).await;
    let first = world.append(used.clone()).await;
    world.webhook(1).await;
    assert_eq!(world.append(used.clone()).await, Appended { fresh: false, ..first });
    let other = NewEvent {
        idempotency: Some(idempotency("used", 2, EXPIRY)),
        ..used.clone()
    };
    assert_eq!(
        try_append(&world, other).await,
        Err(AppendRefusal::KeyReused { event: first.event })
    );
    let nowhere = NewEvent {
        environment: environment_id(9),
        ..used
    };
    assert_eq!(try_append(&world, nowhere).await, Err(AppendRefusal::NoEnvironment));

    assert_eq!(try_append(&world, unused).await, Err(AppendRefusal::StaleRouting));
    assert!(
        world.append(keyed(&world, "unused", 2, at(1)).await).await.fresh,
        "a refused event left its key behind"
    );
}

/// A key outlives its event: a repetition after pruning is still one.
pub async fn a_key_outlives_its_pruned_event(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let first = world.append(keyed(&world, "k", 1, at(1)).await).await;
    assert_eq!(store.prune(world.environment, at(2), 10).await.done().events, 1);
    assert_eq!(
        world.append(keyed(&world, "k", 1, at(3)).await).await,
        Appended { fresh: false, ..first }
    );
    assert_eq!(count(&world).await, 0);
}
