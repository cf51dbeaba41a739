//! The suite that every store has to pass, once more where blocks have a few events and nothing stays in hand without a row for long: what
//! otherwise happens to the many thousandth event happens here to the fifth.

use std::sync::Arc;

use tempfile::TempDir;
use tidings_model::Timestamp;
use tidings_runtime::ManualClock;
use tidings_store::Store;

use crate::{SqliteOptions, SqliteStore};

async fn fresh() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000))));
    let store = SqliteStore::open(folder.path(), options).unwrap();
    (Arc::new(store), folder)
}

tidings_store::conformance_suite!(fresh);

#[tokio::test]
async fn it_answers_as_the_model_does() {
    tidings_store::conformance::agrees_with_model(fresh, 64).await;
}
