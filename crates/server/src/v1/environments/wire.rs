//! An environment on the wire.

use serde::{Deserialize, Serialize};
use tidings_app::environments::SettingsChange;
use tidings_model::{Environment, EnvironmentId, Settings, Timestamp};
use utoipa::ToSchema;

use crate::json::object;

/// The wall of isolation.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Environment)]
pub(super) struct EnvironmentView {
    /// Its id, which receivers see as `vendorId`.
    #[schema(value_type = String, example = "0f0c8a8e-6c1b-4d8e-9a43-5d1c7e1f2a3b")]
    id: EnvironmentId,
    /// Its name.
    name: String,
    /// How its webhooks are treated.
    settings: SettingsView,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// What an environment decides for all its webhooks.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Settings)]
struct SettingsView {
    /// Whether plain http URLs are taken.
    http_allowed: bool,
    /// Seconds before each attempt; the first is 0.
    retry_schedule: Vec<u64>,
    /// Deadline of one attempt, in milliseconds.
    timeout_ms: u64,
    /// Days that events and deliveries are kept.
    retention_days: u32,
}

impl From<Settings> for SettingsView {
    fn from(settings: Settings) -> Self {
        Self {
            http_allowed: settings.http_allowed,
            retry_schedule: settings.retry_schedule.into(),
            timeout_ms: settings.timeout_ms,
            retention_days: settings.retention_days,
        }
    }
}

impl From<Environment> for EnvironmentView {
    fn from(environment: Environment) -> Self {
        Self {
            id: environment.id,
            name: environment.name,
            settings: environment.settings.into(),
            created_at: environment.created_at,
        }
    }
}

/// Settings to change; what is not given stays as it is, or has its default in a new environment.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewSettings {
    /// Whether plain http URLs are taken; only an operator changes it.
    http_allowed: Option<bool>,
    /// Seconds before each attempt; the first is 0.
    retry_schedule: Option<Vec<u64>>,
    /// Deadline of one attempt, in milliseconds.
    timeout_ms: Option<u64>,
    /// Days that events and deliveries are kept.
    retention_days: Option<u32>,
}

impl From<NewSettings> for SettingsChange {
    fn from(new: NewSettings) -> Self {
        Self {
            http_allowed: new.http_allowed,
            retry_schedule: new.retry_schedule,
            timeout_ms: new.timeout_ms,
            retention_days: new.retention_days,
        }
    }
}

/// An environment to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEnvironment {
    /// Its name, unique without regard to case.
    pub(super) name: String,
    /// Its settings.
    #[serde(default, deserialize_with = "object")]
    pub(super) settings: NewSettings,
}

/// What to change of an environment; what is not given stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvironmentPatch {
    /// Its name; only an operator changes it.
    pub(super) name: Option<String>,
    /// Its settings.
    #[serde(default, deserialize_with = "object")]
    pub(super) settings: NewSettings,
}
