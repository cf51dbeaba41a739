//! A body whose bytes are not those that were accepted goes nowhere, hides nothing, and keeps nobody waiting.

use std::sync::Arc;

use tidings_model::EventId;
use tidings_store::Store;
use tidings_store::conformance::altered;
use tidings_testkit::TestDatabase;

use crate::world::open;

/// Another byte in the body of an event.
fn alter(database: &TestDatabase) -> impl AsyncFnOnce(EventId) {
    async move |event: EventId| {
        let alter = "UPDATE events SET body = set_byte(body, 0, get_byte(body, 0) # 1) WHERE id = $1";
        let altered = database.connect().await.execute(alter, &[&event.raw()]).await;
        assert_eq!(altered.unwrap(), 1);
    }
}

#[tokio::test]
async fn an_altered_event_is_shown_as_such_among_the_others() {
    let database = TestDatabase::new().await;
    let store: Arc<dyn Store> = Arc::new(open(&database).await);
    altered::an_altered_event_is_shown_as_such_among_the_others(&store, alter(&database)).await;
}

#[tokio::test]
async fn deliveries_of_an_altered_event_end_when_they_are_due() {
    let database = TestDatabase::new().await;
    let store: Arc<dyn Store> = Arc::new(open(&database).await);
    altered::deliveries_of_an_altered_event_end_when_they_are_due(&store, alter(&database)).await;
}

#[tokio::test]
async fn an_altered_event_is_not_sent_again() {
    let database = TestDatabase::new().await;
    let store: Arc<dyn Store> = Arc::new(open(&database).await);
    altered::an_altered_event_is_not_sent_again(&store, alter(&database)).await;
}
