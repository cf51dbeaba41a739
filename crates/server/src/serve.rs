//! Connections: how many, how long, and how they end.

mod activity;
mod connection;

use std::sync::Arc;
use std::time::Duration;

use tidings_runtime::{Clock, OnError, Shutdown, TaskSet, within};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::limits::{ACCEPT_PAUSE_MS, CONNECTIONS_DEFAULT};
use crate::router::router;
use crate::state::ServerState;
use connection::Connections;

/// What an operator may set.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Connections that are open at the same time; beyond them callers wait in the listener's backlog.
    pub connections_max: usize,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_DEFAULT,
        }
    }
}

/// Serves everything on a listener until the shutdown begins; then closes the listener, lets what is being answered end within `grace`, and returns.
/// A shutdown that is forced ends it at once. An error says that the listener itself is broken.
pub async fn serve(
    listener: TcpListener,
    state: ServerState,
    limits: ServeLimits,
    shutdown: Shutdown,
    grace: Duration,
) -> std::io::Result<()> {
    let clock = Arc::clone(&state.clock);
    let closing = Shutdown::new();
    let tasks = TaskSet::new(closing.clone());
    let connections = Connections::new(router(state), Arc::clone(&clock), closing.clone());
    let places = Arc::new(Semaphore::new(limits.connections_max.max(1)));
    let accepted = tokio::select! {
        biased;
        () = shutdown.begun() => Ok(()),
        broken = accept(listener, &connections, &tasks, places, &*clock) => broken,
    }; // the listener is closed here
    closing.begin();
    tokio::select! {
        biased;
        () = shutdown.forced() => {}
        in_time = within(&*clock, grace, tasks.ended()) => {
            if in_time.is_err() {
                tracing::warn!("requests were still under way at the end of the grace period; their connections are cut");
            }
        }
    }
    closing.force();
    tasks.ended().await;
    accepted
}

/// Accepts as long as there is a place, and gives every connection its own task.
async fn accept(
    listener: TcpListener,
    connections: &Connections,
    tasks: &TaskSet,
    places: Arc<Semaphore>,
    clock: &dyn Clock,
) -> std::io::Result<()> {
    loop {
        let place = Arc::clone(&places).acquire_owned().await.map_err(std::io::Error::other)?;
        let stream = next(&listener, clock).await?;
        let connection = connections.run(stream);
        tasks.spawn("connection", OnError::Log, async move {
            connection.await;
            drop(place);
            Ok::<(), std::convert::Infallible>(())
        });
    }
}

/// The next connection. Refusals of the operating system, such as too many open files, pass.
async fn next(listener: &TcpListener, clock: &dyn Clock) -> std::io::Result<TcpStream> {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Ok(stream),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                clock.sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}
