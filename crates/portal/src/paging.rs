//! Walking through a list a page at a time: `templates/pages.html` shows the ways from one page to the others.

use std::fmt::Display;
use std::str::FromStr;

use tidings_app::Page;
use tidings_app::look::Stopped;
use tidings_model::EventId;

use crate::limits::ROWS;

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
    /// The page that an address asks for, and one row more, which tells whether there is another. What cannot be read is the first page.
    pub(crate) fn wanted<C: FromStr>(before: &str) -> Page<C> {
        Page {
            before: before.parse().ok(),
            ..Page::first(ROWS + 1)
        }
    }

    /// Takes the row too many away again. `address` gives the address of the page that begins after an id, or of the first after none.
    pub(crate) fn of<T, I: Display>(rows: &mut Vec<T>, before: &str, id: impl Fn(&T) -> I, address: impl Fn(&str) -> String) -> Self {
        let more = rows.len() > ROWS;
        rows.truncate(ROWS);
        Self {
            newest: (!before.is_empty()).then(|| address("")),
            older: rows.last().filter(|_| more).map(|last| address(&id(last).to_string())),
            further: None,
        }
    }

    /// The same, of a look that may have stopped before it was through.
    pub(crate) fn going_on(mut self, stopped: Option<Stopped>, address: impl Fn(EventId) -> String) -> Self {
        self.further = stopped.map(|stopped| (address(stopped.at), stopped.after));
        self
    }

    /// Whether there is any other page.
    pub(crate) const fn any(&self) -> bool {
        self.newest.is_some() || self.older.is_some() || self.further.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paging(rows: usize, before: &str) -> (usize, Option<String>, Option<String>) {
        let mut rows: Vec<_> = (0..rows).collect();
        let paging = Paging::of(&mut rows, before, |row| *row, |before| format!("?before={before}"));
        (rows.len(), paging.newest, paging.older)
    }

    #[test]
    fn a_row_more_than_a_page_leads_to_the_page_after_it() {
        assert_eq!(paging(ROWS, ""), (ROWS, None, None));
        let last = ROWS - 1;
        assert_eq!(paging(ROWS + 1, ""), (ROWS, None, Some(format!("?before={last}"))));
        assert_eq!(paging(1, "9"), (1, Some("?before=".to_owned()), None));
    }
}
