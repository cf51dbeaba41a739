//! The only door out: every byte that leaves towards a receiver passes here.
//!
//! Owns: name resolution, the address policy and its exceptions, connections and their pools, TLS, deadlines, and the caps on what a receiver may
//! answer. [`Egress`] answers the model's `Transport`: one POST in, one `Exchange` out, and every failure in it is a value with a reason in words.
//!
//! The address of a connection is one that was vetted for it: a name is resolved once per connection, all of its addresses are checked, and only those
//! are dialled. A kept connection is used again only under the policy that it was opened under. Nothing is followed, nothing is decompressed, no
//! cookie is kept, no proxy is asked.
//!
//! Never knows: stores, webhooks, retries, what a status means.

mod attempt;
mod connect;
mod dial;
mod egress;
mod failure;
mod line;
mod message;
mod policies;
mod policy;
mod progress;
mod reply;
mod resolve;
mod stream;
mod tls;
mod vet;

pub use egress::{Egress, EgressConfig, EgressError};
pub use policies::AddressPolicies;
pub use policy::{AddressPolicy, Refusal};
pub use resolve::{Resolve, SystemResolver};
