//! Limits of the HTTP server, each with its unit in its name. Those of what people send are in the model.

/// Connections that are open at the same time unless configured otherwise.
pub(crate) const CONNECTIONS_DEFAULT: usize = 4_096;
/// Size of a request's line and headers.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Requests of one HTTP/2 connection that are under way at the same time.
pub(crate) const STREAMS_PER_CONNECTION_MAX: u32 = 256;
/// How long a new connection may take until its first request has its headers.
pub(crate) const FIRST_REQUEST_SECONDS_MAX: u64 = 15;
/// How long a connection may take between an answer and the headers of the next request.
pub(crate) const IDLE_SECONDS_MAX: u64 = 30;
/// How long a connection is idle before its place may go to another: its last answer is out, its first request had time to come.
pub(crate) const SETTLED_SECONDS: u64 = 1;
/// How long a request may keep us waiting for its body before the place of its connection may go to another, when all are taken.
pub(crate) const ARRIVING_SECONDS: u64 = 3;
/// How long a connection that was asked to close may take.
pub(crate) const GOODBYE_SECONDS_MAX: u64 = 2;
/// How long the body of a request may take to arrive.
pub(crate) const BODY_SECONDS_MAX: u64 = 30;
/// How long a connection may stand with requests under way, none of which begins or ends.
pub(crate) const REQUEST_SECONDS_MAX: u64 = 180;
/// Bytes of bodies that are being read at the same time, over all connections.
pub(crate) const BODIES_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Size of a body whose sender proves nothing by its headers: a credential, and some room.
pub(crate) const STRANGER_BYTES_MAX: usize = 4 * 1024;
/// Bytes of such bodies that are being read at the same time, apart from all others.
pub(crate) const STRANGERS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Pause before accepting again after the operating system refused a connection.
pub(crate) const ACCEPT_PAUSE_MS: u64 = 50;
