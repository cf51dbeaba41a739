//! The native API from its outside: requests in, answers and stored things out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod bad_input;
mod connections;
mod content;
mod deliveries;
mod document;
mod environments;
mod event_types;
mod events;
mod ops;
mod rotation;
mod schemas;
mod tokens;
mod webhooks;
mod world;
