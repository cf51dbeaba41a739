//! A body whose bytes are not those that were accepted goes nowhere, hides nothing, and keeps nobody waiting.

use std::path::PathBuf;
use std::sync::Arc;

use tidings_model::EventId;
use tidings_store::Store;
use tidings_store::conformance::altered;

use crate::world::{database, open};

/// Another byte in the body of an event.
fn alter(database: PathBuf) -> impl AsyncFnOnce(EventId) {
    async move |event: EventId| {
        let altered = rusqlite::Connection::open(database).unwrap().execute(
            "UPDATE bodies SET body = CAST(replace(body, '{', '[') AS BLOB) WHERE event = ?1",
            [event.raw()],
        );
        assert_eq!(altered, Ok(1));
    }
}

#[tokio::test]
async fn an_altered_event_is_shown_as_such_among_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(open(folder.path()));
    altered::an_altered_event_is_shown_as_such_among_the_others(&store, alter(database(folder.path()))).await;
}

#[tokio::test]
async fn deliveries_of_an_altered_event_end_when_they_are_due() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(open(folder.path()));
    altered::deliveries_of_an_altered_event_end_when_they_are_due(&store, alter(database(folder.path()))).await;
}

#[tokio::test]
async fn an_altered_event_is_not_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(open(folder.path()));
    altered::an_altered_event_is_not_sent_again(&store, alter(database(folder.path()))).await;
}
