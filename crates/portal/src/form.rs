//! Reading forms, and telling which fields could not be taken.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use serde::de::DeserializeOwned;
use tidings_app::{Code, Problem, Visit};
use tidings_runtime::{TimedOut, within};

use crate::fault::PageFault;
use crate::limits::{FORM_BYTES_MAX, FORM_TIME_MAX, OPEN_FORM_BYTES_MAX};
use crate::state::Portal;

/// The fields of a form that was sent, not yet looked at. Read after its sender was asked who they are.
pub(crate) struct Form(Bytes);

impl FromRequest<Portal> for Form {
    type Rejection = PageFault;

    async fn from_request(request: Request, portal: &Portal) -> Result<Self, PageFault> {
        Ok(Self(read(request, portal, FORM_BYTES_MAX).await?))
    }
}

/// The fields of a form that is open to everybody, not yet looked at: a small one.
pub(crate) struct OpenForm(Bytes);

impl FromRequest<Portal> for OpenForm {
    type Rejection = PageFault;

    async fn from_request(request: Request, portal: &Portal) -> Result<Self, PageFault> {
        Ok(Self(read(request, portal, OPEN_FORM_BYTES_MAX).await?))
    }
}

async fn read(request: Request, portal: &Portal, bytes_max: usize) -> Result<Bytes, Problem> {
    let declared = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !declared.is_some_and(|declared| declared.starts_with("application/x-www-form-urlencoded")) {
        return Err(Problem::new(Code::UnsupportedMediaType, "pages send forms; this is something else"));
    }
    let reading = axum::body::to_bytes(request.into_body(), bytes_max);
    let read = within(&*portal.clock, FORM_TIME_MAX, reading).await;
    let too_slow = format!("the form did not arrive within {} seconds", FORM_TIME_MAX.as_secs());
    let too_large = format!("this form has at most {bytes_max} bytes");
    let read = read.map_err(|TimedOut| Problem::new(Code::Malformed, too_slow))?;
    read.map_err(|_| Problem::new(Code::TooLarge, too_large))
}

#[derive(serde::Deserialize)]
struct Proof {
    #[serde(default)]
    csrf: String,
}

impl Form {
    /// The fields, of a form that our own page of this visit sent.
    pub(crate) fn of<T: DeserializeOwned>(&self, visit: &Visit) -> Result<T, Problem> {
        let proof: Proof = self.open()?;
        if !visit.is_csrf(&proof.csrf) {
            return Err(Problem::new(
                Code::Forbidden,
                "this form is from another visit or too old; nothing was done. Go back and send it once more; if that is refused too, load its page anew",
            ));
        }
        self.open()
    }

    /// The fields, whoever sent them.
    pub(crate) fn open<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        fields(&self.0)
    }
}

impl OpenForm {
    /// The fields.
    pub(crate) fn open<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        fields(&self.0)
    }
}

fn fields<T: DeserializeOwned>(form: &[u8]) -> Result<T, Problem> {
    serde_html_form::from_bytes(form).map_err(|_| Problem::new(Code::Malformed, "this form lacks a field that its page has"))
}

/// What was wrong with a form, for the page that shows it again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Option<Problem>);

impl Faults {
    /// Of a form that nobody sent yet.
    pub(crate) const NONE: Self = Self(None);

    /// Of a refusal that people can do something about; any other is given back.
    pub(crate) fn of(problem: Problem) -> Result<Self, Problem> {
        match problem.code {
            Code::Invalid | Code::Conflict | Code::TooLarge | Code::Malformed | Code::Throttled => Ok(Self(Some(problem))),
            _ => Err(problem),
        }
    }

    /// As [`Self::of`], of a sign-in: being refused is what its page is for.
    pub(crate) fn refused(problem: Problem) -> Result<Self, Problem> {
        match problem.code {
            Code::Unauthenticated => Ok(Self(Some(problem))),
            _ => Self::of(problem),
        }
    }

    /// True when there is something to say.
    pub(crate) const fn any(&self) -> bool {
        self.0.is_some()
    }

    /// What is wrong with a field or anything inside it (`headers`, `headers[0].name`).
    pub(crate) fn at(&self, field: &str) -> Option<&str> {
        let fields = &self.0.as_ref()?.fields;
        let inside = |name: &str| {
            name.strip_prefix(field)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.']))
        };
        fields.iter().find(|fault| inside(&fault.field)).map(|fault| fault.message.as_str())
    }

    /// What is wrong with the form as a whole, or with fields that the page does not show.
    pub(crate) fn beside(&self, shown: &[&str]) -> Option<String> {
        let problem = self.0.as_ref()?;
        if problem.fields.is_empty() {
            return Some(problem.detail.clone());
        }
        let others = problem.fields.iter().filter(|fault| {
            !shown.iter().any(|field| {
                fault
                    .field
                    .strip_prefix(field)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.']))
            })
        });
        let words: Vec<_> = others.map(|fault| format!("{}: {}", fault.field, fault.message)).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// What is wrong, line by line: the field, when it is about one, and the words.
    pub(crate) fn lines(&self) -> Vec<(Option<&str>, &str)> {
        match &self.0 {
            None => Vec::new(),
            Some(problem) if problem.fields.is_empty() => vec![(None, problem.detail.as_str())],
            Some(problem) => problem
                .fields
                .iter()
                .map(|fault| (Some(fault.field.as_str()), fault.message.as_str()))
                .collect(),
        }
    }

    /// When to come back, in seconds, where that is the answer.
    pub(crate) fn retry_after_seconds(&self) -> Option<u32> {
        self.0.as_ref()?.retry_after_seconds
    }

    /// The status to answer with.
    pub(crate) fn status(&self) -> u16 {
        self.0.as_ref().map_or(200, |problem| problem.code.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_shown_at_its_field_or_else_beside_the_form() {
        let problem = Problem::fields(vec![
            tidings_app::FieldProblem {
                field: "headers[0].name".to_owned(),
                message: "is reserved".to_owned(),
            },
            tidings_app::FieldProblem {
                field: "secret".to_owned(),
                message: "is too short".to_owned(),
            },
        ]);
        let faults = Faults::of(problem).unwrap();
        assert_eq!((faults.at("headers"), faults.at("head")), (Some("is reserved"), None));
        assert_eq!(faults.beside(&["headers"]).as_deref(), Some("secret: is too short"));
        assert_eq!(faults.beside(&["headers", "secret"]), None);
        assert_eq!(faults.status(), 422);
    }
}
