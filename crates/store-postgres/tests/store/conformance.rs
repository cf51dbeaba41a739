//! The suite that every store has to pass, on a database of its own for each case.

use std::sync::Arc;

use tidings_store::Store;
use tidings_testkit::TestDatabase;

use crate::world::open;

async fn fresh() -> (Arc<dyn Store>, TestDatabase) {
    let database = TestDatabase::new().await;
    (Arc::new(open(&database).await), database)
}

tidings_store::conformance_suite!(fresh);

#[tokio::test]
async fn it_answers_as_the_model_does() {
    tidings_store::conformance::agrees_with_model(fresh, 32).await;
}
