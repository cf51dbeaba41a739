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
mod overview;
mod people;
mod settings;
mod signin;
mod webhooks;

use axum::Router;
use axum::http::Uri;
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
}

/// An address among those of people that leads nowhere: they get a page rather than a problem for programs.
async fn nowhere(SignedIn(_): SignedIn, uri: Uri) -> PageFault {
    let path: String = uri.path().chars().take(128).collect();
    Problem::new(Code::NotFound, format!("there is no page at {path}")).into()
}
