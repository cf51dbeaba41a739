//! Environments.

use serde::{Deserialize, Serialize};

use crate::client::Query;
use crate::{Answer, Client, Error, Listing};

/// An environment: the wall of isolation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// Its id, which receivers see as `vendorId`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How its webhooks are treated.
    pub settings: EnvironmentSettings,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

/// What an environment decides for all its webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentSettings {
    /// Whether plain http URLs are taken.
    pub http_allowed: bool,
    /// Seconds before each attempt; the first is 0.
    pub retry_schedule: Vec<u64>,
    /// Deadline of one attempt, in milliseconds.
    pub timeout_ms: u64,
    /// Days that events and deliveries are kept.
    pub retention_days: u32,
}

/// What is changed of the settings; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingsChange {
    /// Whether plain http URLs are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_allowed: Option<bool>,
    /// Seconds before each attempt; the first is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_schedule: Option<Vec<u64>>,
    /// Deadline of one attempt, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Days that events and deliveries are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
}

/// An environment to be made.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewEnvironment {
    /// Its name, unique without regard to case.
    pub name: String,
    /// Settings that are not the defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<SettingsChange>,
}

/// What is changed of an environment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EnvironmentChange {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<SettingsChange>,
}

/// What was copied from one environment to another, and what was not.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyReport {
    /// What went over.
    pub copied: Copied,
    /// What the other environment already had under the same key.
    pub kept: Kept,
    /// What never goes over.
    pub not_copied: NotCopied,
}

/// What went over.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Copied {
    /// Whether the settings did.
    pub settings: bool,
    /// The keys of the custom event types that did.
    pub event_types: Vec<String>,
}

/// What was there already.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// The keys of custom event types.
    pub event_types: Vec<String>,
}

/// What never goes over.
#[derive(Clone, Debug, Deserialize)]
pub struct NotCopied {
    /// Webhooks that stayed.
    pub webhooks: u64,
    /// Credentials that stayed.
    pub credentials: u64,
    /// The rule in words.
    pub note: String,
}

#[derive(Serialize)]
struct CopyTo<'a> {
    to: &'a str,
}

impl Client {
    /// The environments that the caller may see: all for an operator.
    pub async fn environments(&self) -> Result<Answer<Listing<Environment>>, Error> {
        self.get(&["v1", "environments"], Query::default()).await
    }

    /// One environment.
    pub async fn environment(&self, id: &str) -> Result<Answer<Environment>, Error> {
        self.get(&["v1", "environments", id], Query::default()).await
    }

    /// Makes an environment.
    pub async fn create_environment(&self, new: &NewEnvironment) -> Result<Answer<Environment>, Error> {
        self.post(&["v1", "environments"], new).await
    }

    /// Renames it or changes its settings.
    pub async fn change_environment(&self, id: &str, change: &EnvironmentChange) -> Result<Answer<Environment>, Error> {
        self.patch(&["v1", "environments", id], change).await
    }

    /// Deletes it: an empty one, or with everything in it when forced.
    pub async fn delete_environment(&self, id: &str, force: bool) -> Result<(), Error> {
        let mut query = Query::default();
        query.put("force", force.then_some(true));
        self.delete(&["v1", "environments", id], query).await
    }

    /// Copies custom event types and settings to another environment; never webhooks, secrets, credentials or history.
    pub async fn copy_environment(&self, from: &str, to: &str) -> Result<Answer<CopyReport>, Error> {
        self.post(&["v1", "environments", from, "copy"], &CopyTo { to }).await
    }
}
