//! Problems as the native API answers them: RFC 9457.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidings_app::{Code, FieldProblem, Problem};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

/// A problem on its way to a client of the native API.
#[derive(Debug)]
pub(crate) struct ApiProblem(pub(crate) Problem);

impl From<Problem> for ApiProblem {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

/// What went wrong, as RFC 9457 has it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// A name of the kind that does not change.
    #[serde(rename = "type")]
    #[schema(example = "urn:tidings:problem:invalid")]
    kind: String,
    /// The kind, for people.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened and what to do.
    detail: String,
    /// The kind, for programs.
    #[schema(example = "invalid")]
    code: &'static str,
    /// The fields that are wrong.
    errors: Vec<FieldError>,
}

/// How every operation refuses: documentation only.
pub(crate) struct Refused;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new()
            .description("What went wrong, and what to do.")
            .content("application/problem+json", content)
            .build();
        BTreeMap::from([("default".to_owned(), RefOr::T(response))])
    }
}

/// What is wrong with one field.
#[derive(Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// The field, as the caller wrote it.
    #[schema(example = "settings.timeoutMs")]
    field: String,
    /// What is wrong and what to do.
    message: String,
}

impl From<FieldProblem> for FieldError {
    fn from(problem: FieldProblem) -> Self {
        let FieldProblem { field, message } = problem;
        Self { field, message }
    }
}

/// The status of a kind of problem.
pub(crate) fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).expect("every code has a status between 400 and 503")
}

impl IntoResponse for ApiProblem {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let status = status(problem.code);
        let body = ProblemBody {
            kind: format!("urn:tidings:problem:{}", problem.code.name()),
            title: problem.code.title(),
            status: status.as_u16(),
            detail: problem.detail,
            code: problem.code.name(),
            errors: problem.fields.into_iter().map(FieldError::from).collect(),
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = problem.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"tidings\", Bearer"),
            );
        }
        response
    }
}
