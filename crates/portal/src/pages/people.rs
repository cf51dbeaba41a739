//! Who may sign in, and as what: for owners.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use tidings_app::people::{self, PersonView, role_named};
use tidings_app::{PersonRole, Problem, SessionView, Visit, Whose};

use crate::agent;
use crate::fault::{PageFault, show};
use crate::flash;
use crate::form::{Faults, Form};
use crate::icon::Icon;
use crate::session::SignedIn;
use crate::shell::{Around, Section, Shell};
use crate::site::Site;
use crate::state::Portal;
use crate::words::{self, Tone};

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .route("/people", get(list).post(invite))
        .route("/people/role", post(change_role))
        .route("/people/link", post(make_link))
        .route("/people/remove", post(remove))
        .route("/people/end-session", post(end_session))
}

/// What a role lets a person do.
struct Role {
    role: PersonRole,
    means: &'static str,
}

const ROLES: [Role; 3] = [
    Role {
        role: PersonRole::Viewer,
        means: "looks at everything but credentials, and changes nothing",
    },
    Role {
        role: PersonRole::Admin,
        means: "manages environments, webhooks, credentials and settings",
    },
    Role {
        role: PersonRole::Owner,
        means: "manages people too",
    },
];

#[derive(Template)]
#[template(path = "people/people.html")]
struct PeoplePage {
    shell: Shell,
    people: Vec<PersonView>,
    sessions: Vec<SessionView>,
    sessions_action: &'static str,
    email: String,
    role: PersonRole,
    faults: Faults,
}

#[derive(Template)]
#[template(path = "people/link.html")]
struct LinkPage {
    shell: Shell,
    email: String,
    link: String,
    /// The person has not signed in yet.
    invited: bool,
}

async fn list(State(portal): State<Portal>, SignedIn(visit): SignedIn, around: Around) -> Result<Response, PageFault> {
    page(&portal, &visit, around, String::new(), PersonRole::Viewer, Faults::NONE).await
}

async fn page(
    portal: &Portal,
    visit: &Visit,
    around: Around,
    email: String,
    role: PersonRole,
    faults: Faults,
) -> Result<Response, PageFault> {
    let people = portal.app.people(visit).await?;
    let sessions = portal.app.sessions(visit, Whose::Everybodys).await?;
    let shell = around.global(portal, visit, Section::People, "People").await?;
    let status = faults.status();
    let page = PeoplePage {
        shell: shell.crumb("People", "/people"),
        people,
        sessions,
        sessions_action: "/people/end-session",
        email,
        role,
        faults,
    };
    show(&page, status)
}

#[derive(Deserialize)]
struct Named {
    email: String,
    role: String,
}

async fn invite(
    State(portal): State<Portal>,
    SignedIn(visit): SignedIn,
    around: Around,
    site: Site,
    form: Form,
) -> Result<Response, PageFault> {
    let Named { email, role } = form.of(&visit)?;
    let role = role_named(&role)?;
    match portal.app.invite(&visit, &email, role).await {
        Ok(token) => link_page(&portal, &visit, around, &site, email.trim().to_lowercase(), &token, true).await,
        Err(problem) => page(&portal, &visit, around, email, role, Faults::of(problem)?).await,
    }
}

async fn link_page(
    portal: &Portal,
    visit: &Visit,
    around: Around,
    site: &Site,
    email: String,
    token: &str,
    invited: bool,
) -> Result<Response, PageFault> {
    let shell = around.global(portal, visit, Section::People, "A link to hand on").await?;
    let page = LinkPage {
        shell: shell.crumb("People", "/people").crumb(email.clone(), "/people"),
        email,
        link: site.link(&format!("/invitation?token={token}")),
        invited,
    };
    show(&page, 200)
}

async fn change_role(State(portal): State<Portal>, SignedIn(visit): SignedIn, around: Around, form: Form) -> Result<Response, PageFault> {
    let Named { email, role } = form.of(&visit)?;
    let role = role_named(&role)?;
    let changed = portal.app.change_role(&visit, &email, role).await;
    if changed.is_ok() && email == visit.email() {
        return Ok(flash::to("/account", &format!("You are {} now.", with_article(role))));
    }
    done(&portal, &visit, around, changed, &format!("{email} is {} now.", with_article(role))).await
}

const fn with_article(role: PersonRole) -> &'static str {
    match role {
        PersonRole::Owner => "an owner",
        PersonRole::Admin => "an admin",
        PersonRole::Viewer => "a viewer",
    }
}

/// Says what was done, or shows the page again with why it was not.
async fn done(portal: &Portal, visit: &Visit, around: Around, result: Result<(), Problem>, sentence: &str) -> Result<Response, PageFault> {
    match result {
        Ok(()) => Ok(flash::to("/people", sentence)),
        Err(problem) => page(portal, visit, around, String::new(), PersonRole::Viewer, Faults::of(problem)?).await,
    }
}

#[derive(Deserialize)]
struct Person {
    email: String,
}

async fn make_link(
    State(portal): State<Portal>,
    SignedIn(visit): SignedIn,
    around: Around,
    site: Site,
    form: Form,
) -> Result<Response, PageFault> {
    let Person { email } = form.of(&visit)?;
    let token = portal.app.password_link(&visit, &email).await?;
    link_page(&portal, &visit, around, &site, email, &token, false).await
}

async fn remove(State(portal): State<Portal>, SignedIn(visit): SignedIn, around: Around, form: Form) -> Result<Response, PageFault> {
    let Person { email } = form.of(&visit)?;
    let removed = portal.app.remove_person(&visit, &email).await;
    let sentence = format!("{email} is removed and signed out everywhere.");
    done(&portal, &visit, around, removed, &sentence).await
}

#[derive(Deserialize)]
struct Session {
    id: String,
}

async fn end_session(State(portal): State<Portal>, SignedIn(visit): SignedIn, form: Form) -> Result<Response, PageFault> {
    let Session { id } = form.of(&visit)?;
    portal.app.end_session(&visit, &id).await?;
    Ok(flash::to("/people", "The session has ended."))
}
