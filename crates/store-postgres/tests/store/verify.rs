//! What verification finds in a database that something else wrote to.

use tidings_model::Verdict;
use tidings_store::{AsOf, Finding, Place, Store};
use tidings_testkit::TestDatabase;

use crate::world::{append, at, event, furnish, grant, keyed, open, settlement};

/// What is wrong in a store.
pub(crate) async fn findings(store: &dyn Store) -> Vec<Finding> {
    let as_of = AsOf {
        at: at(5),
        served_since: None,
    };
    let (mut found, mut place) = (Vec::new(), Some(Place::start()));
    while let Some(here) = place {
        let step = store.verify(&here, as_of, 2).await.unwrap();
        found.extend(step.findings);
        place = step.next;
    }
    found
}

/// Each damage, and the one thing that is found of it.
#[tokio::test]
async fn whatever_is_wrong_is_found() {
    for (damage, kind) in [
        (
            "UPDATE events SET body = '\\x00' WHERE id = (SELECT min(id) FROM events)",
            "alteredBody",
        ),
        ("UPDATE events SET key = '..' WHERE id = (SELECT min(id) FROM events)", "unreadable"),
        ("DELETE FROM events WHERE id = (SELECT max(id) FROM events)", "orphan"),
        ("DELETE FROM events WHERE id = (SELECT min(id) FROM events)", "noEvent"),
        ("DELETE FROM deliveries WHERE event = (SELECT max(event) FROM deliveries)", "lost"),
        ("DELETE FROM attempts", "attemptsDisagree"),
        ("UPDATE attempts SET number = 2", "attemptsNotNumbered"),
        ("UPDATE attempts SET status = 500", "stateDisagrees"),
        ("UPDATE attempts SET ordinal = 7", "stateDisagrees"),
        ("UPDATE events SET environment = 77", "noEnvironment"),
        ("UPDATE deliveries SET environment = 77", "otherEnvironment"),
        ("UPDATE idempotency SET deliveries = 5", "keyDisagrees"),
        ("UPDATE idempotency SET event = event + 1", "keyWithoutEvent"),
        ("UPDATE webhooks SET changed = 99", "changeAhead"),
        ("UPDATE webhooks SET subscription = 'nonsense'", "unreadable"),
        ("UPDATE environments SET settings = 'nonsense'", "unreadable"),
        (
            "UPDATE deliveries SET lease_token = 1, lease_until = 9000000000000 WHERE state = 0",
            "leaseTooLong",
        ),
    ] {
        let database = TestDatabase::new().await;
        let store = open(&database).await;
        let (environment, webhook) = furnish(&store).await;
        let event = event(&store, environment, &[webhook]).await;
        append(&store, event.clone()).await;
        let leased = store.lease_due(webhook, at(1), 1, grant(at(1))).await.unwrap().deliveries.remove(0);
        let delivered = settlement(leased.id, webhook, leased.lease.token, Verdict::Delivered);
        store.settle(vec![delivered].into()).await.unwrap();
        append(&store, keyed(&event, "key".to_owned())).await;
        assert_eq!(findings(&store).await, []);
        database.connect().await.batch_execute(damage).await.unwrap();
        let found = findings(&store).await;
        let kinds: Vec<_> = found
            .iter()
            .map(|finding| serde_json::to_value(finding).unwrap()["kind"].clone())
            .collect();
        assert!(kinds.iter().any(|found| found == kind), "{damage}: {found:?}");
    }
}
