//! The audit log.

use std::sync::Arc;

use tidings_model::EnvironmentId;

use super::world::{Done, World, at, environment_id, page};
use crate::{AuditEntry, AuditFilter, AuditRecord, Page, Store};

const ZOE: &str = "person zoe@example.com";

fn entry(seconds: i64, actor: &str, action: &str, environment: Option<EnvironmentId>) -> AuditEntry {
    AuditEntry {
        at: at(seconds),
        actor: actor.to_owned(),
        action: action.to_owned(),
        environment,
        target: format!("target {seconds}"),
        detail: "größer → 🙂".to_owned(),
    }
}

/// Four entries, the last of them the newest, whatever their times say.
async fn write(store: &Arc<dyn Store>) -> Vec<AuditEntry> {
    let credential = "credential 00000000-0000-4000-8000-000000000001";
    let entries = vec![
        entry(30, ZOE, "webhook.created", Some(environment_id(1))),
        entry(10, credential, "webhook.deleted", Some(environment_id(2))),
        entry(20, ZOE, "person.invited", None),
        entry(20, credential, "webhook.created", Some(environment_id(1))),
    ];
    for entry in &entries {
        store.record_audit(entry).await.done();
    }
    entries
}

async fn found(store: &Arc<dyn Store>, filter: &AuditFilter) -> Vec<AuditEntry> {
    let records = store.audit(filter, Page::first(100)).await.done();
    records.into_iter().map(|record| record.entry).collect()
}

/// Entries come back whole, those of unknown environments too, the last that was written first.
pub async fn entries_come_back_whole_newest_first(store: &Arc<dyn Store>) {
    let mut entries = write(store).await;
    entries.reverse();
    let all = store.audit(&AuditFilter::default(), Page::first(100)).await.done();
    assert!(all.windows(2).all(|pair| pair[0].number > pair[1].number), "{all:?}");
    assert_eq!(all.into_iter().map(|record| record.entry).collect::<Vec<_>>(), entries);
}

/// A page begins after its cursor and its skipped rows and ends at its limit, also when it is narrowed.
pub async fn entries_are_listed_by_pages(store: &Arc<dyn Store>) {
    for seconds in 0..6 {
        let environment = (seconds % 2 == 0).then(|| environment_id(1));
        store
            .record_audit(&entry(seconds, ZOE, "webhook.created", environment))
            .await
            .done();
    }
    let all = AuditFilter::default();
    let here = AuditFilter {
        environment: Some(environment_id(1)),
        ..AuditFilter::default()
    };
    for filter in [all, here] {
        let list = async |page| store.audit(&filter, page).await.done();
        let numbers = |records: &[AuditRecord]| records.iter().map(|record| record.number).collect::<Vec<_>>();
        let every = list(Page::first(100)).await;
        let ids = numbers(&every);
        assert_eq!(numbers(&list(Page::first(2)).await), ids[..2]);
        assert_eq!(numbers(&list(page(Some(ids[0]), 0, 1)).await), ids[1..2]);
        assert_eq!(numbers(&list(page(Some(ids[0]), 1, 100)).await), ids[2..]);
        assert_eq!(numbers(&list(page(None, ids.len(), 100)).await), Vec::<u64>::new());
        assert_eq!(numbers(&list(page(Some(u64::MAX), 0, 100)).await), ids);
        assert_eq!(numbers(&list(page(Some(0), 0, 100)).await), Vec::<u64>::new());
        assert_eq!(numbers(&list(Page::first(0)).await), Vec::<u64>::new());
    }
}

/// Entries are narrowed by environment, by actor and by how the action begins, none of whose characters is special; everything has to hold.
pub async fn entries_are_narrowed_by_environment_actor_and_action(store: &Arc<dyn Store>) {
    let entries = write(store).await;
    let filter = |environment: Option<u8>, actor: Option<&str>, action: Option<&str>| AuditFilter {
        environment: environment.map(environment_id),
        actor: actor.map(ToOwned::to_owned),
        action: action.map(ToOwned::to_owned),
    };
    for (filter, expected) in [
        (filter(Some(1), None, None), vec![3, 0]),
        (filter(Some(2), None, None), vec![1]),
        (filter(Some(3), None, None), vec![]),
        (filter(None, Some(ZOE), None), vec![2, 0]),
        (filter(None, Some("person zoe"), None), vec![]),
        (filter(None, Some("PERSON ZOE@EXAMPLE.COM"), None), vec![]),
        (filter(None, None, Some("webhook.")), vec![3, 1, 0]),
        (filter(None, None, Some("webhook.created")), vec![3, 0]),
        (filter(None, None, Some("webhook.created.")), vec![]),
        (filter(None, None, Some("WEBHOOK.")), vec![]),
        (filter(None, None, Some("created")), vec![]),
        (filter(None, None, Some("%")), vec![]),
        (filter(None, None, Some("webhook_")), vec![]),
        (filter(None, None, Some("")), vec![3, 2, 1, 0]),
        (filter(Some(1), Some(ZOE), None), vec![0]),
        (filter(Some(1), Some(ZOE), Some("person.")), vec![]),
        (filter(Some(1), Some(ZOE), Some("webhook.c")), vec![0]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|place: usize| entries[place].clone()).collect();
        assert_eq!(found(store, &filter).await, expected, "{filter:?}");
    }
}

/// Old entries are forgotten up to the limit, by their times; a number that was forgotten is not given out again, so no cursor means two places.
pub async fn numbers_of_forgotten_entries_are_not_given_out_again(store: &Arc<dyn Store>) {
    write(store).await;
    let all = AuditFilter::default();
    let newest = store.audit(&all, Page::first(1)).await.done()[0].number;
    let forget = async |before, limit| store.forget_history(at(0), before, at(0), limit).await.done();
    assert_eq!(forget(at(10), 10).await, 0, "made then, not before");
    assert_eq!(forget(at(20), 10).await, 1);
    assert_eq!(forget(at(99), 0).await, 0);
    assert_eq!(forget(at(99), 2).await, 2);
    assert_eq!(forget(at(99), 2).await, 1);
    assert_eq!(found(store, &all).await, []);
    store.record_audit(&entry(99, ZOE, "webhook.created", None)).await.done();
    assert!(store.audit(&all, Page::first(1)).await.done()[0].number > newest);
}

/// What was done in an environment is known when the environment is not there any more.
pub async fn entries_outlive_their_environment(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    store
        .record_audit(&entry(1, ZOE, "environment.deleted", Some(world.environment)))
        .await
        .done();
    store.delete_environment(world.environment, true).await.done().done();
    let here = AuditFilter {
        environment: Some(world.environment),
        ..AuditFilter::default()
    };
    assert_eq!(found(store, &here).await.len(), 1);
}
