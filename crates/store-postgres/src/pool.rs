//! The connections: how many, how long anybody waits for one, and how a database that is away is left in peace.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Client, Manager, ManagerConfig, Object, PoolConfig, PoolError, RecyclingMethod, Runtime, TimeoutType, Timeouts, Transaction,
};
use parking_lot::Mutex;
use tidings_runtime::{Clock, Entropy, TimedOut};
use tidings_store::StoreError;
use tokio_postgres::{Config, IsolationLevel};

use crate::fault::{Fault, Outcome, said};
use crate::session::Telling;
use crate::store::PostgresOptions;

/// How long a verb waits for a connection that others have.
const WAIT: Duration = Duration::from_secs(3);
/// How long a verb works, the server's own limits included.
pub(crate) const VERB: Duration = Duration::from_secs(30);
/// How long a connection takes to come about, all hosts together.
const CONNECT: Duration = Duration::from_secs(10);
/// Between two tries to connect to a database that is away, to begin with and at most.
const BACKOFF: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// The connections of a store.
pub(crate) struct Pool {
    connections: deadpool_postgres::Pool,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    gate: Mutex<Gate>,
}

/// How long to leave a database in peace that cannot be reached: longer each time, and not all nodes equally long.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    /// Tries that failed, one after the other.
    failures: u32,
}

impl Backoff {
    /// After one more failure.
    pub(crate) fn next(&mut self, entropy: &dyn Entropy) -> Duration {
        let pause = BACKOFF.saturating_mul(1 << self.failures.min(16)).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(0.5 + f64::from(entropy.u32()) / f64::from(u32::MAX))
    }
}

/// Whether connecting is worth a try.
#[derive(Default)]
struct Gate {
    backoff: Backoff,
    /// Nobody tries again before then, in microseconds of the clock.
    until_us: u64,
    /// What went wrong the last time.
    why: String,
}

impl Pool {
    /// Connects to nobody yet.
    pub(crate) fn new(config: &Config, telling: Telling, connections: usize, options: &PostgresOptions) -> Result<Self, String> {
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_connect(config.clone(), telling, ManagerConfig { recycling_method });
        let timeouts = Timeouts {
            wait: Some(WAIT),
            create: Some(CONNECT),
            recycle: Some(WAIT),
        };
        let connections = deadpool_postgres::Pool::builder(manager)
            .config(PoolConfig {
                timeouts,
                ..PoolConfig::new(connections)
            })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            connections,
            clock: Arc::clone(&options.clock),
            entropy: Arc::clone(&options.entropy),
            gate: Mutex::default(),
        })
    }

    /// A connection of one's own. Fails at once while the database is known to be away.
    pub(crate) async fn take(&self) -> Outcome<Held> {
        self.pass()?;
        match self.connections.get().await {
            Ok(connection) => {
                self.arrived();
                Ok(Held(connection))
            }
            Err(PoolError::Timeout(TimeoutType::Wait)) => Err(Fault::Away(format!(
                "all {} connections to PostgreSQL are in use, and none came free within {} seconds",
                self.connections.status().max_size,
                WAIT.as_secs()
            ))),
            Err(PoolError::Backend(error)) => {
                self.failed(&said(&error));
                Err(Fault::Sql(error))
            }
            Err(error) => {
                let why = match &error {
                    PoolError::Timeout(_) => format!("PostgreSQL did not answer within {} seconds", CONNECT.as_secs()),
                    other => other.to_string(),
                };
                self.failed(&why);
                Err(Fault::Away(why))
            }
        }
    }

    /// Closes all connections; verbs fail from then on.
    pub(crate) fn close(&self) {
        self.connections.close();
    }

    /// Lets one caller at a time see whether a database that was away is back.
    fn pass(&self) -> Outcome<()> {
        let mut gate = self.gate.lock();
        if gate.backoff.failures == 0 || self.connections.status().available > 0 {
            return Ok(());
        }
        let now = self.clock.monotonic_us();
        if now < gate.until_us {
            return Err(Fault::Away(format!("PostgreSQL is away: {}", gate.why)));
        }
        gate.until_us = now + micros(CONNECT);
        Ok(())
    }

    fn arrived(&self) {
        let mut gate = self.gate.lock();
        if gate.backoff.failures > 0 {
            tracing::info!(failures = gate.backoff.failures, "PostgreSQL can be reached again");
            *gate = Gate::default();
        }
    }

    fn failed(&self, why: &str) {
        let mut gate = self.gate.lock();
        if gate.backoff.failures == 0 {
            tracing::error!(
                error = why,
                "PostgreSQL cannot be reached: callers are told to try again, and it goes on by itself"
            );
        }
        gate.until_us = self.clock.monotonic_us() + micros(gate.backoff.next(&*self.entropy));
        why.clone_into(&mut gate.why);
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("status", &self.connections.status())
            .finish_non_exhaustive()
    }
}

/// A connection in somebody's hands.
pub(crate) struct Held(Object);

impl Held {
    pub(crate) const fn client(&self) -> &Client {
        &self.0
    }

    /// Begins a transaction that is rolled back unless it is committed.
    pub(crate) async fn begin(&mut self) -> Outcome<Transaction<'_>> {
        Ok(self.0.transaction().await?)
    }

    /// Begins reading as of one commit.
    pub(crate) async fn snapshot(&mut self) -> Outcome<Transaction<'_>> {
        let transaction = self.0.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        Ok(transaction.read_only(true).start().await?)
    }

    /// Gives it back when what was done with it leaves it usable, and says what was done.
    pub(crate) fn finish<T>(self, done: Result<Outcome<T>, TimedOut>) -> Outcome<T> {
        let outcome = done.unwrap_or_else(|TimedOut| {
            Err(Fault::Away(format!(
                "PostgreSQL did not answer within {} seconds; whether it has done what it was asked is not known",
                VERB.as_secs()
            )))
        });
        let usable = match &outcome {
            Ok(_) => true,
            Err(fault @ (Fault::Sql(_) | Fault::Damaged(_))) => !fault.ends_connection(),
            Err(Fault::Away(_)) => false,
        };
        if !usable {
            drop(Object::take(self.0));
        }
        outcome
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Runs a verb that needs no transaction around it, on a connection of a pool of the store.
macro_rules! alone {
    ($store:ident.$pool:ident, $db:ident => $work:expr) => {{
        let held = $store.$pool.take().await?;
        let done = tidings_runtime::within(&*$store.clock, crate::pool::VERB, async {
            let $db = held.client();
            $work.await
        })
        .await;
        held.finish(done)
    }};
}

/// Runs a verb in a transaction: its beginning is a method of the connection.
macro_rules! transact {
    ($store:ident.$pool:ident, $begin:ident, $db:ident => $work:expr) => {{
        let mut held = $store.$pool.take().await?;
        let done = tidings_runtime::within(&*$store.clock, crate::pool::VERB, async {
            let transaction = held.$begin().await?;
            let $db = &transaction;
            let answer = $work.await?;
            transaction.commit().await?;
            Ok::<_, crate::fault::Fault>(answer)
        })
        .await;
        held.finish(done)
    }};
}

/// Runs a verb that changes something, in a transaction, and notes what came of it.
macro_rules! change {
    ($store:ident, $db:ident => $work:expr) => {{
        let done: crate::fault::Outcome<_> = async { crate::pool::transact!($store.pool, begin, $db => $work) }.await;
        $store.writing.note(done)
    }};
}

/// Runs a verb of several statements that reads as of one commit.
macro_rules! snapshot {
    ($store:ident, $db:ident => $work:expr) => { crate::pool::transact!($store.pool, snapshot, $db => $work) };
}

pub(crate) use {alone, change, snapshot, transact};

/// Says of a store that it is closed.
pub(crate) fn closed() -> StoreError {
    StoreError::Unavailable("it is closed".to_owned())
}
