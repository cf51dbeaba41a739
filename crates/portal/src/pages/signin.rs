//! Signing in and out, the first set-up, and choosing a password by an invitation.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use tidings_app::{Problem, SignIn, SignedIn as Entered};
use url::{Position, Url};

use crate::fault::{PageFault, later, show};
use crate::form::{Faults, Form, OpenForm};
use crate::query::Query;
use crate::session::{self, Asking, SignedIn};
use crate::shell::Bare;
use crate::state::Portal;

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .route("/", get(home))
        .route("/signin", get(ask).post(sign_in))
        .route("/signout", post(sign_out))
        .route("/setup", get(ask_set_up).post(set_up))
        .route("/invitation", get(ask_password).post(accept))
}

/// The environments for whoever is signed in; the sign-in for anybody else.
async fn home(SignedIn(_): SignedIn) -> Redirect {
    Redirect::to("/environments")
}

#[derive(Template)]
#[template(path = "signin.html")]
struct SignInPage {
    bare: Bare,
    email: String,
    back: String,
    faults: Faults,
    /// Nobody can sign in yet.
    first_start: bool,
}

#[derive(Deserialize)]
struct Back {
    #[serde(default)]
    back: String,
}

async fn ask(State(portal): State<Portal>, Query(Back { back }): Query<Back>) -> Result<Response, PageFault> {
    let first_start = portal.app.setup_token().await?.is_some();
    let page = SignInPage {
        bare: Bare::titled("Sign in"),
        email: String::new(),
        back,
        faults: Faults::NONE,
        first_start,
    };
    show(&page, 200)
}

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
    #[serde(default)]
    back: String,
}

async fn sign_in(State(portal): State<Portal>, Asking(browser): Asking, jar: CookieJar, form: OpenForm) -> Result<Response, PageFault> {
    let Credentials { email, password, back } = form.open()?;
    let input = SignIn {
        email: email.clone(),
        password,
        from: browser,
    };
    match portal.app.sign_in(input).await {
        Ok(entered) => enter(&portal, &jar, entered, &back).await,
        Err(problem) => {
            let faults = Faults::refused(problem)?;
            let (status, again) = (faults.status(), faults.retry_after_seconds());
            let page = SignInPage {
                bare: Bare::titled("Sign in"),
                email,
                back,
                faults,
                first_start: false,
            };
            Ok(later(show(&page, status)?, again))
        }
    }
}

/// Gives the cookie and goes to where somebody was going, when that is a page of ours. The session that the browser had before has ended: nobody
/// would know of it.
async fn enter(portal: &Portal, brought: &CookieJar, entered: Entered, back: &str) -> Result<Response, PageFault> {
    if let Some(token) = session::token(portal, brought)
        && let Ok(before) = portal.app.visit(&token).await
    {
        portal.app.sign_out(&before).await?;
    }
    let jar = CookieJar::new().add(session::cookie(portal, entered.token));
    Ok((jar, Redirect::to(&our_page(back))).into_response())
}

/// A page of ours that `back` means, or the first one. Read as browsers read it: they drop tabs and turn backslashes.
fn our_page(back: &str) -> String {
    let here = Url::parse("http://portal.invalid/").expect("a literal that is a URL");
    let there = here
        .join(back)
        .ok()
        .filter(|there| there.origin() == here.origin() && !back.is_empty());
    let path = there.map(|there| there[Position::BeforePath..].to_owned());
    path.filter(|path| !path.starts_with("//"))
        .unwrap_or_else(|| "/environments".to_owned())
}

async fn sign_out(State(portal): State<Portal>, SignedIn(visit): SignedIn, form: Form) -> Result<Response, PageFault> {
    let _: serde::de::IgnoredAny = form.of(&visit)?;
    portal.app.sign_out(&visit).await?;
    let jar = CookieJar::new().add(session::no_cookie(&portal));
    Ok((jar, Redirect::to("/signin")).into_response())
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    bare: Bare,
    heading: &'static str,
    words: &'static str,
    action: &'static str,
    token: String,
    /// Whose password; asked for when it is not known.
    email: String,
    asks_email: bool,
    faults: Faults,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
struct Chosen {
    token: String,
    #[serde(default)]
    email: String,
    password: String,
}

fn set_up_page(token: String, email: String, faults: Faults) -> PasswordPage {
    PasswordPage {
        bare: Bare::titled("Set up"),
        heading: "Set up Tidings",
        words: "You are the first here: choose the address and the password that you will sign in with. You will own this installation.",
        action: "/setup",
        token,
        email,
        asks_email: true,
        faults,
    }
}

fn invitation_page(token: String, email: String, faults: Faults) -> PasswordPage {
    PasswordPage {
        bare: Bare::titled("Choose a password"),
        heading: "Choose a password",
        words: "You will sign in with it from now on.",
        action: "/invitation",
        token,
        email,
        asks_email: false,
        faults,
    }
}

async fn ask_set_up(State(portal): State<Portal>, Query(Link { token }): Query<Link>) -> Result<Response, PageFault> {
    portal.app.check_setup_token(&token).await?;
    show(&set_up_page(token, String::new(), Faults::NONE), 200)
}

async fn set_up(State(portal): State<Portal>, Asking(browser): Asking, jar: CookieJar, form: OpenForm) -> Result<Response, PageFault> {
    let Chosen { token, email, password } = form.open()?;
    match portal.app.set_up(&token, &email, &password, &browser).await {
        Ok(entered) => enter(&portal, &jar, entered, "").await,
        Err(problem) => {
            let faults = Faults::of(problem)?;
            let status = faults.status();
            show(&set_up_page(token, email, faults), status)
        }
    }
}

async fn ask_password(State(portal): State<Portal>, Query(Link { token }): Query<Link>) -> Result<Response, PageFault> {
    let email = portal.app.invitation(&token).await?;
    show(&invitation_page(token, email, Faults::NONE), 200)
}

async fn accept(State(portal): State<Portal>, Asking(browser): Asking, jar: CookieJar, form: OpenForm) -> Result<Response, PageFault> {
    let Chosen { token, password, .. } = form.open()?;
    match portal.app.accept_invitation(&token, &password, &browser).await {
        Ok(entered) => enter(&portal, &jar, entered, "").await,
        Err(problem) => refused_invitation(&portal, token, problem).await,
    }
}

async fn refused_invitation(portal: &Portal, token: String, problem: Problem) -> Result<Response, PageFault> {
    let faults = Faults::of(problem)?;
    let email = portal.app.invitation(&token).await?;
    let status = faults.status();
    show(&invitation_page(token, email, faults), status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site_after_signing_in() {
        assert_eq!(our_page("/environments/1?status=pending#top"), "/environments/1?status=pending#top");
        for foreign in [
            "//evil.example/",
            "/\t/evil.example/",
            "/\\evil.example",
            "http://evil.example/",
            "javascript:alert(1)",
            "",
            "/.//evil.example",
        ] {
            assert_eq!(our_page(foreign), "/environments", "{foreign:?}");
        }
    }
}
