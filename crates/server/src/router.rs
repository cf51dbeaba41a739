//! Every address, and what holds for all of them.

use std::any::Any;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tidings_app::{Code, Problem};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::problem::ApiProblem;
use crate::state::ServerState;
use crate::{frontegg, ops, v1};

/// Everything that is served.
pub fn router(state: ServerState) -> Router {
    let (native, document) = v1::routes().split_for_parts();
    let document = text(&v1::document(document));
    Router::new()
        .merge(native)
        .merge(ops::routes())
        .route(
            "/openapi.json",
            get(move || std::future::ready(([(header::CONTENT_TYPE, "application/json")], document.clone()))),
        )
        .method_not_allowed_fallback(no_such_operation) // before the dialect, which has its own
        .merge(frontegg::router())
        .fallback(no_such_address)
        .layer(
            // Together: each layer by itself would be one more service that is boxed, and cloned for every request.
            ServiceBuilder::new()
                .layer(CatchPanicLayer::custom(panicked))
                .layer(fixed(header::CACHE_CONTROL, "no-store"))
                .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff")),
        )
        .with_state(state)
}

/// The native API as an OpenAPI document, JSON.
pub fn openapi() -> String {
    text(&v1::document(v1::routes().into_openapi()))
}

/// The Frontegg dialect as an OpenAPI document, JSON.
pub fn dialect_openapi() -> String {
    text(&frontegg::document())
}

fn text(document: &utoipa::openapi::OpenApi) -> String {
    let mut text = document.to_pretty_json().expect("a document of strings and maps serialises");
    text.push('\n');
    text
}

fn fixed(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

async fn no_such_operation() -> ApiProblem {
    Problem::new(Code::MethodNotAllowed, "there is no such operation on this address").into()
}

async fn no_such_address(uri: Uri) -> ApiProblem {
    let path: String = uri.path().chars().take(128).collect();
    Problem::new(
        Code::NotFound,
        format!("there is nothing at {path}; /openapi.json lists what there is"),
    )
    .into()
}

/// A bug that panicked costs its own request an answer of 500, and nobody else anything.
#[expect(clippy::needless_pass_by_value, reason = "the layer calls it with the panic")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words");
    tracing::error!(message, "a request handler panicked");
    let detail = "this should not have happened; the log of the server says more";
    ApiProblem(Problem::new(Code::Internal, detail)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_as_a_problem_and_keeps_its_words_to_the_log() {
        async fn broken() -> &'static str {
            panic!("the secret is 42")
        }
        let router: Router = Router::new().route("/", get(broken)).layer(CatchPanicLayer::custom(panicked));
        let response = router.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(body.into()).unwrap();
        assert!(text.contains("\"code\":\"internal\"") && !text.contains("42"), "{text}");
    }
}
