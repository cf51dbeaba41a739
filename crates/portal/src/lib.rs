//! The web pages: set up, test, watch and resend, in a browser.
//!
//! Owns: pages and their addresses ([`router`]), who is signed in as browsers see it (cookies, forms that prove where they come from), the look, and
//! every asset, all of which are in the binary. A page is a file: arguments, one verb of the application, a template beside it. Pages work without
//! JavaScript where a form is enough; what a script adds is in `assets/portal.js`.
//!
//! Never knows: SQL, egress, or a rule about who may do what: the application authorises and validates, and its words are what people read.

mod advice;
mod agent;
mod assets;
mod chart;
mod fault;
mod filter;
mod flash;
mod form;
mod icon;
mod json;
mod limits;
mod markup;
mod pages;
mod paging;
mod query;
mod router;
mod schedule;
mod session;
mod shell;
mod site;
mod state;
mod timings;
mod words;

pub use router::router;
pub use state::PortalParts;
