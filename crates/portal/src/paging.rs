//! Walking through a list a page at a time: `templates/pages.html` shows the ways from one page to the others.

use std::fmt::Display;

use serde::Serialize;
use tidings_app::look::Stopped;
use tidings_app::{Page, Problem};
use tidings_model::EventId;

use crate::form::Faults;
use crate::limits::ROWS;

/// Where a list is, what it is narrowed to, and where the page begins that is shown.
pub(crate) struct Place<'a> {
    path: &'a str,
    query: String,
    before: &'a str,
}

impl<'a> Place<'a> {
    /// `asked` is what the address asks for, but for where the page begins.
    pub(crate) fn of(path: &'a str, asked: &impl Serialize, before: &'a str) -> Self {
        Self {
            path,
            query: query(asked),
            before,
        }
    }

    /// The address of this page.
    pub(crate) fn own(&self) -> String {
        self.after(self.before)
    }

    /// The address of the page that begins after an id, or of the first after none.
    fn after(&self, id: &str) -> String {
        let begins = if id.is_empty() { String::new() } else { query(&[("before", id)]) };
        let parts: Vec<_> = [self.query.as_str(), &begins].into_iter().filter(|part| !part.is_empty()).collect();
        if parts.is_empty() {
            return self.path.to_owned();
        }
        format!("{}?{}", self.path, parts.join("&"))
    }
}

/// As addresses say it.
pub(crate) fn query(asked: &impl Serialize) -> String {
    serde_html_form::to_string(asked).unwrap_or_default()
}

/// The addresses of the other pages.
#[derive(Default)]
pub(crate) struct Paging {
    /// The first page, when this is another.
    pub(crate) newest: Option<String>,
    /// The page after this one.
    pub(crate) older: Option<String>,
    /// Where a look goes on that stopped before it was through, and how far it went.
    pub(crate) further: Option<(String, usize)>,
}

impl Paging {
    /// The page that begins there, and one row more, which tells whether there is another.
    pub(crate) fn wanted<C>(before: Option<C>) -> Page<C> {
        Page {
            before,
            ..Page::first(ROWS + 1)
        }
    }

    /// Takes the row too many away again.
    pub(crate) fn of<T, I: Display>(rows: &mut Vec<T>, place: &Place<'_>, id: impl Fn(&T) -> I) -> Self {
        let more = rows.len() > ROWS;
        rows.truncate(ROWS);
        Self {
            newest: (!place.before.is_empty()).then(|| place.after("")),
            older: rows.last().filter(|_| more).map(|last| place.after(&id(last).to_string())),
            further: None,
        }
    }

    /// The same, of a look that may have stopped before it was through.
    pub(crate) fn going_on<I: Display>(mut self, stopped: Option<Stopped>, place: &Place<'_>, id: impl Fn(EventId) -> I) -> Self {
        self.further = stopped.map(|stopped| (place.after(&id(stopped.at).to_string()), stopped.after));
        self
    }

    /// Whether there is any other page.
    pub(crate) const fn any(&self) -> bool {
        self.newest.is_some() || self.older.is_some() || self.further.is_some()
    }
}

/// A page of a list, or why nothing was looked for.
pub(crate) struct Listed<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) paging: Paging,
    pub(crate) faults: Faults,
}

impl<T> Listed<T> {
    /// A refusal that people can do something about is shown in the place of the rows; any other is given back.
    pub(crate) fn of(found: Result<(Vec<T>, Paging), Problem>) -> Result<Self, Problem> {
        let (found, faults) = match found {
            Ok(found) => (found, Faults::NONE),
            Err(problem) => ((Vec::new(), Paging::default()), Faults::of(problem)?),
        };
        let (rows, paging) = found;
        Ok(Self { rows, paging, faults })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paging(rows: usize, before: &str) -> (usize, Option<String>, Option<String>) {
        let mut rows: Vec<_> = (0..rows).collect();
        let paging = Paging::of(&mut rows, &Place::of("/list", &[("q", "a b")], before), |row| *row);
        (rows.len(), paging.newest, paging.older)
    }

    #[test]
    fn a_row_more_than_a_page_leads_to_the_page_after_it() {
        assert_eq!(paging(ROWS, ""), (ROWS, None, None));
        let last = ROWS - 1;
        assert_eq!(paging(ROWS + 1, ""), (ROWS, None, Some(format!("/list?q=a+b&before={last}"))));
        assert_eq!(paging(1, "9"), (1, Some("/list?q=a+b".to_owned()), None));
    }

    #[test]
    fn an_address_says_only_what_is_asked_for() {
        let nothing: [(&str, &str); 0] = [];
        assert_eq!(Place::of("/list", &nothing, "").own(), "/list");
        assert_eq!(Place::of("/list", &nothing, "7").own(), "/list?before=7");
    }
}
