//! The pages, each a file: its arguments, one or two verbs of the application, its template beside it in `templates/`.

mod account;
mod audit;
mod catalogue;
mod copy;
mod credentials;
mod deliveries;
mod delivery;
mod editor;
mod environments;
mod events;
mod hooks;
mod jobs;
mod live;
mod nodes;
mod overview;
mod people;
mod settings;
mod signin;
mod webhooks;

use axum::Router;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::any;
use tidings_app::{Code, Problem};

use crate::fault::PageFault;
use crate::session::SignedIn;
use crate::state::Portal;

pub(crate) fn routes() -> Router<Portal> {
    Router::new()
        .route("/environments/{environment}/{*rest}", any(nowhere))
        .merge(signin::routes())
        .merge(environments::routes())
        .merge(hooks::routes())
        .merge(webhooks::routes())
        .merge(settings::routes())
        .merge(copy::routes())
        .merge(credentials::routes())
        .merge(catalogue::routes())
        .merge(overview::routes())
        .merge(deliveries::routes())
        .merge(delivery::routes())
        .merge(events::routes())
        .merge(live::routes())
        .merge(jobs::routes())
        .merge(people::routes())
        .merge(account::routes())
        .merge(audit::routes())
        .merge(nodes::routes())
        .method_not_allowed_fallback(only_sent)
}

/// An address among those of people that leads nowhere: they get a page rather than a problem for programs.
async fn nowhere(SignedIn(_): SignedIn, uri: Uri) -> PageFault {
    let path: String = uri.path().chars().take(128).collect();
    Problem::new(Code::NotFound, format!("there is no page at {path}")).into()
}

/// An address that only takes forms, opened as a page, as when somebody loads it again: they get the page that it is one step below.
async fn only_sent(method: Method, uri: Uri) -> Response {
    let page = uri.path().rsplit_once('/').map_or("", |(page, _)| page);
    match method {
        Method::GET | Method::HEAD => Redirect::to(if page.is_empty() { "/" } else { page }).into_response(),
        _ => PageFault::from(Problem::new(Code::MethodNotAllowed, "there is no such form at this address")).into_response(),
    }
}
