//! The list of webhooks: searched, filtered, switched on and off.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tidings_app::{WebhookFilter, WebhookWithHealth};
use tidings_model::EventType;

use super::reach::{self, Part};
use super::traffic::{self, Traffic};
use crate::fault::{PageFault, show};
use crate::icon::Icon;
use crate::paging::Paging;
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
struct Asked {
    /// A part of the name or the URL.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    q: String,
    /// `active`, `disabled` or `trouble`; anything else is all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    state: String,
    /// The page begins after that webhook.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    before: String,
}

impl Asked {
    fn filter(&self) -> WebhookFilter {
        let search = self.q.trim();
        WebhookFilter {
            tenant: None,
            search: (!search.is_empty()).then(|| search.to_owned()),
            active: match self.state.as_str() {
                "active" => Some(true),
                "disabled" => Some(false),
                _ => None,
            },
            in_trouble: self.state == "trouble",
        }
    }

    fn is_narrowed(&self) -> bool {
        !self.q.trim().is_empty() || !self.state.is_empty()
    }

    fn query(&self) -> String {
        serde_html_form::to_string(self).unwrap_or_default()
    }

    fn page(&self, before: &str) -> Self {
        Self {
            before: before.to_owned(),
            ..self.clone()
        }
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
    let mut found = portal
        .app
        .webhooks(&here.caller, asked.filter(), Paging::wanted(&asked.before))
        .await?;
    let address = |before: &str| format!("{path}?{}", asked.page(before).query());
    let paging = Paging::of(&mut found, &asked.before, |found| found.webhook.id, address);
    let ids: Vec<_> = found.iter().map(|found| found.webhook.id).collect();
    let traffic = traffic::of(&portal, &here.caller, &ids).await?;
    let event_types = portal.app.event_types(&here.caller)?;
    let rows = found.into_iter().zip(traffic);
    let shell = around
        .within(&portal, &here.visit, &here.caller, Section::Webhooks, "Webhooks")
        .await?;
    let page = ListPage {
        shell: shell.crumb("Webhooks", &path),
        rows: rows.map(|(found, traffic)| Row::of(found, traffic, &event_types)).collect(),
        paging,
        here: format!("{path}?{}", asked.query()),
        asked,
    };
    show(&page, 200)
}
