//! HTML that was made here, and is written as it is; every other value is escaped by the templates.

use std::fmt;

use askama::filters::{Escaper, Html, HtmlSafe};

/// Finished HTML. Only this crate makes it, and [`text`](Self::text) is how words of others get into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Markup(String);

impl Markup {
    /// HTML in a literal.
    pub(crate) fn of(html: &'static str) -> Self {
        Self(html.to_owned())
    }

    /// Adds HTML in a literal.
    pub(crate) fn html(mut self, html: &'static str) -> Self {
        self.0.push_str(html);
        self
    }

    /// Adds a text, escaped: also fit for the inside of a quoted attribute.
    pub(crate) fn text(mut self, text: impl fmt::Display) -> Self {
        Html.write_escaped_str(&mut self.0, &text.to_string())
            .expect("writing into memory does not fail");
        self
    }

    /// Adds other HTML.
    pub(crate) fn with(mut self, other: &Self) -> Self {
        self.0.push_str(&other.0);
        self
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_are_escaped_and_html_of_ours_is_not() {
        let markup = Markup::of("<b title=\"").text("\"><script>").html("\">").text(1).html("</b>");
        assert_eq!(markup.to_string(), "<b title=\"&#34;&#62;&#60;script&#62;\">1</b>");
    }
}
