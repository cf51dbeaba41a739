//! The Frontegg dialect, driven as its clients drive it: requests in, exact shapes out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod auth;
mod captures;
mod catalogue;
mod companions;
mod document;
mod logs;
mod test_button;
mod triggers;
mod webhooks;
mod world;
