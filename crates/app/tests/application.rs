//! The application from its outside, on the in-memory store.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api;
mod portal;
mod support;
