//! The table of who may do what, as people read it.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::routes::Route;
use super::world::Answer;
use super::{Audience, PEOPLE, PROGRAMS};

/// What a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was done, or shown.
    Done,
    /// Who asks has to prove who they are first: 401, and for pages the way to the sign-in.
    SignIn,
    /// It is known who asks, and they may not: 403.
    Forbidden,
    /// For who asks there is no such thing: 404.
    NotThere,
    /// Anything else.
    Other(u16),
}

impl Outcome {
    pub(super) fn of(answer: &Answer) -> Self {
        let leads_to_sign_in = answer
            .headers
            .get("location")
            .is_some_and(|place| place.as_bytes().starts_with(b"/signin"));
        // Signing out leads there too, and takes the cookie away.
        let signs_out = answer.headers.contains_key("set-cookie");
        match answer.status {
            303 if leads_to_sign_in && !signs_out => Self::SignIn,
            200..=399 => Self::Done,
            401 => Self::SignIn,
            403 => Self::Forbidden,
            404 => Self::NotThere,
            other => Self::Other(other),
        }
    }

    fn word(self) -> String {
        match self {
            Self::Done => "yes".to_owned(),
            Self::SignIn => "–".to_owned(),
            Self::Forbidden => "no".to_owned(),
            Self::NotThere => "not there".to_owned(),
            Self::Other(status) => status.to_string(),
        }
    }
}

const HEAD: &str = "\
# Who may do what

Every address of a node, asked by everybody. Written by `UPDATE=1 cargo test -p tidings access` from the router itself; a route that is not in here
fails the tests.

| | |
|---|---|
| yes | it is done, or shown |
| – | who asks has to prove who they are first: 401, and pages lead to the sign-in |
| no | it is known who asks, and they may not: 403 |
| not there | for who asks there is no such thing: 404 |

What is asked about belongs to one tenant of one environment, where a tenant can have it. *Nobody* stands for every proof that proves nothing: none at
all, one that cannot be read, a wrong secret, a token that has expired, is not signed, was signed with another key, or whose credential was revoked.
*Another environment* is a credential with `read write` there: where it is answered *yes*, that is about its own environment, and nothing of this one is
in the answer. A tenant's token is *its tenant* for what belongs to that tenant, and *another tenant* for all else.
";

const PARTS: [(Audience, &str, &str); 4] = [
    (
        Audience::Native,
        "The native API",
        "Only an `operator` may name another environment than its own, with the header `tidings-environment`.",
    ),
    (
        Audience::Frontegg,
        "The dialect of Frontegg",
        "The same under `/frontegg/…`. A token is given for the client id and secret in the body.",
    ),
    (
        Audience::People,
        "The pages",
        "A role holds in every environment. A form also carries a proof that our own page sent it, or it does nothing. The sign-in is open to everybody; \
         `/setup` and `/invitation` to whoever has the link, the first of which works only while nobody can sign in. `{*rest}` is every address without \
         a page.",
    ),
    (
        Audience::Everybody,
        "For operators and their machines",
        "Open to everybody who reaches the port.",
    ),
];

/// Outcomes by route and column.
#[derive(Default)]
pub(super) struct Table(BTreeMap<Route, Vec<(&'static str, Outcome)>>);

impl Table {
    /// Adds a cell; those of a route come in the order of the columns.
    pub(super) fn add(&mut self, route: &Route, column: &'static str, outcome: Outcome) {
        self.0.entry(route.clone()).or_default().push((column, outcome));
    }

    /// The table as Markdown. Routes of the dialect are listed once: the other prefix has to come to the same.
    pub(super) fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for (audience, title, words) in PARTS {
            let columns: Vec<&str> = match audience {
                Audience::People => PEOPLE.iter().map(|(_, column)| *column).collect(),
                _ => PROGRAMS.iter().map(|(_, column)| *column).collect(),
            };
            let _ = write!(
                text,
                "\n## {title}\n\n{words}\n\n| | {} |\n|---|{}\n",
                columns.join(" | "),
                "---|".repeat(columns.len())
            );
            for (route, cells) in self.0.iter().filter(|(route, _)| Audience::of(route) == audience) {
                if let Some(path) = route.path.strip_prefix("/frontegg") {
                    let plain = Route::new(&route.method, path);
                    assert_eq!(self.0.get(&plain), Some(cells), "{} {path} under its two prefixes", route.method);
                    continue;
                }
                let words: Vec<_> = cells.iter().map(|(_, outcome)| outcome.word()).collect();
                let method = if route.method == "ANY" { "any" } else { &route.method };
                let _ = writeln!(text, "| {method} `{}` | {} |", route.path, words.join(" | "));
            }
        }
        text
    }
}
