//! The portal's bounds, each with its unit.

use std::time::Duration;

/// Largest form that is read, in bytes: a payload as large as the application takes, percent-encoded at worst.
pub(crate) const FORM_BYTES_MAX: usize = 1024 * 1024;
/// Largest form that anybody may send, in bytes: an address, a password and a page to go back to, percent-encoded at worst.
pub(crate) const OPEN_FORM_BYTES_MAX: usize = 16 * 1024;
/// How long a form may take to arrive.
pub(crate) const FORM_TIME_MAX: Duration = Duration::from_secs(30);
/// Rows of a list on one page.
pub(crate) const ROWS: usize = 50;
/// Live streams that one process serves at a time; beyond them a page stays as it was loaded.
pub(crate) const LIVE_STREAMS_MAX: usize = 256;
/// Shortest time between two pulses of a live stream: a browser reads the list anew at each.
pub(crate) const LIVE_PULSE_EVERY: Duration = Duration::from_millis(500);
/// Longest silence of a live stream: proxies cut what says nothing.
pub(crate) const LIVE_SILENCE_MAX: Duration = Duration::from_secs(15);
/// How often a live page reads itself anew where other nodes serve, too: nobody tells this one what they do.
pub(crate) const LIVE_BESIDE_OTHERS_EVERY: Duration = Duration::from_secs(2);
