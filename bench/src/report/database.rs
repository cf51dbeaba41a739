//! The PostgreSQL beside which servers are measured: a database for each of them, and what all its processes use.
//!
//! Never knows: what is in a database.

use std::fmt;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tidings_testkit::EphemeralPostgres;

use super::process::{self, Usage};

/// See the module.
#[derive(Clone)]
pub(crate) struct Database {
    server: Arc<EphemeralPostgres>,
    postmaster: u32,
}

/// A database of one server, which goes when that goes.
pub(crate) struct Made {
    of: Database,
    name: String,
}

impl Made {
    /// Where it is.
    pub(crate) fn url(&self) -> String {
        self.of.server.url_of(&self.name)
    }

    /// How large it is, indexes included, in bytes.
    pub(crate) async fn bytes(&self) -> anyhow::Result<f64> {
        let client = self.of.server.connect(&self.name).await;
        let size = client.query_one("SELECT pg_database_size(current_database())", &[]).await?;
        Ok(size.try_get::<_, i64>(0)? as f64)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        self.of.server.is_done_with(std::mem::take(&mut self.name));
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive() // the URL may have a password
    }
}

impl Database {
    /// The server of a URL, which has to be on this machine and to keep what it says that it keeps.
    pub(crate) async fn at(url: &str) -> anyhow::Result<Self> {
        let server = EphemeralPostgres::at(url.to_owned());
        let client = server.connect("postgres").await;
        let asked = "SELECT pg_backend_pid(), current_setting('fsync') || current_setting('synchronous_commit') || current_setting('full_page_writes')";
        let row = client.query_one(asked, &[]).await.context("the database does not answer")?;
        let (backend, settings): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
        ensure!(
            settings == "ononon",
            "the database has fsync, synchronous_commit or full_page_writes off: figures of one that forgets say nothing"
        );
        let postmaster = process::parent(u32::try_from(backend)?).context("the database has to run on this machine")?;
        Ok(Self {
            server: Arc::new(server),
            postmaster,
        })
    }

    /// Makes an empty database.
    pub(crate) async fn make(&self) -> Made {
        Made {
            name: self.server.database().await,
            of: self.clone(),
        }
    }

    /// Removes the databases that were made here and are not in use.
    pub(crate) async fn clean(&self) {
        self.server.remove_done().await;
    }

    /// What all processes of the server have used.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        process::family(self.postmaster)
    }
}
