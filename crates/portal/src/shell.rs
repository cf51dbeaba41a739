//! What stands around every page: the rail, the environment switcher, the breadcrumbs, who is signed in.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use tidings_app::{Caller, PersonRole, Visit};
use tidings_model::{EnvironmentId, Timestamp};

use crate::assets;
use crate::fault::PageFault;
use crate::flash;
use crate::icon::{self, Icon};
use crate::markup::Markup;
use crate::state::Portal;
use crate::words;

/// The part of the portal that a page belongs to: its entry in the rail is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Environments,
    Overview,
    Webhooks,
    Deliveries,
    Events,
    Catalogue,
    Credentials,
    Settings,
    Jobs,
    People,
    Audit,
    Nodes,
    Account,
}

/// A step of the breadcrumbs.
#[derive(Clone, Debug)]
pub(crate) struct Crumb {
    pub(crate) label: String,
    pub(crate) href: String,
}

/// An entry of the rail.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) label: &'static str,
    pub(crate) href: String,
    pub(crate) icon: Markup,
    pub(crate) here: bool,
}

/// An entry of the environment switcher.
#[derive(Clone, Debug)]
pub(crate) struct EnvironmentLink {
    pub(crate) id: EnvironmentId,
    pub(crate) name: String,
    pub(crate) here: bool,
}

/// What a page of somebody who is signed in stands in.
pub(crate) struct Shell {
    pub(crate) title: String,
    pub(crate) now: Timestamp,
    pub(crate) email: String,
    pub(crate) role: PersonRole,
    pub(crate) csrf: String,
    pub(crate) crumbs: Vec<Crumb>,
    pub(crate) environments: Vec<EnvironmentLink>,
    /// The name of the environment that the page is in.
    pub(crate) environment: Option<String>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) global_entries: Vec<Entry>,
    pub(crate) flash: Option<String>,
    /// What the request asked for, without its query.
    pub(crate) path: String,
    /// The address of the environment: `/environments/<id>`.
    pub(crate) base: String,
}

impl Shell {
    /// Whether the person may change things.
    pub(crate) fn can_write(&self) -> bool {
        self.role != PersonRole::Viewer
    }

    pub(crate) fn role_word(&self) -> &'static str {
        role_word(self.role)
    }

    /// A time as people say it.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates hand over references")]
    pub(crate) fn ago(&self, at: &Timestamp) -> Markup {
        words::ago(*at, self.now)
    }

    #[expect(clippy::unused_self, reason = "templates reach icons through what they have")]
    pub(crate) fn icon(&self, which: Icon) -> Markup {
        icon::icon(which)
    }

    #[expect(clippy::unused_self, reason = "templates reach assets through what they have")]
    pub(crate) fn asset(&self, name: &str) -> &'static str {
        assets::path(name)
    }

    /// Adds a step to the breadcrumbs; the last one is the page itself.
    pub(crate) fn crumb(mut self, label: impl Into<String>, href: impl Into<String>) -> Self {
        self.crumbs.push(Crumb {
            label: label.into(),
            href: href.into(),
        });
        self
    }
}

pub(crate) const fn role_word(role: PersonRole) -> &'static str {
    match role {
        PersonRole::Owner => "owner",
        PersonRole::Admin => "admin",
        PersonRole::Viewer => "viewer",
    }
}

/// What every page needs of its request to stand in a shell.
pub(crate) struct Around {
    path: String,
    flash: Option<String>,
}

impl FromRequestParts<Portal> for Around {
    type Rejection = PageFault;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, PageFault> {
        Ok(Self {
            path: parts.uri.path().to_owned(),
            flash: flash::said(portal.https, &CookieJar::from_headers(&parts.headers)),
        })
    }
}

impl Around {
    /// The shell of a page that belongs to no environment.
    pub(crate) async fn global(self, portal: &Portal, visit: &Visit, section: Section, title: &str) -> Result<Shell, PageFault> {
        self.shell(portal, visit, None, section, title).await
    }

    /// The shell of a page of an environment. Its breadcrumbs begin with the environment.
    pub(crate) async fn within(
        self,
        portal: &Portal,
        visit: &Visit,
        caller: &Caller,
        section: Section,
        title: &str,
    ) -> Result<Shell, PageFault> {
        self.shell(portal, visit, Some(caller.environment()), section, title).await
    }

    async fn shell(
        self,
        portal: &Portal,
        visit: &Visit,
        here: Option<EnvironmentId>,
        section: Section,
        title: &str,
    ) -> Result<Shell, PageFault> {
        let environments = portal.app.environments(&portal.app.caller_above(visit)).await?;
        let links: Vec<_> = environments
            .into_iter()
            .map(|environment| EnvironmentLink {
                here: Some(environment.id) == here,
                id: environment.id,
                name: environment.name,
            })
            .collect();
        let environment = links.iter().find(|link| link.here).map(|link| link.name.clone());
        let base = here.map(|id| format!("/environments/{id}")).unwrap_or_default();
        let mut crumbs = Vec::new();
        if let Some(name) = &environment {
            crumbs.push(Crumb {
                label: "Environments".to_owned(),
                href: "/environments".to_owned(),
            });
            crumbs.push(Crumb {
                label: name.clone(),
                href: base.clone(),
            });
        }
        Ok(Shell {
            title: title.to_owned(),
            now: portal.clock.now(),
            email: visit.email().to_owned(),
            role: visit.role(),
            csrf: visit.csrf().to_owned(),
            crumbs,
            entries: match here {
                Some(id) => entries(portal, visit, id, section)?,
                None => Vec::new(),
            },
            global_entries: global_entries(section, visit.role()),
            environments: links,
            environment,
            flash: self.flash,
            path: self.path,
            base,
        })
    }
}

fn entry(label: &'static str, href: String, which: Icon, here: bool) -> Entry {
    Entry {
        label,
        href,
        icon: icon::icon(which),
        here,
    }
}

fn entries(portal: &Portal, visit: &Visit, environment: EnvironmentId, section: Section) -> Result<Vec<Entry>, PageFault> {
    let base = format!("/environments/{environment}");
    // Work that goes on, or ended a while ago, is found again from every page.
    let has_jobs = !portal.app.jobs(&portal.app.caller_of(visit, environment)?)?.is_empty();
    let all = [
        ("Overview", "", Icon::Overview, Section::Overview),
        ("Webhooks", "/webhooks", Icon::Hook, Section::Webhooks),
        ("Deliveries", "/deliveries", Icon::Arrow, Section::Deliveries),
        ("Events", "/events", Icon::Event, Section::Events),
        ("Catalogue", "/catalogue", Icon::Book, Section::Catalogue),
        ("Credentials", "/credentials", Icon::Key, Section::Credentials),
        ("Settings", "/settings", Icon::Gear, Section::Settings),
        ("Jobs", "/jobs", Icon::Clock, Section::Jobs),
    ];
    let visible = all.into_iter().filter(|(.., of)| match of {
        Section::Credentials => visit.role() != PersonRole::Viewer,
        Section::Jobs => has_jobs || section == Section::Jobs,
        _ => true,
    });
    let entries = visible.map(|(label, path, which, of)| entry(label, format!("{base}{path}"), which, of == section));
    Ok(entries.collect())
}

fn global_entries(section: Section, role: PersonRole) -> Vec<Entry> {
    let mut entries = vec![entry(
        "Environments",
        "/environments".to_owned(),
        Icon::Layers,
        section == Section::Environments,
    )];
    if role == PersonRole::Owner {
        entries.push(entry("People", "/people".to_owned(), Icon::People, section == Section::People));
    }
    if role != PersonRole::Viewer {
        entries.push(entry("Audit log", "/audit".to_owned(), Icon::List, section == Section::Audit));
        entries.push(entry("Nodes", "/nodes".to_owned(), Icon::Node, section == Section::Nodes));
    }
    entries
}

/// What a page stands in that nobody has to be signed in for.
pub(crate) struct Bare {
    pub(crate) title: String,
}

impl Bare {
    pub(crate) fn titled(title: &str) -> Self {
        Self { title: title.to_owned() }
    }

    #[expect(clippy::unused_self, reason = "templates reach assets through what they have")]
    pub(crate) fn asset(&self, name: &str) -> &'static str {
        assets::path(name)
    }
}
