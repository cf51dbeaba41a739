//! Verbs of many callers in one commit.

use std::sync::Arc;

use parking_lot::Mutex;
use tidings_model::{DeliveryId, Verdict};
use tidings_store::{AppendRefusal, LeaseToken, Settled, Store};
use tidings_testkit::TestDatabase;
use tokio::task::JoinSet;

use crate::world::{append, at, event, furnish, grant, keyed, open, open_with, options, settlement};

/// Many callers share commits, and each is answered for itself.
#[tokio::test]
async fn appends_that_wait_share_a_commit() {
    let database = TestDatabase::new().await;
    let commits = Arc::new(Mutex::new(Vec::new()));
    let mut options = options();
    let told = Arc::clone(&commits);
    options.on_commit = Some(Arc::new(move |figures| told.lock().push(figures.verbs)));
    let store = open_with(&database.url(), options).await;
    let (environment, webhook) = furnish(&store).await;
    let event = event(&store, environment, &[webhook]).await;
    let mut callers = JoinSet::new();
    for caller in 0..200 {
        let (store, mut event) = (store.clone(), keyed(&event, format!("{}", caller % 100)));
        event.routing_version += u64::from(caller >= 100 && caller % 2 == 0);
        callers.spawn(async move { (caller, store.append(vec![event]).await.unwrap()[0]) });
    }
    for (caller, answer) in callers.join_all().await {
        // The second with a key is a repetition, whatever version it names; unless it comes first, and is refused for that.
        let stale = caller >= 100 && caller % 2 == 0 && answer == Err(AppendRefusal::StaleRouting);
        assert!(stale || answer.is_ok(), "caller {caller}: {answer:?}");
    }
    let commits = commits.lock().clone();
    assert_eq!(commits.iter().sum::<usize>(), 200);
    assert!(commits.len() < 50, "200 verbs took {} commits", commits.len());
}

/// What one caller asks for and the database refuses is not done; what others ask for in the same commit is.
#[tokio::test]
async fn a_verb_that_is_refused_does_not_take_others_along() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let (environment, webhook) = furnish(&store).await;
    let good = event(&store, environment, &[webhook]).await;
    let mut bad = good.clone();
    bad.user = Some("no database holds a \0".to_owned());
    let mut callers = JoinSet::new();
    for caller in 0..20 {
        let (store, event) = (store.clone(), if caller % 5 == 0 { bad.clone() } else { good.clone() });
        callers.spawn(async move { (caller, store.append(vec![event]).await) });
    }
    for (caller, answer) in callers.join_all().await {
        assert_eq!(answer.is_err(), caller % 5 == 0, "caller {caller}: {answer:?}");
    }
    assert_eq!(store.stats(at(9)).await.unwrap().pending, 16);
}

/// Callers that settle at once are answered in their own order, and who has no lease is told so.
#[tokio::test]
async fn settlements_that_wait_share_a_commit() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let (environment, webhook) = furnish(&store).await;
    let event = event(&store, environment, &[webhook]).await;
    store.append(vec![event.clone(); 50]).await.unwrap();
    let leased = store.lease_due(webhook, at(1), 100, grant(at(1))).await.unwrap().deliveries;
    let mut callers = JoinSet::new();
    for leased in leased {
        let store = store.clone();
        callers.spawn(async move {
            let good = settlement(leased.id, webhook, leased.lease.token, Verdict::Delivered);
            let stranger = settlement(leased.id, webhook, LeaseToken(-1), Verdict::Delivered);
            store.settle(vec![stranger, good.clone(), good].into()).await.unwrap()
        });
    }
    let recorded = Settled::Recorded { failing_since: None };
    for answers in callers.join_all().await {
        assert_eq!(answers, [Settled::LeaseLost, recorded, Settled::LeaseLost]);
    }
    let unknown = DeliveryId {
        event: append(&store, event).await,
        ordinal: 77,
    };
    let nothing = settlement(unknown, webhook, LeaseToken(1), Verdict::Delivered);
    assert_eq!(store.settle(vec![nothing].into()).await.unwrap(), [Settled::LeaseLost]);
    assert_eq!(store.settle(Vec::new().into()).await.unwrap(), []);
    assert_eq!(store.append(Vec::new()).await.unwrap(), []);
}
