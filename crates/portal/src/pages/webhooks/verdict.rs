//! What came of a test, for the page that shows it.

use tidings_app::testing::TestReport;

use crate::advice;
use crate::json;
use crate::markup::Markup;

/// A test and what to make of it.
pub(super) struct Outcome {
    pub(super) report: TestReport,
    /// What happened, in a sentence.
    pub(super) sentence: String,
    /// What to do.
    pub(super) advice: Option<&'static str>,
    pub(super) sent: Markup,
    /// The reply's body, coloured when it is JSON; `None` when it is empty.
    pub(super) reply: Option<Markup>,
}

const NOT_200: &str = "A delivery with that reply counts as delivered, as any 2xx does. The test asks for 200, to be sure that your code answered and not something before it.";

impl Outcome {
    pub(super) fn of(report: TestReport) -> Self {
        let exchange = &report.exchange;
        let advice = match report.passed {
            true => None,
            false if exchange.is_success() => Some(NOT_200),
            false => advice::on(exchange),
        };
        let reply = exchange.reply.as_ref().filter(|reply| !reply.body.is_empty());
        Self {
            sentence: if report.passed {
                "The receiver answered 200.".to_owned()
            } else {
                sentence(&report.summary())
            },
            advice,
            sent: json::highlighted(&report.request_body),
            reply: reply.map(|reply| json::highlighted(&reply.body)),
            report,
        }
    }
}

/// With a capital, and a stop at its end.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_becomes_a_sentence() {
        assert_eq!(
            sentence("connection refused by 192.0.2.1:443"),
            "Connection refused by 192.0.2.1:443."
        );
        assert_eq!(sentence(""), ".");
    }
}
