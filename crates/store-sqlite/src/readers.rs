//! A few connections that read beside the writer. Each read sees one state of the database: the last commit before it began.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use tidings_store::StoreError;
use tokio::sync::Semaphore;

use crate::connection;
use crate::fault::Outcome;
use crate::trouble::Trouble;

/// Reads at a time; more of them only fight for the same processors.
const READERS: u32 = 4;

/// Connections for reading, opened when they are first needed.
#[derive(Debug)]
pub(crate) struct Readers {
    file: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    trouble: Trouble,
}

impl Readers {
    /// For the database in that file. Reads that cannot be done are told to `trouble`.
    pub(crate) fn new(file: PathBuf, trouble: Trouble) -> Self {
        Self {
            file,
            idle: Arc::default(),
            permits: Arc::new(Semaphore::new(READERS as usize)),
            trouble,
        }
    }

    /// Reads on a thread that may block, when one of the connections is free.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| closed())?;
        let (file, idle) = (self.file.clone(), Arc::clone(&self.idle));
        let read = tokio::task::spawn_blocking(move || {
            let waiting = idle.lock().pop();
            let mut connection = match waiting {
                Some(connection) => connection,
                None => connection::open_reader(&file)?,
            };
            let found = read(&mut connection, work);
            idle.lock().push(connection);
            drop(permit); // after the connection is back, so that whoever comes next finds it
            found
        });
        let found = match read.await {
            Ok(found) => found.map_err(StoreError::from),
            Err(error) => Err(StoreError::Unavailable(format!("a read did not end: {error}"))),
        };
        match &found {
            Ok(_) => self.trouble.done(),
            Err(StoreError::Unavailable(reason)) => self.trouble.failed(reason, 1),
            Err(StoreError::Damaged(_)) => {} // whoever asked tells what it means
        }
        found
    }

    /// Takes no new reads, waits for those that run, and gives up the connections.
    pub(crate) async fn close(&self) {
        // An error: it has been closed before.
        if let Ok(_all) = self.permits.acquire_many(READERS).await {
            self.permits.close();
        }
        self.idle.lock().clear();
    }
}

/// One transaction, so that the statements of a verb agree with each other.
pub(crate) fn read<T>(connection: &mut Connection, work: impl FnOnce(&Connection) -> Outcome<T>) -> Outcome<T> {
    let transaction = connection.transaction()?;
    let found = work(&transaction)?;
    transaction.commit()?;
    Ok(found)
}

fn closed() -> StoreError {
    StoreError::Unavailable("it is closed".to_owned())
}
