//! Telling other nodes that the routing of an environment has changed: a nudge, which may get lost. The versions are the truth.

use deadpool_postgres::Transaction;
use tidings_model::EnvironmentId;

use crate::fault::Outcome;
use crate::record::run;

/// Where nodes listen.
const CHANNEL: &str = "tidings_routing";

/// Tells all nodes, when the transaction is committed.
pub(crate) async fn notify(db: &Transaction<'_>, environment: EnvironmentId) -> Outcome<()> {
    run(
        db,
        "-- changes::notify: once it is committed
         SELECT pg_notify($1, $2)",
        &[&CHANNEL, &environment.to_string()],
    )
    .await?;
    Ok(())
}
