//! What the fuzz targets share: a server in memory, JSON read member by member, and inputs in parts.
//!
//! A target is one door of the product with the promises that hold behind it, whatever comes in; `cargo xtask fuzz` builds and runs them.

pub mod input;
pub mod json;
pub mod server;
