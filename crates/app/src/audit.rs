//! Who changed what.
//!
//! An entry is written after its change was made, never with a secret in it. The two are not one transaction: when only the entry fails, the change
//! is done and is answered as done, and the failure is in the server's log as an error. To refuse then would say that nothing was changed.

use std::fmt;
use std::net::IpAddr;

use tidings_model::EnvironmentId;
use tidings_model::limits::PAGE_ROWS_MAX;
use tidings_store::{AuditEntry, AuditFilter, AuditRecord, Page};

use crate::app::App;
use crate::caller::{Caller, Identity};
use crate::problem::Problem;
use crate::visit::Visit;

/// Who did something, in words that programs can read too.
#[derive(Clone, Debug)]
pub(crate) struct Actor(String);

impl Actor {
    /// The first start of a data folder.
    pub(crate) fn first_start() -> Self {
        Self("first start".to_owned())
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        Self(match (&caller.identity, &caller.tenant) {
            (Identity::Credential(id), _) => format!("credential {id}"),
            (Identity::Tenant(id), Some(tenant)) => format!("tenant {tenant} by credential {id}"),
            (Identity::Tenant(id), None) => format!("tenant by credential {id}"),
            (Identity::Local, _) => "local".to_owned(),
            (Identity::Person(email), _) => person(email),
        })
    }
}

impl From<&Visit> for Actor {
    fn from(visit: &Visit) -> Self {
        Self(person(&visit.email))
    }
}

/// Somebody who has not proved who they are.
impl From<IpAddr> for Actor {
    fn from(address: IpAddr) -> Self {
        Self(format!("address {}", address.to_canonical()))
    }
}

fn person(email: &str) -> String {
    format!("person {email}")
}

impl App {
    /// Records a change that was made: `action` as `webhook.created`, `target` an id, a key or an address, `detail` a line without secrets, or empty.
    pub(crate) async fn record(
        &self,
        who: impl Into<Actor> + Send,
        action: &'static str,
        environment: Option<EnvironmentId>,
        target: &str,
        detail: &str,
    ) {
        let Actor(actor) = who.into();
        let entry = AuditEntry {
            at: self.clock.now(),
            actor,
            action: action.to_owned(),
            environment,
            target: target.to_owned(),
            detail: detail.to_owned(),
        };
        if let Err(error) = self.store.record_audit(&entry).await {
            let AuditEntry { actor, target, detail, .. } = entry;
            tracing::error!(%error, %actor, action, %target, %detail, "a change was made that could not be written to the audit log");
        }
    }

    /// Entries of the audit log, newest first: for owners and admins.
    pub async fn audit(&self, visit: &Visit, filter: AuditFilter, page: Page<u64>) -> Result<Vec<AuditRecord>, Problem> {
        visit.can_see_audit()?;
        let page = Page {
            limit: page.limit.clamp(1, PAGE_ROWS_MAX + 1),
            ..page
        };
        Ok(self.store.audit(&filter, page).await?)
    }
}
