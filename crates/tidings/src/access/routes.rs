//! Every route of a router, from the router itself: what is registered anywhere is in it, documented or not.
//!
//! The library has no other way to list routes than its `Debug` form, which names every path and the methods that it allows. Should that form
//! change with a new version, nothing is found, and the test that counts on more says so.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;

/// A method and a path, as they were registered. The method is `ANY` where every method is taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Route {
    pub(super) path: String,
    pub(super) method: String,
}

impl Route {
    pub(super) fn new(method: &str, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            method: method.to_owned(),
        }
    }
}

/// What the `Debug` form has before the number of a route.
const ROUTE: &str = "RouteId(";

/// All of them, by path and method. HEAD comes with GET, and is left out.
pub(super) fn of(router: &Router) -> BTreeSet<Route> {
    let text = format!("{router:?}");
    let (routers, _) = text.split_once("fallback_router:").expect("a router shows its fallbacks apart");
    let (routes, paths) = routers.split_once("node: Node").expect("a router shows its paths apart");
    let paths: BTreeMap<&str, &str> = entries(paths)
        .map(|(id, entry)| (id, quoted(entry, "\"", "\"").expect("a path is a text")))
        .collect();
    let mut found = BTreeSet::new();
    for (id, entry) in entries(routes) {
        let path = paths[id];
        if path.contains("__private__") {
            continue; // the library's own, for what a nested router does not have
        }
        let methods = quoted(entry, "allow_header: Bytes(b\"", "\")");
        let methods = methods
            .into_iter()
            .flat_map(|list| list.split(','))
            .filter(|method| !method.is_empty());
        let methods: Vec<_> = methods.filter(|method| *method != "HEAD").collect();
        if methods.is_empty() {
            found.insert(Route::new("ANY", path));
        }
        found.extend(methods.into_iter().map(|method| Route::new(method, path)));
    }
    found
}

/// The number of each route, and the text up to the next.
fn entries(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(ROUTE).skip(1).filter_map(|entry| entry.split_once("): "))
}

/// The text between the first of one and the next of the other.
fn quoted<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inner, _)| inner)
}
