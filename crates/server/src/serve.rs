//! Connections: how many, how long, and how they end.

mod activity;
mod connection;
mod places;
mod seldom;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tidings_runtime::{Clock, OnError, Shutdown, TaskSet, within};
use tokio::net::TcpListener;

use crate::limits::{ACCEPT_PAUSE_MS, CONNECTIONS_DEFAULT};
use connection::Connections;
use places::Places;
use seldom::Seldom;

/// What an operator may set.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Connections that are served at the same time. Beyond them, a new one takes the place of the one that has been idle for longest, or has kept us
    /// waiting for its request; while there is none, it waits.
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
    routes: Router,
    clock: Arc<dyn Clock>,
    limits: ServeLimits,
    shutdown: Shutdown,
    grace: Duration,
) -> std::io::Result<()> {
    let closing = Shutdown::new();
    let tasks = TaskSet::new(closing.clone());
    let places = Places::new(limits.connections_max, Arc::clone(&clock));
    let connections = Connections::new(routes, Arc::clone(&clock), Arc::clone(&places), tasks.clone());
    let accepted = tokio::select! {
        biased;
        () = shutdown.begun() => Ok(()),
        broken = accept(listener, &connections, &tasks, &places, &clock) => broken,
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

/// Accepts, and gives every connection a place and a task of its own.
async fn accept(
    listener: TcpListener,
    connections: &Connections,
    tasks: &TaskSet,
    places: &Places,
    clock: &Arc<dyn Clock>,
) -> std::io::Result<()> {
    let refused = Seldom::new(Arc::clone(clock));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => return Err(error),
            Err(error) => {
                // Mostly too many open files, which passes: sooner when an idle connection is closed.
                if refused.now() {
                    tracing::warn!(%error, "a connection could not be accepted; raise the limit of open files (ulimit -n) if it is too low");
                }
                drop(places.reclaim());
                clock.sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                continue;
            }
        };
        let connection = connections.run(stream, places.take().await);
        tasks.spawn("connection", OnError::Log, async move {
            connection.await;
            Ok::<(), std::convert::Infallible>(())
        });
    }
}
