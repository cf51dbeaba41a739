//! What goes over the wire, and how it becomes what the application's verbs take and give. No I/O, no rules.

pub(super) mod catalogue;
pub(super) mod log;
pub(super) mod members;
pub(super) mod test;
pub(super) mod trigger;
pub(super) mod webhook;
