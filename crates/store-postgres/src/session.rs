//! What the server is told of every connection, and whether a connection is one process of the server for as long as it lasts.
//!
//! It is told by a statement and not with the connection's options: a pooler between the two refuses those, or drops them without a word.

use std::future::Future;
use std::pin::Pin;

use deadpool_postgres::{Client, ConfigConnectImpl, Connect};
use tidings_runtime::Entropy;
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, Error, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::fault::{Fault, Outcome};
use crate::store::OpenError;

/// The server ends by itself what takes too long, so that a node which is gone keeps nobody from going on, and plans for the large tables that there will
/// be: a plan is kept for as long as its connection, and most are made while tables are empty.
const SESSION: &[(&str, &str)] = &[
    ("statement_timeout", "20s"),
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("tcp_keepalives_idle", "15"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("client_min_messages", "warning"),
    ("default_transaction_isolation", "read committed"),
    ("synchronous_commit", "on"),
    ("jit", "off"),
    ("enable_seqscan", "off"),
    ("max_parallel_workers_per_gather", "0"),
];

/// And of those that append and settle: their few statements are planned once. Left to itself, the server plans them again for every small batch, which
/// takes longer than running them.
const ROAD_SESSION: &[(&str, &str)] = &[("plan_cache_mode", "force_generic_plan")];

/// How often a pooler is asked whether it is one. A single time is enough where nobody else uses it meanwhile.
const ROUNDS: usize = 4;

/// What connections are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Appending and settling.
    Road,
    /// Everything else.
    Rest,
}

impl Purpose {
    /// The statement that says it all, but for what the options of the database's URL say otherwise; they cannot have a commit be answered for before it is
    /// on the disk, nor a transaction see what was before it had its turn.
    fn statement(self) -> String {
        let own = match self {
            Self::Road => ROAD_SESSION,
            Self::Rest => &[],
        };
        let settings: Vec<_> = SESSION
            .iter()
            .chain(own)
            .map(|(name, value)| format!("('{name}', '{value}')"))
            .collect();
        format!(
            "-- session: what holds as long as the connection
             SELECT set_config(s.name, s.value, false) FROM (VALUES {}) s(name, value) JOIN pg_settings p USING (name)
             WHERE p.source <> 'client' OR name = 'default_transaction_isolation' OR (name = 'synchronous_commit' AND p.setting <> 'remote_apply')",
            settings.join(", ")
        )
    }
}

/// Connects, and tells the server.
pub(crate) struct Telling {
    connect: ConfigConnectImpl<MakeRustlsConnect>,
    statement: String,
}

impl Telling {
    /// Of connections for that.
    pub(crate) fn new(tls: MakeRustlsConnect, purpose: Purpose) -> Self {
        Self {
            connect: ConfigConnectImpl { tls },
            statement: purpose.statement(),
        }
    }
}

/// As the trait has it.
type Connected<'a> = Pin<Box<dyn Future<Output = Result<(tokio_postgres::Client, JoinHandle<()>), Error>> + Send + 'a>>;

impl Connect for Telling {
    fn connect(&self, config: &Config) -> Connected<'_> {
        let config = config.clone();
        Box::pin(async move {
            let (client, connection) = self.connect.connect(&config).await?;
            client.batch_execute(&self.statement).await?;
            Ok((client, connection))
        })
    }
}

/// Refuses a way to the server on which what is said of a connection does not hold, because others have its process between two statements: prepared
/// statements, settings and what is listened to would be somebody else's.
///
/// Each of two connections marks its own, and looks whether the mark is there, while the other is in a transaction and while it is not.
pub(crate) async fn look(one: &Client, other: &Client, entropy: &dyn Entropy) -> Outcome<Result<(), OpenError>> {
    let marks = [one, other].map(|client| (client, u128::from_le_bytes(entropy.bytes16()).to_string()));
    let [one, other] = &marks;
    for (client, mark) in &marks {
        let sql = format!("-- session::look: a mark\n SELECT set_config('tidings.connection', '{mark}', false)");
        client.batch_execute(&sql).await?;
    }
    for _ in 0..ROUNDS {
        let apart =
            is_marked(one).await? && is_marked(one).await? && begins(other.0).await? && is_marked(other).await? && is_marked(one).await?;
        if !apart {
            return Ok(Err(shared()));
        }
        other.0.batch_execute("ROLLBACK").await?;
    }
    Ok(Ok(()))
}

async fn is_marked((client, mark): &(&Client, String)) -> Outcome<bool> {
    let said = client
        .simple_query("-- session::look: is the mark there\n SELECT current_setting('tidings.connection', true)")
        .await?;
    Ok(said
        .iter()
        .any(|message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some(mark))))
}

/// False when there is somebody in between who knows no transactions.
async fn begins(client: &Client) -> Outcome<bool> {
    match client.batch_execute("BEGIN").await {
        Ok(()) => Ok(true),
        Err(error) if error.code() == Some(&SqlState::PROTOCOL_VIOLATION) => Ok(false),
        Err(error) => Err(Fault::Sql(error)),
    }
}

fn shared() -> OpenError {
    let why = "a pooler stands before it that gives a connection's statements to several of its processes, as PgBouncer does with \
               pool_mode=transaction or statement. Name the server itself in the URL (several hosts, as in host1:5432,host2:5432, if another may \
               take its place), or set the pooler to pool_mode=session, with room for every connection of every node";
    OpenError::Unfit { why: why.to_owned() }
}
