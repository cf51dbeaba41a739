//! The door out, tried through its two public verbs against receivers and resolvers that do their worst.

mod delivery;
mod http2;
mod lab;
mod names;
mod ssrf;
mod tls;
mod world;
