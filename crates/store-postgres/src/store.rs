//! Opening and closing the store.

use std::fmt;
use std::sync::Arc;

use tidings_runtime::{Clock, Entropy, Shutdown, TaskSet, within};
use tidings_store::{Store, StoreError, watch_roll};

use crate::append::Appending;
use crate::changes::Changes;
use crate::config::{self, PostgresConfig};
use crate::fault::{Fault, Outcome};
use crate::group::Group;
use crate::migrations::{Older, STEPS, Schema, Steps};
use crate::pool::{self, Pool, transact};
use crate::session::{self, Purpose, Telling};
use crate::settle::Settling;
use crate::writing::Writing;
use crate::{fitness, migrations, tls, transfer};

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What it was told cannot be meant.
    #[error("{why}")]
    Refused {
        /// What, and what to do.
        why: String,
    },
    /// The database cannot be reached, or does not let us in.
    #[error("the database cannot be used: {why}. Is the server running, and are host, user, password and database of the URL right?")]
    Away {
        /// In the words of whoever noticed.
        why: String,
    },
    /// The server is not one that this version can use.
    #[error("the server cannot be used: {why}")]
    Unfit {
        /// What about it, and what to do.
        why: String,
    },
    /// The database was made by a newer version.
    #[error("the database has schema {found}, and this version knows {known} and cannot work beside it: use the newer version")]
    Newer {
        /// The schema of the database.
        found: i32,
        /// The newest that this version knows.
        known: i32,
    },
    /// The database has an older schema, and it was asked for something that only the newest has.
    #[error("the database has schema {found}, and this version works with {known}: run `tidings migrate`, or start a node of this version")]
    Older {
        /// The schema of the database.
        found: i32,
        /// The newest that this version knows.
        known: i32,
    },
    /// Nodes of an older version serve it, which could not go on with the schema of this one.
    #[error(
        "the schema of this version is one that the nodes which serve the database cannot work beside: stop {}, and start this again",
        names(.nodes)
    )]
    InUse {
        /// Those nodes.
        nodes: Vec<Older>,
    },
    /// The database was made by another build.
    #[error("step {version} of the database's schema is not the one of this version: the database belongs to another build")]
    Changed {
        /// Which step.
        version: i32,
    },
    /// It was moved elsewhere, or is being moved.
    #[error("{why}")]
    Moved {
        /// From where to where, and what to do.
        why: String,
    },
    /// The database holds something that it cannot.
    #[error("the database holds something unreadable: {what}. Restore a backup")]
    Damaged {
        /// Where, and what.
        what: String,
    },
}

fn names(nodes: &[Older]) -> String {
    let names: Vec<_> = nodes.iter().map(|node| format!("{} ({})", node.name, node.version)).collect();
    names.join(" and ")
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) => Self::Away { why },
            StoreError::Damaged(what) => Self::Damaged { what },
        }
    }
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        if fault.is_denial() {
            let why = format!(
                "{}. See to the role, its password and its rights, and to the name of the database",
                fault.reason()
            );
            return Self::Unfit { why };
        }
        if fault.is_collision() {
            let why = format!("{}: give Tidings a database or a schema of its own", fault.reason());
            return Self::Unfit { why };
        }
        if fault.is_stranger() {
            let why = format!(
                "{}. With sslmode=verify-full it has to have a certificate for the host of the URL, by an authority that sslrootcert names, or else \
                 by one that the system trusts",
                fault.reason()
            );
            return Self::Unfit { why };
        }
        StoreError::from(fault).into()
    }
}

/// What a commit did, for the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitFigures {
    /// Verbs that shared it.
    pub verbs: usize,
    /// How long it took, in microseconds.
    pub duration_us: u64,
}

/// What the store needs from outside.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Measures how long things take, and dates migrations; never decides what is stored.
    pub clock: Arc<dyn Clock>,
    /// Spreads the tries of many nodes to reach a database that was away.
    pub entropy: Arc<dyn Entropy>,
    /// Called after every commit of appends or settlements, so it has to be quick.
    pub on_commit: Option<Arc<dyn Fn(CommitFigures) + Send + Sync>>,
}

impl PostgresOptions {
    /// With that clock and that chance, and nobody who wants to know of commits.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            clock,
            entropy,
            on_commit: None,
        }
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions").finish_non_exhaustive()
    }
}

/// The store in a PostgreSQL database, which any number of nodes may have open at once. Cheap to clone.
///
/// Verbs have to be called inside a Tokio runtime.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pub(crate) pool: Arc<Pool>,
    /// For what keeps this node among the others and its lanes filled.
    pub(crate) vital: Arc<Pool>,
    /// The connections of those who append and settle.
    road: Arc<Pool>,
    pub(crate) clock: Clocked,
    pub(crate) appends: Arc<Group<Appending>>,
    pub(crate) settles: Arc<Group<Settling>>,
    pub(crate) changes: Changes,
    pub(crate) writing: Arc<Writing>,
    tasks: TaskSet,
    steps: Steps,
}

/// A clock that says nothing of itself.
#[derive(Clone)]
pub(crate) struct Clocked(Arc<dyn Clock>);

impl std::ops::Deref for Clocked {
    type Target = dyn Clock;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for Clocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl PostgresStore {
    /// Opens the store in a database, and brings its schema up to date. Other nodes may have it open, and go on serving meanwhile.
    ///
    /// # Errors
    /// The database is away, unfit, damaged, of a newer version, or served by nodes that could not work beside the newest schema. It was moved elsewhere,
    /// or is being moved.
    pub async fn open(config: &PostgresConfig, options: PostgresOptions) -> Result<Self, OpenError> {
        let store = Self::open_to_move(config, options).await?;
        match transfer::refusal(&store, config).await {
            Ok(()) => Ok(store),
            Err(refused) => {
                store.close().await;
                Err(refused)
            }
        }
    }

    /// Opens the store as [`open`](Self::open) does, to be moved elsewhere or to have another moved into it, whatever is noted of moves.
    ///
    /// # Errors
    /// As there, but for moves.
    pub async fn open_to_move(config: &PostgresConfig, options: PostgresOptions) -> Result<Self, OpenError> {
        let entropy = Arc::clone(&options.entropy);
        let store = Self::connect(config, options, STEPS)?;
        store.look_at_connections(&*entropy).await??;
        store.bring_up().await?;
        Ok(store)
    }

    /// Opens the store in a database as it is, and says how its schema stands to this version. Verbs work if nothing is missing.
    ///
    /// # Errors
    /// The database is away, unfit, damaged or of a newer version; it was moved elsewhere, or is being moved.
    pub async fn open_as_it_is(config: &PostgresConfig, options: PostgresOptions) -> Result<(Self, Schema), OpenError> {
        let (store, schema) = Self::look_at(config, options).await?;
        if schema.missing.is_empty() {
            transfer::refusal(&store, config).await?;
        }
        Ok((store, schema))
    }

    /// How the schema of a database stands to this version. Nothing is changed there, and whatever is noted of moves does not matter.
    ///
    /// # Errors
    /// The database is away, unfit, damaged or of a newer version.
    pub async fn schema_of(config: &PostgresConfig, options: PostgresOptions) -> Result<Schema, OpenError> {
        let (store, schema) = Self::look_at(config, options).await?;
        store.close().await;
        Ok(schema)
    }

    async fn look_at(config: &PostgresConfig, options: PostgresOptions) -> Result<(Self, Schema), OpenError> {
        let entropy = Arc::clone(&options.entropy);
        let store = Self::connect(config, options, STEPS)?;
        store.look_at_connections(&*entropy).await??;
        let schema = store.look().await??;
        Ok((store, schema))
    }

    /// A store of a version that knows these steps. Nothing is asked of the database yet.
    pub(crate) fn connect(config: &PostgresConfig, options: PostgresOptions, steps: Steps) -> Result<Self, OpenError> {
        let connecting = config::read(config)?;
        let tls = tls::connector(&connecting.trust)?;
        let pool = |purpose, connections| {
            let pool = Pool::new(&connecting.config, Telling::new(tls.clone(), purpose), connections, &options);
            pool.map(Arc::new).map_err(|why| OpenError::Refused { why })
        };
        let road = pool(Purpose::Road, config::ROAD_CONNECTIONS)?;
        let vital = pool(Purpose::Rest, config::VITAL_CONNECTIONS)?;
        let pool = pool(Purpose::Rest, connecting.others)?;
        let tasks = TaskSet::new(Shutdown::new());
        let writing = Arc::new(Writing::new(Arc::clone(&options.clock)));
        Ok(Self {
            changes: Changes::listen(&tasks, connecting.config.clone(), tls.clone(), &options),
            appends: Arc::new(Group::start(&tasks, &road, &writing, &options)),
            settles: Arc::new(Group::start(&tasks, &road, &writing, &options)),
            writing,
            clock: Clocked(options.clock),
            pool,
            vital,
            road,
            tasks,
            steps,
        })
    }

    /// The newest schema that this version knows.
    pub(crate) const fn known(&self) -> i32 {
        migrations::known(self.steps)
    }

    async fn look_at_connections(&self, entropy: &dyn Entropy) -> Outcome<Result<(), OpenError>> {
        let (one, other) = (self.pool.take().await?, self.road.take().await?);
        let looked = within(&*self.clock, pool::VERB, session::look(one.client(), other.client(), entropy)).await;
        one.finish(looked)
    }

    pub(crate) async fn look(&self) -> Outcome<Result<Schema, OpenError>> {
        transact!(self.pool, begin, db => async {
            match fitness::look(db).await? {
                Ok(()) => migrations::look(db, self.steps).await,
                Err(refused) => Ok(Err(refused)),
            }
        })
    }

    /// Makes the steps that are missing. Nodes that could not go on, and do not live any more, are taken off the roll first.
    pub(crate) async fn bring_up(&self) -> Result<(), OpenError> {
        let schema = self.look().await??;
        if !schema.in_the_way.is_empty() {
            let (_, silent) = watch_roll(self, &*self.clock).await?;
            for node in silent {
                self.strike_node(node.number, Some(node.beats)).await?;
            }
        }
        let now = self.clock.now().as_millis();
        let mut held = self.pool.take().await?;
        // However long it takes: a step may rewrite a table.
        let done = async {
            let transaction = held.begin().await?;
            let applied = migrations::apply(&transaction, self.steps, now).await?;
            transaction.commit().await?;
            Ok::<_, Fault>(applied)
        }
        .await;
        held.finish(Ok(done))?
    }

    /// Takes nothing new, finishes what is under way, and gives the connections back. Verbs answer from then on that the store is not available.
    pub async fn close(&self) {
        self.appends.close();
        self.settles.close();
        self.tasks.shutdown().begin();
        self.tasks.ended().await;
        self.pool.close();
        self.vital.close();
        self.road.close();
    }
}
