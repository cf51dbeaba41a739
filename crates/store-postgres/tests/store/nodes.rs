//! Several nodes beside one database.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tidings_model::{Credential, Scopes, SealedSecret, Verdict};
use tidings_store::{
    AppendRefusal, AuditFilter, EventFilter, LeaseGrant, NewNode, NewServerKey, NodeNumber, Page, Pulse, ServerKeyPurpose, Settled, Store,
    StoreError,
};
use tidings_testkit::TestDatabase;
use tokio::task::JoinSet;

use crate::world::{LEASE, append, at, event, furnish, grant, keyed, open, open_with, options, settlement, webhook};

/// A list that was read while two nodes append is the beginning of what there is in the end: no event comes late, behind one that was seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_appears_behind_one_that_was_seen() {
    let database = TestDatabase::new().await;
    let nodes = [open(&database).await, open(&database).await];
    let (environment, webhook) = furnish(&nodes[0]).await;
    let event = event(&nodes[0], environment, &[webhook]).await;
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let (node, event) = (nodes[writer % 2].clone(), event.clone());
        writers.spawn(async move {
            for _ in 0..25 {
                node.append(vec![event.clone(); 3]).await.unwrap();
            }
        });
    }
    let written = Arc::new(AtomicBool::new(false));
    let (reader, done) = (nodes[1].clone(), Arc::clone(&written));
    let mut reading = JoinSet::new();
    reading.spawn(async move {
        let mut seen = Vec::new();
        while !done.load(Ordering::Acquire) {
            seen.push(ids(&reader, environment).await);
        }
        seen
    });
    writers.join_all().await;
    written.store(true, Ordering::Release);
    let all = ids(&nodes[0], environment).await;
    assert_eq!(all.len(), 8 * 25 * 3);
    for seen in reading.join_all().await.concat() {
        assert_eq!(seen, all[..seen.len()]);
    }
}

/// The ids of all events, ascending.
async fn ids(store: &dyn Store, environment: tidings_model::EnvironmentId) -> Vec<tidings_model::EventId> {
    let events = store.events(&EventFilter::of(environment), Page::first(10_000)).await.unwrap();
    events.iter().rev().map(|event| event.id).collect()
}

/// Of one key that two nodes are given at once, one event is written, and both answer with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_used_once_by_all_nodes_together() {
    let database = TestDatabase::new().await;
    let nodes = [open(&database).await, open(&database).await];
    let (environment, _) = furnish(&nodes[0]).await;
    let event = event(&nodes[0], environment, &[]).await;
    for round in 0..20 {
        let event = keyed(&event, format!("round {round}"));
        let (one, two) = tokio::join!(nodes[0].append(vec![event.clone()]), nodes[1].append(vec![event.clone()]));
        let (one, two) = (one.unwrap()[0].unwrap(), two.unwrap()[0].unwrap());
        assert_eq!(one.event, two.event);
        assert!(one.fresh != two.fresh);
    }
}

/// What is due is leased by one node or by the other, and all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_nodes_lease_the_same_delivery() {
    let database = TestDatabase::new().await;
    let nodes = [open(&database).await, open(&database).await];
    let (environment, webhook) = furnish(&nodes[0]).await;
    let event = event(&nodes[0], environment, &[webhook]).await;
    nodes[0].append(vec![event; 100]).await.unwrap();
    for now in [at(2), at(2) + LEASE] {
        let mut leasing = JoinSet::new();
        for turn in 0..20 {
            let node = nodes[turn % 2].clone();
            leasing.spawn(async move { node.lease_due(webhook, now, 7, grant(now)).await.unwrap().deliveries });
        }
        let leased: Vec<_> = leasing.join_all().await.into_iter().flatten().map(|leased| leased.id).collect();
        let once: BTreeSet<_> = leased.iter().collect();
        assert_eq!((leased.len(), once.len()), (100, 100));
    }
}

/// Who was too slow does not settle what another node has taken over.
#[tokio::test]
async fn a_lease_that_another_node_took_over_settles_nothing() {
    let database = TestDatabase::new().await;
    let [slow, quick] = [open(&database).await, open(&database).await];
    let (environment, webhook) = furnish(&slow).await;
    append(&slow, event(&slow, environment, &[webhook]).await).await;
    let lost = slow.lease_due(webhook, at(1), 1, grant(at(1))).await.unwrap().deliveries.remove(0);
    let later = at(1) + LEASE;
    let taken = quick.lease_due(webhook, later, 1, grant(later)).await.unwrap().deliveries.remove(0);
    assert_eq!(lost.id, taken.id);
    let settle = async |node: &dyn Store, token| {
        let settlement = settlement(taken.id, webhook, token, Verdict::Delivered);
        node.settle(vec![settlement].into()).await.unwrap()[0]
    };
    assert_eq!(settle(&slow, lost.lease.token).await, Settled::LeaseLost);
    let recorded = Settled::Recorded { failing_since: None };
    assert_eq!(settle(&quick, taken.lease.token).await, recorded);
    assert_eq!(settle(&quick, taken.lease.token).await, Settled::LeaseLost);
}

/// Nodes that settle deliveries of the same webhooks in different orders do not wait for each other in a circle, and lose no count.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_settle_the_same_webhooks_at_once() {
    let database = TestDatabase::new().await;
    let nodes = [open(&database).await, open(&database).await];
    let (environment, first) = furnish(&nodes[0]).await;
    let mut webhooks = vec![first];
    for number in 2..=8 {
        let other = webhook(environment, number);
        assert!(nodes[0].create_webhook(&other).await.unwrap().is_ok());
        webhooks.push(other.id);
    }
    let event = event(&nodes[0], environment, &webhooks).await;
    nodes[0].append(vec![event; 40]).await.unwrap();
    let mut settlements = Vec::new();
    for webhook in &webhooks {
        let leased = nodes[0].lease_due(*webhook, at(1), 100, grant(at(1))).await.unwrap().deliveries;
        settlements.extend(
            leased
                .iter()
                .map(|leased| settlement(leased.id, *webhook, leased.lease.token, Verdict::Exhausted)),
        );
    }
    // Each writer has some of every webhook, half of them the other way round.
    let mut writers = JoinSet::new();
    for writer in 0..16 {
        let mut own: Vec<_> = settlements.iter().skip(writer).step_by(16).cloned().collect();
        if writer % 2 == 0 {
            own.reverse();
        }
        let node = nodes[writer % 2].clone();
        writers.spawn(async move { node.settle(own.into()).await.unwrap() });
    }
    let settled = writers.join_all().await.concat();
    assert!(settled.len() == 320 && settled.iter().all(|settled| *settled != Settled::LeaseLost));
    for id in webhooks {
        let health = nodes[1].webhook(environment, id).await.unwrap().unwrap().health;
        assert_eq!((health.attempts, health.failures), (40, 40));
    }
}

/// Once a webhook is there, no node appends what was matched without it.
#[tokio::test]
async fn a_webhook_that_one_node_made_is_not_missed_by_another() {
    let database = TestDatabase::new().await;
    let [one, two] = [open(&database).await, open(&database).await];
    let (environment, _) = furnish(&one).await;
    let matched = event(&two, environment, &[]).await;
    assert!(one.create_webhook(&webhook(environment, 2)).await.unwrap().is_ok());
    assert_eq!(two.append(vec![matched]).await.unwrap(), [Err(AppendRefusal::StaleRouting)]);
}

/// A node that waits for changes is told of one that another made.
#[tokio::test]
async fn a_change_is_told_to_other_nodes() {
    let database = TestDatabase::new().await;
    let [one, two] = [open(&database).await, open(&database).await];
    let (environment, _) = furnish(&one).await;
    let before = two.routing_versions().await.unwrap();
    let mut heard = two.changed(0).await.unwrap(); // it listens from now on
    assert!(one.create_webhook(&webhook(environment, 2)).await.unwrap().is_ok());
    while two.routing_versions().await.unwrap() == before {
        heard = two.changed(heard).await.unwrap();
    }
    heard = two.changed(0).await.unwrap().max(heard);
    one.close().await;
    two.close().await;
    assert!(two.changed(heard).await.is_err(), "nobody tells any more");
}

/// What appends are not held against is told as well: who may ask, and the keys that seal and sign.
#[tokio::test]
async fn a_change_of_credentials_or_keys_is_told_to_other_nodes() {
    let database = TestDatabase::new().await;
    let [one, two] = [open(&database).await, open(&database).await];
    let (environment, _) = furnish(&one).await;
    one.keep_master_key([1; 4], at(0)).await.unwrap();
    let node = two.join(&new_node()).await.unwrap();
    let pulse = two.nodes().await.unwrap()[0].pulse;
    let beat = async || two.beat(node, pulse).await.unwrap().unwrap();
    let (mut heard, mut changes) = (two.changed(0).await.unwrap(), beat().await);
    let credential = Credential {
        id: "prod_0123456789".parse().unwrap(),
        environment,
        name: "CI".to_owned(),
        scopes: Scopes {
            read: true,
            ..Scopes::default()
        },
        secret_hash: vec![1; 32],
        created_at: at(0),
    };
    let key = NewServerKey {
        purpose: ServerKeyPurpose::AccessTokens,
        replaces: None,
        sealed: SealedSecret(vec![1; 20]),
        older_until: at(1),
        at: at(0),
    };
    macro_rules! tells {
        ($what:expr) => {
            $what.await.unwrap();
            while beat().await == changes {
                heard = two.changed(heard).await.unwrap();
            }
            changes = beat().await;
        };
    }
    tells!(one.create_credential(&credential));
    tells!(one.delete_credential(environment, &credential.id));
    tells!(one.change_master_key([2; 4], at(1)));
    tells!(one.change_server_key(&key));
    assert_eq!(beat().await, changes, "nothing else changes");
}

/// There are as many numbers as fit into a lease's token, and none is given out twice.
#[tokio::test]
async fn a_node_without_a_number_does_not_join() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let last = format!("ALTER TABLE nodes ALTER COLUMN number RESTART WITH {}", NodeNumber::MAX);
    database.connect().await.batch_execute(&last).await.unwrap();
    assert_eq!(store.join(&new_node()).await.unwrap(), NodeNumber::MAX);
    let refused = store.join(&new_node()).await;
    assert!(
        matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("all 8388607 numbers")),
        "{refused:?}"
    );
}

/// Readers who wait in the database have connections of their own: a node whose readers have all of them goes on beating and leasing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_lives_while_its_readers_wait() {
    let database = TestDatabase::new().await;
    let node = open(&database).await;
    let (environment, webhook) = furnish(&node).await;
    let number = node.join(&new_node()).await.unwrap();
    append(&node, event(&node, environment, &[webhook]).await).await;
    let admin = database.connect().await;
    admin
        .batch_execute("BEGIN; LOCK TABLE audit IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let mut readers = JoinSet::new();
    for _ in 0..20 {
        let node = node.clone();
        readers.spawn(async move { node.audit(&AuditFilter::default(), Page::first(10)).await.map(|found| found.len()) });
    }
    assert!(
        readers.join_next().await.unwrap().unwrap().is_err(),
        "no connection came free for one of them"
    );

    assert!(node.beat(number, pulse()).await.unwrap().is_some());
    let leased = node.lease_due(webhook, at(2), 1, grant(at(2))).await.unwrap();
    assert_eq!(leased.deliveries.len(), 1);
    admin.batch_execute("ROLLBACK").await.unwrap();
}

/// An append has to see what others appended before it had its turn, whatever the URL asks for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_option_of_the_url_lets_an_append_see_what_was_before_its_turn() {
    let database = TestDatabase::new().await;
    let url = database.url();
    let and = if url.contains('?') { '&' } else { '?' };
    let node = open_with(
        &format!("{url}{and}options=-cdefault_transaction_isolation%3Dserializable"),
        options(),
    )
    .await;
    let (environment, webhook) = furnish(&node).await;
    let admin = database.connect().await;
    admin
        .batch_execute(
            "CREATE TABLE seen (isolation text);
             CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO seen SELECT current_setting('transaction_isolation'); RETURN NULL; END $$;
             CREATE TRIGGER see AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION see()",
        )
        .await
        .unwrap();
    append(&node, event(&node, environment, &[webhook]).await).await;
    let seen: String = admin.query_one("SELECT isolation FROM seen", &[]).await.unwrap().get(0);
    assert_eq!(seen, "read committed");
}

fn pulse() -> Pulse {
    Pulse {
        at: at(1),
        queued: 0,
        in_flight: 0,
        lag_ms: 0,
    }
}

fn new_node() -> NewNode {
    NewNode {
        name: "a".to_owned(),
        version: "1.2.3".to_owned(),
        at: at(0),
    }
}

/// Nodes that end the leases of one that has left, while others lease and settle, take nothing from each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_of_the_lost_are_ended_beside_nodes_that_lease() {
    const EVENTS: usize = 60;
    let database = TestDatabase::new().await;
    let nodes = [open(&database).await, open(&database).await];
    let (environment, webhook) = furnish(&nodes[0]).await;
    let event = event(&nodes[0], environment, &[webhook]).await;
    nodes[0].append(vec![event; EVENTS]).await.unwrap();
    let lost = nodes[0].join(&new_node()).await.unwrap();
    let of = |number: NodeNumber, nth| LeaseGrant {
        token: number.lease(nth),
        until: at(2) + LEASE,
    };
    assert_eq!(
        nodes[0]
            .lease_due(webhook, at(2), EVENTS, of(lost, 1))
            .await
            .unwrap()
            .deliveries
            .len(),
        EVENTS
    );
    nodes[0].strike_node(lost, None).await.unwrap();

    let mut working = JoinSet::new();
    for node in nodes.clone() {
        let number = node.join(&new_node()).await.unwrap();
        working.spawn(async move {
            let mut taken = Vec::new();
            for turn in 0..20 {
                node.end_lost_leases().await.unwrap();
                let leased = node.lease_due(webhook, at(2), 5, of(number, turn)).await.unwrap().deliveries;
                for leased in leased {
                    let done = settlement(leased.id, webhook, leased.lease.token, Verdict::Delivered);
                    assert_ne!(node.settle(vec![done].into()).await.unwrap(), [Settled::LeaseLost]);
                    taken.push(leased.id);
                }
            }
            taken
        });
    }
    let mut taken = working.join_all().await.concat();
    assert_eq!(taken.len(), EVENTS);
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), EVENTS, "each by one of them");
}
