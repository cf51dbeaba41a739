//! The table that grows while events arrive.

use std::io::Write;

/// One event that arrived.
pub(super) struct Row<'a> {
    pub(super) key: &'a str,
    pub(super) status: &'a str,
    pub(super) attempts: u64,
    pub(super) elapsed_us: u64,
    pub(super) signature: &'a str,
}

/// See the module.
pub(super) struct Table {
    width: usize,
    slowest_us: u64,
}

impl Table {
    /// Prints the head of the table. `width` is that of the longest key.
    pub(super) fn begin(width: usize) -> Self {
        line(&format!(
            "{:width$}  {:<10} {:>8} {:>9}  signature",
            "event", "status", "attempts", "ms"
        ));
        line(&format!("{:─<width$}  {:─<10} {:─>8} {:─>9}  ─────────", "", "", "", ""));
        Self { width, slowest_us: 0 }
    }

    /// Prints a try that the receiver refused.
    pub(super) fn failed(&self, key: &str, tries: u32) {
        line(&format!(
            "{key:width$}  {:<10} {tries:>8} {:>9}  verified",
            "retrying",
            "",
            width = self.width
        ));
    }

    /// Prints an event that arrived.
    pub(super) fn row(&mut self, row: &Row<'_>) {
        let Row {
            key,
            status,
            attempts,
            elapsed_us,
            signature,
        } = row;
        self.slowest_us = self.slowest_us.max(if *attempts == 1 { *elapsed_us } else { 0 });
        let millis = format!("{}.{}", elapsed_us / 1_000, elapsed_us / 100 % 10);
        line(&format!(
            "{key:width$}  {status:<10} {attempts:>8} {millis:>9}  {signature}",
            width = self.width
        ));
    }

    /// Prints the foot of the table.
    pub(super) fn end(&self, count: usize) {
        let slowest = format!("{}.{}", self.slowest_us / 1_000, self.slowest_us / 100 % 10);
        line(&format!(
            "\n{count} of {count} events delivered, every signature verified; the slowest first attempt took {slowest} ms."
        ));
    }
}

/// Data goes to stdout; whoever closed it does not want it any more.
fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
