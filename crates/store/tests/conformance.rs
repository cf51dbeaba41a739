//! The reference model passes the suite that it is the reference of.

use std::sync::Arc;

use tidings_store::{MemStore, Store};

async fn fresh() -> (Arc<dyn Store>, ()) {
    (Arc::new(MemStore::new()), ())
}

tidings_store::conformance_suite!(fresh);
