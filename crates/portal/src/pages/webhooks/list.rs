//! The list of webhooks: searched, filtered, switched on and off.

use std::str::FromStr;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tidings_app::{Caller, Page, Problem, WebhookFilter, WebhookWithHealth};
use tidings_model::{EventType, WebhookId};

use super::reach::{self, Part};
use super::traffic::{self, Traffic};
use crate::fault::{PageFault, show};
use crate::filter::{self, Wishes};
use crate::form::Faults;
use crate::icon::Icon;
use crate::paging::{Listed, Paging, Place};
use crate::query::Query;
use crate::session::InEnvironment;
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments/{environment}/webhooks", get(list))
}

/// What the address asks for.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
struct Asked {
    /// A part of the name or the URL.
    #[serde(skip_serializing_if = "String::is_empty")]
    q: String,
    /// `active`, `disabled` or `trouble`.
    #[serde(skip_serializing_if = "String::is_empty")]
    state: String,
    /// The page begins after that webhook.
    #[serde(skip_serializing)]
    before: String,
}

/// How webhooks stand that somebody looks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Active,
    Disabled,
    Trouble,
}

impl FromStr for Standing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "active" => Ok(Self::Active),
            "disabled" => Ok(Self::Disabled),
            "trouble" => Ok(Self::Trouble),
            other => Err(format!("'{other}' is none; use active, disabled or trouble")),
        }
    }
}

impl Asked {
    /// What to look for, and which page of it.
    fn wishes(&self) -> Result<(WebhookFilter, Page<WebhookId>), Problem> {
        let mut wishes = Wishes::default();
        let standing = wishes.read("state", &self.state);
        let page = Paging::wanted(wishes.before(&self.before));
        wishes.end()?;
        let search = self.q.trim();
        let filter = WebhookFilter {
            tenant: None,
            search: (!search.is_empty()).then(|| search.to_owned()),
            active: match standing {
                Some(Standing::Active) => Some(true),
                Some(Standing::Disabled) => Some(false),
                Some(Standing::Trouble) | None => None,
            },
            in_trouble: standing == Some(Standing::Trouble),
        };
        Ok((filter, page))
    }

    fn is_narrowed(&self) -> bool {
        !self.q.trim().is_empty() || !self.state.is_empty()
    }
}

/// A webhook as the list shows it.
struct Row {
    found: WebhookWithHealth,
    everything: bool,
    parts: Vec<Part>,
    traffic: Traffic,
}

impl Row {
    fn of(found: WebhookWithHealth, traffic: Traffic, event_types: &[Arc<EventType>]) -> Self {
        let subscription = &found.webhook.subscription;
        Self {
            everything: reach::is_everything(subscription),
            parts: reach::of(subscription, event_types),
            traffic,
            found,
        }
    }
}

#[derive(Template)]
#[template(path = "webhooks/list.html")]
struct ListPage {
    shell: Shell,
    asked: Asked,
    faults: Faults,
    rows: Vec<Row>,
    paging: Paging,
    /// This page, to come back to.
    here: String,
}

async fn list(
    State(portal): State<Portal>,
    here: InEnvironment,
    Query(asked): Query<Asked>,
    around: Around,
) -> Result<Response, PageFault> {
    let path = super::list_path(&here.caller);
    let place = Place::of(&path, &asked, &asked.before);
    let Listed { rows, paging, faults } = Listed::of(found(&portal, &here.caller, &asked, &place).await)?;
    let shell = around
        .within(&portal, &here.visit, &here.caller, Section::Webhooks, "Webhooks")
        .await?;
    let page = ListPage {
        here: place.own(),
        shell: shell.crumb("Webhooks", &path),
        rows,
        paging,
        asked,
        faults,
    };
    let status = page.faults.status();
    show(&page, status)
}

async fn found(portal: &Portal, caller: &Caller, asked: &Asked, place: &Place<'_>) -> Result<(Vec<Row>, Paging), Problem> {
    let (filter, page) = asked.wishes()?;
    let mut found = portal.app.webhooks(caller, filter, page).await?;
    let paging = Paging::of(&mut found, place, |found| found.webhook.id);
    let ids: Vec<_> = found.iter().map(|found| found.webhook.id).collect();
    let traffic = traffic::of(portal, caller, &ids).await?;
    let event_types = portal.app.event_types(caller)?;
    let rows = found.into_iter().zip(traffic);
    Ok((rows.map(|(found, traffic)| Row::of(found, traffic, &event_types)).collect(), paging))
}
