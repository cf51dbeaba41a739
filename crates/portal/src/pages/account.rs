//! One's own account: the password, and where one is signed in.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use tidings_app::{Problem, SessionView, Visit, Whose};

use crate::agent;
use crate::fault::{PageFault, later, show};
use crate::flash;
use crate::form::{Faults, Form};
use crate::icon::Icon;
use crate::session::{self, Asking, SignedIn};
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .route("/account", get(look))
        .route("/account/password", post(change_password))
        .route("/account/end-session", post(end_session))
        .route("/account/end-other-sessions", post(end_others))
}

#[derive(Template)]
#[template(path = "people/account.html")]
struct AccountPage {
    shell: Shell,
    sessions: Vec<SessionView>,
    sessions_action: &'static str,
    faults: Faults,
}

async fn look(State(portal): State<Portal>, SignedIn(visit): SignedIn, around: Around) -> Result<Response, PageFault> {
    page(&portal, &visit, around, Faults::NONE).await
}

async fn page(portal: &Portal, visit: &Visit, around: Around, faults: Faults) -> Result<Response, PageFault> {
    let sessions = portal.app.sessions(visit, Whose::Own).await?;
    let shell = around.global(portal, visit, Section::Account, "Your account").await?;
    let (status, again) = (faults.status(), faults.retry_after_seconds());
    let page = AccountPage {
        shell: shell.crumb("Your account", "/account"),
        sessions,
        sessions_action: "/account/end-session",
        faults,
    };
    Ok(later(show(&page, status)?, again))
}

#[derive(Deserialize)]
struct Passwords {
    old: String,
    new: String,
    again: String,
}

async fn change_password(
    State(portal): State<Portal>,
    SignedIn(visit): SignedIn,
    around: Around,
    Asking(browser): Asking,
    form: Form,
) -> Result<Response, PageFault> {
    let Passwords { old, new, again } = form.of(&visit)?;
    let changed = if new == again {
        portal.app.change_password(&visit, &old, &new, &browser).await
    } else {
        Err(Problem::field("again", "is not the same"))
    };
    match changed {
        Ok(entered) => {
            let jar = CookieJar::new().add(session::cookie(&portal, entered.token));
            let done = flash::to("/account", "Your password is changed; everywhere else you are signed out.");
            Ok((jar, done).into_response())
        }
        Err(problem) => page(&portal, &visit, around, Faults::of(problem)?).await,
    }
}

#[derive(Deserialize)]
struct Session {
    id: String,
}

async fn end_session(State(portal): State<Portal>, SignedIn(visit): SignedIn, form: Form) -> Result<Response, PageFault> {
    let Session { id } = form.of(&visit)?;
    portal.app.end_session(&visit, &id).await?;
    Ok(flash::to("/account", "The session has ended."))
}

async fn end_others(State(portal): State<Portal>, SignedIn(visit): SignedIn, form: Form) -> Result<Response, PageFault> {
    let _: serde::de::IgnoredAny = form.of(&visit)?;
    let sessions = portal.app.sessions(&visit, Whose::Own).await?;
    for session in sessions.iter().filter(|session| !session.current) {
        portal.app.end_session(&visit, &session.id).await?;
    }
    Ok(flash::to("/account", "Your other sessions have ended."))
}
