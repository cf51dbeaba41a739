//! Who changed what, when and where: for owners and admins.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tidings_app::{AuditFilter, AuditRecord, Page, Problem, Visit};
use tidings_model::EnvironmentId;

use crate::fault::{PageFault, show};
use crate::filter::{self, Wishes};
use crate::form::Faults;
use crate::icon::Icon;
use crate::paging::{Listed, Paging, Place};
use crate::query::Query;
use crate::session::SignedIn;
use crate::shell::{Around, EnvironmentLink, Section, Shell};
use crate::state::Portal;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route(PATH, get(list))
}

const PATH: &str = "/audit";

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
    /// The page begins after that entry.
    #[serde(skip_serializing)]
    before: String,
}

impl Filters {
    /// What to look for, and which page of it.
    fn wishes(&self) -> Result<(AuditFilter, Page<u64>), Problem> {
        let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        let mut wishes = Wishes::default();
        let filter = AuditFilter {
            environment: wishes.read("environment", &self.environment),
            // A person may be called by their address alone.
            actor: given(&self.actor).map(|actor| {
                if actor.contains('@') && !actor.contains(' ') {
                    format!("person {}", actor.to_lowercase())
                } else {
                    actor
                }
            }),
            action: given(&self.action),
        };
        let page = Paging::wanted(wishes.before(&self.before));
        wishes.end()?;
        Ok((filter, page))
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
    faults: Faults,
    rows: Vec<Row>,
    paging: Paging,
}

async fn list(
    State(portal): State<Portal>,
    SignedIn(visit): SignedIn,
    around: Around,
    Query(filters): Query<Filters>,
) -> Result<Response, PageFault> {
    let found = found(&portal, &visit, &filters).await;
    let Listed { rows, paging, faults } = Listed::of(found)?;
    let shell = around.global(&portal, &visit, Section::Audit, "Audit log").await?;
    let page = AuditPage {
        rows: rows.into_iter().map(|record| row(record, &shell, &filters)).collect(),
        shell: shell.crumb("Audit log", PATH),
        paging,
        filters,
        faults,
    };
    let status = page.faults.status();
    show(&page, status)
}

async fn found(portal: &Portal, visit: &Visit, filters: &Filters) -> Result<(Vec<AuditRecord>, Paging), Problem> {
    visit.can_see_audit()?;
    let (filter, page) = filters.wishes()?;
    let mut records = portal.app.audit(visit, filter, page).await?;
    let place = Place::of(PATH, filters, &filters.before);
    let paging = Paging::of(&mut records, &place, |record| record.number);
    Ok((records, paging))
}

fn row(record: AuditRecord, shell: &Shell, filters: &Filters) -> Row {
    let is_here = |id: EnvironmentId| shell.environments.iter().find(|link| link.id == id).cloned();
    let by_actor = Filters {
        actor: record.entry.actor.clone(),
        ..filters.clone()
    };
    Row {
        action: record.entry.action.replace(['.', '-'], " "),
        environment: record.entry.environment.and_then(is_here),
        by_actor: Place::of(PATH, &by_actor, "").own(),
        record,
    }
}
