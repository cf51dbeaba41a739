//! Pruning a large log.

use tidings_model::{CancelReason, DeliveryId, Environment, EnvironmentId, EventId, Settings, WebhookId};
use tidings_store::{NewEvent, ResendError, Start, Store, Target};
use tidings_store_postgres::PostgresStore;
use tidings_testkit::TestDatabase;
use tokio::task::JoinSet;

use crate::verify::findings;
use crate::world::{at, event, furnish, open};

/// However much there is before it, behind it and in other environments, what a round of pruning reads depends on what it removes.
#[tokio::test]
async fn a_round_of_pruning_reads_about_as_much_as_it_removes() {
    const ROUNDS: usize = 20;
    const EVENTS: usize = 20;
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let (large, webhook) = furnish(&store).await;
    let small = Environment {
        id: EnvironmentId::from_chance([2; 16]),
        name: "QA".to_owned(),
        settings: Settings::default(),
        created_at: at(0),
    };
    store.create_environment(&small).await.unwrap().unwrap();
    let over = over(&store, large, webhook).await;
    for _ in 0..20 {
        store.append(vec![over.clone(); 300]).await.unwrap();
    }
    let other = NewEvent {
        at: at(2),
        ..event(&store, small.id, &[]).await
    };
    store.append(vec![other; 2 * ROUNDS * EVENTS]).await.unwrap();
    let pending = NewEvent {
        at: at(3),
        ..event(&store, large, &[webhook]).await
    };
    store.append(vec![pending; 30]).await.unwrap();
    database.connect().await.batch_execute("ANALYZE").await.unwrap();

    let before = read(&database, store).await;
    let store = open(&database).await;
    for _ in 0..ROUNDS {
        for environment in [small.id, large] {
            let pruned = store.prune(environment, at(4), EVENTS).await.unwrap();
            assert!(pruned.events == EVENTS && pruned.more, "{pruned:?}");
        }
    }
    let read = read(&database, store).await - before;
    let removed = i64::try_from(2 * ROUNDS * EVENTS).unwrap();
    // Entries of the index that were pruned are passed over as long as nothing vacuums.
    assert!(read < removed * 30, "{read} entries were read of indexes to prune {removed} events");
}

/// While two nodes prune, others are sent again: each of those stays with what is pending, or was gone before; and nothing is left of what is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_again_while_others_prune_stays() {
    let database = TestDatabase::new().await;
    let nodes = [open(&database).await, open(&database).await];
    let (environment, webhook) = furnish(&nodes[0]).await;
    let over = over(&nodes[0], environment, webhook).await;
    let ids: Vec<_> = nodes[0]
        .append(vec![over; 300])
        .await
        .unwrap()
        .into_iter()
        .map(|appended| appended.unwrap().event)
        .collect();
    let again = async |event: EventId| {
        let first = DeliveryId { event, ordinal: 0 };
        match nodes[0].resend(environment, first, at(5)).await.unwrap() {
            Ok(again) => Some(again.id),
            Err(ResendError::NotFound) => None, // it was pruned
            Err(why) => panic!("{why}"),
        }
    };
    let mut every_second = ids.iter().rev().step_by(2);
    // Before any is pruned, so that one stays however far the nodes get first.
    let mut sent: Vec<_> = again(*every_second.next().unwrap()).await.into_iter().collect();
    let mut pruning = JoinSet::new();
    for node in nodes.clone() {
        pruning.spawn(async move {
            let mut events = 0;
            loop {
                let pruned = node.prune(environment, at(4), 7).await.unwrap();
                events += pruned.events;
                if !pruned.more {
                    return events;
                }
            }
        });
    }
    for event in every_second {
        sent.extend(again(*event).await);
    }
    let pruned: usize = pruning.join_all().await.into_iter().sum();
    assert!(!sent.is_empty() && pruned > 0, "{} were sent again, {pruned} pruned", sent.len());
    for id in &sent {
        assert!(nodes[1].delivery(environment, *id, at(6)).await.unwrap().is_some(), "{id}");
    }
    let left = nodes[1].prune(environment, at(4), 1_000).await.unwrap().events;
    assert_eq!(pruned + left + sent.len(), ids.len());
    assert_eq!(findings(&nodes[1]).await, []);
}

/// An event of which nothing is pending.
async fn over(store: &dyn Store, environment: EnvironmentId, webhook: WebhookId) -> NewEvent {
    NewEvent {
        targets: vec![Target {
            webhook,
            start: Start::Skipped(CancelReason::WebhookDisabled),
        }],
        ..event(store, environment, &[webhook]).await
    }
}

/// How many entries of the indexes of the log were read when all connections of a node have ended.
async fn read(database: &TestDatabase, store: PostgresStore) -> i64 {
    store.close().await;
    drop(store);
    let admin = database.connect().await;
    let nodes =
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'tidings'";
    while !admin.query(nodes, &[]).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let sql = "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname IN ('events', 'deliveries', 'attempts')";
    admin.query_one(sql, &[]).await.unwrap().get(0)
}
