//! Telling other nodes that something has changed that they keep in memory: a number that is raised, which each of them reads with its beats, and a nudge
//! to do so at once, which may get lost.

use std::convert::Infallible;

use deadpool_postgres::Transaction;
use futures::future::{FusedFuture, poll_fn};
use futures::{FutureExt, pin_mut};
use tidings_runtime::{OnError, TaskSet};
use tidings_store::StoreError;
use tokio::sync::watch;
use tokio_postgres::{AsyncMessage, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::fault::{Outcome, exactly_one, said};
use crate::pool::{Backoff, closed};
use crate::record::run;
use crate::store::PostgresOptions;

/// Where nodes listen.
const LISTEN: &str = "LISTEN tidings_changes";

/// Tells all nodes, when the transaction is committed. It is the last thing that a transaction does: all of them raise the same row.
pub(crate) const TELL: &str = "-- changes::tell: by number, and by a nudge once it is committed
    WITH raised AS (UPDATE changes SET number = number + 1 RETURNING number)
    SELECT pg_notify('tidings_changes', number::text) FROM raised";

/// Tells all nodes of a change that appends are not held against.
pub(crate) async fn tell(db: &Transaction<'_>) -> Outcome<()> {
    exactly_one(run(db, TELL, &[]).await?, "changes", 0)
}

/// What this node has heard.
#[derive(Clone, Debug)]
pub(crate) struct Changes(watch::Receiver<u64>);

/// The ear of a node: a connection of its own.
struct Listener {
    config: Config,
    tls: MakeRustlsConnect,
    options: PostgresOptions,
    heard: watch::Sender<u64>,
}

impl Changes {
    /// Listens until the tasks end.
    pub(crate) fn listen(tasks: &TaskSet, config: Config, tls: MakeRustlsConnect, options: &PostgresOptions) -> Self {
        let (heard, changes) = watch::channel(0);
        let options = options.clone();
        let listener = Listener {
            config,
            tls,
            options,
            heard,
        };
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("changes", OnError::Log, async move {
            tokio::select! {
                biased;
                () = shutdown.begun() => {}
                () = listener.serve() => {}
            }
            Ok::<_, Infallible>(())
        });
        Self(changes)
    }

    /// Waits until something else was heard than `seen` stands for.
    pub(crate) async fn after(&self, seen: u64) -> Result<u64, StoreError> {
        let mut changes = self.0.clone();
        let heard = changes.wait_for(|heard| *heard != seen).await;
        heard.map(|heard| *heard).map_err(|_| closed())
    }
}

impl Listener {
    async fn serve(self) {
        let mut backoff = Backoff::default();
        loop {
            let (heard, clock) = (self.hear(&mut backoff).await, &self.options.clock);
            if let Err(error) = heard {
                tracing::debug!(
                    error = said(&error),
                    "nobody tells of changes at the moment: they are looked for now and then"
                );
            }
            clock.sleep(backoff.next(&*self.options.entropy)).await;
        }
    }

    /// Listens until the connection ends. What was said before it began nobody knows, so its beginning counts as a change.
    async fn hear(&self, backoff: &mut Backoff) -> Result<(), Error> {
        let (client, mut connection) = self.config.connect(self.tls.clone()).await?;
        let listening = client.batch_execute(LISTEN).fuse();
        pin_mut!(listening);
        loop {
            tokio::select! {
                biased;
                listens = &mut listening, if !listening.is_terminated() => {
                    listens?;
                    *backoff = Backoff::default();
                    self.heard.send_modify(|heard| *heard += 1);
                }
                message = poll_fn(|context| connection.poll_message(context)) => match message {
                    Some(Ok(AsyncMessage::Notification(_))) => self.heard.send_modify(|heard| *heard += 1),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error),
                    None => return Ok(()),
                },
            }
        }
    }
}
