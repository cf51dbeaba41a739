//! The suite that every store has to pass, on a data folder of its own for each case.

use std::sync::Arc;

use tempfile::TempDir;
use tidings_store::Store;

use crate::world::open;

async fn fresh() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Arc::new(open(folder.path())), folder)
}

tidings_store::conformance_suite!(fresh);

#[tokio::test]
async fn it_answers_as_the_model_does() {
    tidings_store::conformance::agrees_with_model(fresh, 64).await;
}
