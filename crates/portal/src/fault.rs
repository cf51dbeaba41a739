//! A refusal as a page: what happened, what to do, and a way on.

use askama::Template;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use tidings_app::{Code, Problem};

use crate::shell::Bare;

/// Why a page is not shown.
#[derive(Debug)]
pub(crate) enum PageFault {
    /// Nobody is signed in: they are asked to, and come back.
    SignedOut {
        /// Where to.
        back: Option<String>,
    },
    /// The application refused.
    Refused(Problem),
}

impl PageFault {
    pub(crate) fn signed_out(back: &str) -> Self {
        Self::SignedOut {
            back: (back != "/").then(|| back.to_owned()),
        }
    }
}

impl From<Problem> for PageFault {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

#[derive(Template)]
#[template(path = "fault.html")]
struct FaultPage {
    bare: Bare,
    title: &'static str,
    detail: String,
    status: u16,
}

impl IntoResponse for PageFault {
    fn into_response(self) -> Response {
        match self {
            Self::SignedOut { back: None } => Redirect::to("/signin").into_response(),
            Self::SignedOut { back: Some(path) } => {
                let query = serde_html_form::to_string([("back", path)]).unwrap_or_default();
                Redirect::to(&format!("/signin?{query}")).into_response()
            }
            Self::Refused(problem) => later(page(&problem), problem.retry_after_seconds),
        }
    }
}

fn page(problem: &Problem) -> Response {
    let page = FaultPage {
        bare: Bare::titled(problem.code.title()),
        title: problem.code.title(),
        detail: sentence(&problem.detail),
        status: problem.code.status(),
    };
    let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be written").into_response()
        }
    }
}

/// What a problem says, as a page says it: problems begin small and end without a full stop, as programs print them.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    let end = if words.ends_with(['.', '!', '?']) { "" } else { "." };
    first.chain(letters).chain(end.chars()).collect()
}

/// An answer that says when to come back, in seconds, if there is such a time.
pub(crate) fn later(mut answer: Response, seconds: Option<u32>) -> Response {
    if let Some(seconds) = seconds {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// A page as an answer, with the status that its form has.
pub(crate) fn show(page: &impl Template, status: u16) -> Result<Response, PageFault> {
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "a page could not be written");
        Problem::new(Code::Internal, "the page could not be written; the log of the server says why")
    })?;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    Ok((status, Html(html)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_to_wait_is_told_how_long() {
        let problem = Problem {
            retry_after_seconds: Some(30),
            ..Problem::new(Code::Throttled, "too many wrong passwords")
        };
        let answer = PageFault::from(problem).into_response();
        assert_eq!(answer.status().as_u16(), 429);
        assert_eq!(answer.headers()[RETRY_AFTER], "30");
    }

    #[test]
    fn a_problem_is_said_as_a_sentence() {
        assert_eq!(sentence("nothing was done; sign in"), "Nothing was done; sign in.");
        assert_eq!(sentence("Is that so?"), "Is that so?");
    }
}
