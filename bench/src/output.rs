//! What people and programs read: data on standard output, a line of JSON each, and talk on standard error.
//!
//! Never knows: what the data means.

use std::io::{self, Write as _};
use std::net::SocketAddr;

use serde::Serialize;

/// Talks to people, on standard error. Whether anybody listens does not matter.
pub(crate) fn say(words: &str) {
    let _ = writeln!(io::stderr().lock(), "{words}");
}

/// Prints text, on standard output.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.trim_end_matches('\n').as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Prints data as one line of JSON, on standard output.
pub(crate) fn print_json(data: &impl Serialize) -> io::Result<()> {
    print(&serde_json::to_string(data)?)
}

/// The first line of a program that listens: where it does.
#[derive(Serialize)]
pub(crate) struct Listening {
    /// The URL of its root, without a slash at the end.
    pub(crate) listening: String,
}

impl Listening {
    /// On that address.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self {
            listening: format!("http://{address}"),
        }
    }
}
