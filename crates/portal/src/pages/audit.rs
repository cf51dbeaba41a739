//! Who changed what, when and where: for owners and admins.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tidings_app::{AuditFilter, AuditRecord};
use tidings_model::EnvironmentId;

use crate::fault::{PageFault, show};
use crate::icon::Icon;
use crate::paging::Paging;
use crate::query::Query;
use crate::session::SignedIn;
use crate::shell::{Around, EnvironmentLink, Section, Shell};
use crate::state::Portal;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/audit", get(list))
}

/// The groups of actions, as they begin and as people say them.
const GROUPS: [(&str, &str); 8] = [
    ("environment.", "Environments and settings"),
    ("webhook.", "Webhooks"),
    ("event-type.", "Event types"),
    ("credential.", "Credentials"),
    ("delivery.", "Resends"),
    ("person.", "People and passwords"),
    ("session.", "Sessions"),
    ("sign-in.", "Refused sign-ins"),
];

/// The filters, as the address has them; empty is none.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
struct Filters {
    #[serde(skip_serializing_if = "String::is_empty")]
    environment: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    actor: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    action: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    before: String,
}

impl Filters {
    fn filter(&self) -> AuditFilter {
        let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        AuditFilter {
            environment: self.environment.parse().ok(),
            // A person may be called by their address alone.
            actor: given(&self.actor).map(|actor| {
                if actor.contains('@') && !actor.contains(' ') {
                    format!("person {}", actor.to_lowercase())
                } else {
                    actor
                }
            }),
            action: given(&self.action),
        }
    }

    /// The same filters on the page that begins after an entry.
    fn page(&self, before: &str) -> Self {
        Self {
            before: before.to_owned(),
            ..self.clone()
        }
    }

    /// The address with these filters.
    fn address(&self) -> String {
        let query = serde_html_form::to_string(self).unwrap_or_default();
        format!("/audit?{query}")
    }
}

/// An entry as the page says it.
struct Row {
    record: AuditRecord,
    /// `webhook created`.
    action: String,
    /// Its environment, while that is there.
    environment: Option<EnvironmentLink>,
    /// The address that shows what else they did.
    by_actor: String,
}

#[derive(Template)]
#[template(path = "audit/audit.html")]
struct AuditPage {
    shell: Shell,
    filters: Filters,
    rows: Vec<Row>,
    paging: Paging,
}

async fn list(
    State(portal): State<Portal>,
    SignedIn(visit): SignedIn,
    around: Around,
    Query(filters): Query<Filters>,
) -> Result<Response, PageFault> {
    let mut records = portal.app.audit(&visit, filters.filter(), Paging::wanted(&filters.before)).await?;
    let paging = Paging::of(
        &mut records,
        &filters.before,
        |record| record.number,
        |before| filters.page(before).address(),
    );
    let shell = around.global(&portal, &visit, Section::Audit, "Audit log").await?;
    let page = AuditPage {
        rows: records.into_iter().map(|record| row(record, &shell, &filters)).collect(),
        shell: shell.crumb("Audit log", "/audit"),
        paging,
        filters,
    };
    show(&page, 200)
}

fn row(record: AuditRecord, shell: &Shell, filters: &Filters) -> Row {
    let is_here = |id: EnvironmentId| shell.environments.iter().find(|link| link.id == id).cloned();
    let by_actor = Filters {
        actor: record.entry.actor.clone(),
        before: String::new(),
        ..filters.clone()
    };
    Row {
        action: record.entry.action.replace(['.', '-'], " "),
        environment: record.entry.environment.and_then(is_here),
        by_actor: by_actor.address(),
        record,
    }
}
