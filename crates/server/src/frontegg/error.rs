//! Problems in the shape that Frontegg's clients read.
//!
//! One reads `errors`, an array of sentences, another `message`, one sentence, a third `error`, `message` and `statusCode`: the reply has them all.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidings_app::{Code, FieldProblem, Problem};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::caller::TENANT_HEADER;
use crate::problem::{self, ApiProblem};

/// A problem on its way to a client of Frontegg.
#[derive(Debug)]
pub(super) struct DialectProblem(Problem);

impl From<Problem> for DialectProblem {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<ApiProblem> for DialectProblem {
    fn from(ApiProblem(problem): ApiProblem) -> Self {
        Self(problem)
    }
}

/// The members of Frontegg's error reply, those of every service of theirs together.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Refusal)]
pub(super) struct Body {
    /// The HTTP status.
    status_code: u16,
    /// The status in words.
    error: &'static str,
    /// What went wrong and what to do.
    message: String,
    /// The same, sentence by sentence.
    errors: Vec<String>,
}

/// How every operation refuses: documentation only.
pub(super) struct Refused;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Refusal"))).build();
        let response = ResponseBuilder::new()
            .description("What went wrong, and what to do.")
            .content("application/json", content)
            .build();
        BTreeMap::from([("default".to_owned(), RefOr::T(response))])
    }
}

/// Frontegg answers a field that cannot be taken with 400; the native API with 422.
fn status(code: Code) -> StatusCode {
    match code {
        Code::Invalid => StatusCode::BAD_REQUEST,
        other => problem::status(other),
    }
}

/// A field by the name that the dialect's clients know it by.
fn sentence(problem: &FieldProblem) -> String {
    let field = match problem.field.as_str() {
        "name" => "displayName",
        "active" => "isActive",
        "tenantId" => TENANT_HEADER,
        other => other,
    };
    format!("{field}: {}", problem.message)
}

impl IntoResponse for DialectProblem {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let status = status(problem.code);
        let errors: Vec<_> = match problem.fields.as_slice() {
            [] => vec![problem.detail],
            fields => fields.iter().map(sentence).collect(),
        };
        let body = Body {
            status_code: status.as_u16(),
            error: status.canonical_reason().unwrap_or_default(),
            message: errors.join("; "),
            errors,
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = problem.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            // Not Basic, though it is taken: a browser that holds an embedded page would ask its user for a password.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn reply(problem: Problem) -> (StatusCode, axum::http::HeaderMap, serde_json::Value) {
        let response = DialectProblem::from(problem).into_response();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn every_client_finds_the_members_that_it_reads() {
        let fields = [("name", "has to be given"), ("eventKeys", "are too many")].map(|(field, message)| FieldProblem {
            field: field.to_owned(),
            message: message.to_owned(),
        });
        let (status, _, body) = reply(Problem::fields(fields.to_vec())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(
            body,
            serde_json::json!({
                "statusCode": 400,
                "error": "Bad Request",
                "message": "displayName: has to be given; eventKeys: are too many",
                "errors": ["displayName: has to be given", "eventKeys: are too many"],
            })
        );
    }

    #[tokio::test]
    async fn every_kind_of_problem_has_its_status_and_what_goes_with_it() {
        let cases = [
            (Code::Malformed, 400, "Bad Request"),
            (Code::Unauthenticated, 401, "Unauthorized"),
            (Code::Forbidden, 403, "Forbidden"),
            (Code::NotFound, 404, "Not Found"),
            (Code::MethodNotAllowed, 405, "Method Not Allowed"),
            (Code::Conflict, 409, "Conflict"),
            (Code::TooLarge, 413, "Payload Too Large"),
            (Code::UnsupportedMediaType, 415, "Unsupported Media Type"),
            (Code::Invalid, 400, "Bad Request"),
            (Code::Overloaded, 503, "Service Unavailable"),
            (Code::Unavailable, 503, "Service Unavailable"),
            (Code::Internal, 500, "Internal Server Error"),
        ];
        for (code, status, error) in cases {
            let (got, headers, body) = reply(Problem::new(code, "why")).await;
            assert_eq!((got.as_u16(), body["statusCode"].as_u64()), (status, Some(u64::from(status))));
            assert_eq!(body["error"], error);
            assert_eq!(body["errors"], serde_json::json!(["why"]));
            assert_eq!(headers.contains_key("retry-after"), status == 503);
            assert_eq!(headers.contains_key("www-authenticate"), status == 401);
        }
    }
}
