//! The engine, from the outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod activity;
mod nodes;
mod orphans;
mod road;
mod support;
mod turns;
