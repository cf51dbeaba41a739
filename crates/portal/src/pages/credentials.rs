//! The credentials of an environment: making one, whose secret is shown once, and revoking.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use tidings_app::credentials::NewCredential;
use tidings_app::{Code, Problem};
use tidings_model::{Credential, CredentialId, Scopes};

use crate::fault::{PageFault, show};
use crate::flash;
use crate::form::{Faults, Form};
use crate::icon::Icon;
use crate::session::InEnvironment;
use crate::shell::{Around, Section, Shell};
use crate::site::Site;
use crate::state::Portal;

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .route("/environments/{environment}/credentials", get(list).post(create))
        .route("/environments/{environment}/credentials/revoke", post(revoke))
}

/// What a scope lets a program do.
struct Scope {
    name: &'static str,
    means: &'static str,
    given: bool,
}

fn scopes(given: Scopes) -> [Scope; 3] {
    let scope = |name, given, means| Scope { name, means, given };
    [
        scope("read", given.read, "List and look at everything in this environment."),
        scope(
            "write",
            given.write,
            "Send events; create, change and delete webhooks; resend and test.",
        ),
        scope(
            "operator",
            given.operator,
            "Manage environments and credentials, and act in every environment. For deploy scripts, not for applications.",
        ),
    ]
}

#[derive(Template)]
#[template(path = "credentials/list.html")]
struct ListPage {
    shell: Shell,
    credentials: Vec<Credential>,
    name: String,
    scopes: [Scope; 3],
    faults: Faults,
}

#[derive(Template)]
#[template(path = "credentials/made.html")]
struct MadePage {
    shell: Shell,
    made: NewCredential,
    /// Where programs reach the server.
    url: String,
}

async fn list(State(portal): State<Portal>, here: InEnvironment, around: Around) -> Result<Response, PageFault> {
    page(&portal, &here, around, Draft::default(), Faults::NONE).await
}

#[derive(Deserialize)]
struct Draft {
    name: String,
    #[serde(default)]
    scopes: Vec<String>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            name: String::new(),
            scopes: Scopes::READ_WRITE.names().into_iter().map(str::to_owned).collect(),
        }
    }
}

impl Draft {
    fn scopes(&self) -> Result<Scopes, Problem> {
        let named = Scopes::from_names(self.scopes.iter().map(String::as_str));
        named.map_err(|error| Problem::field("scopes", error.to_string()))
    }
}

async fn page(portal: &Portal, here: &InEnvironment, around: Around, draft: Draft, faults: Faults) -> Result<Response, PageFault> {
    let credentials = portal.app.credentials(&here.caller, here.caller.environment()).await?;
    let shell = around
        .within(portal, &here.visit, &here.caller, Section::Credentials, "Credentials")
        .await?;
    let own = format!("{}/credentials", shell.base);
    let status = faults.status();
    let page = ListPage {
        shell: shell.crumb("Credentials", own),
        credentials,
        scopes: scopes(draft.scopes().unwrap_or_default()),
        name: draft.name,
        faults,
    };
    show(&page, status)
}

async fn create(State(portal): State<Portal>, here: InEnvironment, around: Around, site: Site, form: Form) -> Result<Response, PageFault> {
    let draft: Draft = form.of(&here.visit)?;
    let environment = here.caller.environment();
    let made = match draft.scopes() {
        Ok(scopes) => {
            portal
                .app
                .create_credential(&here.caller, environment, &draft.name, Some(scopes))
                .await
        }
        Err(problem) => Err(problem),
    };
    let made = match made {
        Ok(made) => made,
        Err(problem) => return page(&portal, &here, around, draft, Faults::of(problem)?).await,
    };
    let shell = around
        .within(&portal, &here.visit, &here.caller, Section::Credentials, "New credential")
        .await?;
    let list = format!("{}/credentials", shell.base);
    let page = MadePage {
        shell: shell.crumb("Credentials", list.clone()).crumb(made.credential.name.clone(), list),
        made,
        url: site.link(""),
    };
    show(&page, 200)
}

#[derive(Deserialize)]
struct Revoking {
    id: String,
}

async fn revoke(State(portal): State<Portal>, here: InEnvironment, form: Form) -> Result<Response, PageFault> {
    let Revoking { id } = form.of(&here.visit)?;
    let environment = here.caller.environment();
    let parsed: CredentialId = id
        .parse()
        .map_err(|_| Problem::new(Code::NotFound, format!("there is no credential {id}")))?;
    portal.app.revoke_credential(&here.caller, environment, parsed).await?;
    Ok(flash::to(
        &format!("/environments/{environment}/credentials"),
        "The credential is revoked: it and every token made with it stopped working.",
    ))
}
