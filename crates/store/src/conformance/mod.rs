//! The suite that every store has to pass: one case per promise of the [`Store`](crate::Store) trait, races, and random operations compared with
//! [`MemStore`](crate::MemStore), the reference.
//!
//! Owns: what "conforms" means. Knows the trait and nothing behind it; every case begins with an empty store of its own.
//!
//! A store's test file says how to make an empty one, and every case becomes a `#[tokio::test]` of its own:
//!
//! ```text
//! /// An empty store, and what has to live as long as it does (a temporary directory, say).
//! async fn fresh() -> (Arc<dyn Store>, TempDir) { /* … */ }
//!
//! tidings_store::conformance_suite!(fresh);
//!
//! #[tokio::test]
//! async fn it_answers_as_the_model_does() {
//!     tidings_store::conformance::agrees_with_model(fresh, 64).await;
//! }
//! ```

pub mod activity;
mod agreement;
pub mod altered;
pub mod append;
pub mod audit;
pub mod cancel;
pub mod deliveries;
pub mod environments;
pub mod event_types;
pub mod events;
pub mod idempotency;
pub mod keys;
pub mod leases;
pub mod log;
pub mod nodes;
pub mod people;
pub mod races;
pub mod resend;
pub mod routing;
pub mod sessions;
pub mod settle;
mod suite;
pub mod upkeep;
pub mod verify;
pub mod webhooks;
mod world;

pub use agreement::{agrees_while_moving, agrees_with_model};
