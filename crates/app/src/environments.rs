//! Environments and their settings.

use std::sync::Arc;

use tidings_model::{Environment, EnvironmentId, RetrySchedule, Settings};
use tidings_store::{CopyReport, DeleteEnvironmentError, EnvironmentChange, EnvironmentHolds, NameTaken};

use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Code, Problem};
use crate::validate::{self, Faults};

/// What is changed of the settings; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct SettingsChange {
    /// Whether plain http URLs are taken.
    pub http_allowed: Option<bool>,
    /// Seconds before each attempt.
    pub retry_schedule: Option<Vec<u64>>,
    /// Deadline of one attempt, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Days that events and deliveries are kept.
    pub retention_days: Option<u32>,
}

impl SettingsChange {
    fn apply(self, current: &Settings, faults: &mut Faults) -> Settings {
        let schedule = self
            .retry_schedule
            .and_then(|steps| faults.check("settings.retrySchedule", RetrySchedule::new(steps)));
        let settings = Settings {
            http_allowed: self.http_allowed.unwrap_or(current.http_allowed),
            retry_schedule: schedule.unwrap_or_else(|| current.retry_schedule.clone()),
            timeout_ms: self.timeout_ms.unwrap_or(current.timeout_ms),
            retention_days: self.retention_days.unwrap_or(current.retention_days),
        };
        if let Err(error) = settings.check() {
            faults.add(error.field(), error.to_string());
        }
        settings
    }
}

fn name_taken(name: &str) -> Problem {
    Problem::new(Code::Conflict, format!("there is an environment named '{name}' already"))
}

fn holds(held: &EnvironmentHolds) -> String {
    let parts = [
        (held.webhooks, "webhook"),
        (held.event_types, "custom event type"),
        (held.credentials, "credential"),
        (held.events, "event"),
    ];
    let words: Vec<_> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| {
            format!(
                "{count}{} {word}{}",
                if count >= 1_000 { " or more" } else { "" },
                if count == 1 { "" } else { "s" }
            )
        })
        .collect();
    words.join(", ")
}

/// Which settings changed, and to what.
fn changed_settings(before: &Settings, after: &Settings) -> String {
    let parts = [
        (before.http_allowed != after.http_allowed).then(|| format!("httpAllowed: {}", after.http_allowed)),
        (before.retry_schedule != after.retry_schedule).then(|| format!("retrySchedule: {:?}", after.retry_schedule.steps())),
        (before.timeout_ms != after.timeout_ms).then(|| format!("timeoutMs: {}", after.timeout_ms)),
        (before.retention_days != after.retention_days).then(|| format!("retentionDays: {}", after.retention_days)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

impl App {
    /// All environments for operators and people, the caller's own for anybody else.
    pub async fn environments(&self, caller: &Caller) -> Result<Vec<Environment>, Problem> {
        caller.can_read_environment()?;
        let mut environments = self.store.environments().await?;
        environments.retain(|environment| caller.sees_every_environment() || environment.id == caller.environment);
        Ok(environments)
    }

    /// One environment.
    pub async fn environment(&self, caller: &Caller, id: EnvironmentId) -> Result<Environment, Problem> {
        let environments = self.environments(caller).await?;
        environments
            .into_iter()
            .find(|environment| environment.id == id)
            .ok_or_else(|| Problem::not_found("environment", &id))
    }

    /// What an environment holds: what stands in the way of deleting it.
    pub async fn environment_holds(&self, caller: &Caller, id: EnvironmentId) -> Result<EnvironmentHolds, Problem> {
        self.environment(caller, id).await?;
        let held = self.store.environment_holds(id).await?;
        held.ok_or_else(|| Problem::not_found("environment", &id))
    }

    /// Adds an environment.
    pub async fn create_environment(&self, caller: &Caller, name: &str, settings: SettingsChange) -> Result<Environment, Problem> {
        caller.can_operate()?;
        let mut faults = Faults::default();
        let name = faults.check("name", validate::name(name));
        let settings = settings.apply(&Settings::default(), &mut faults);
        faults.into_result()?;
        let name = name.unwrap_or_default();
        let environment = self.add_environment(name.clone(), settings).await?;
        let environment = environment.map_err(|NameTaken| name_taken(&name))?;
        self.record(caller, "environment.created", Some(environment.id), &environment.name, "")
            .await;
        Ok(environment)
    }

    pub(crate) async fn add_environment(&self, name: String, settings: Settings) -> Result<Result<Environment, NameTaken>, Problem> {
        let id = EnvironmentId::from_chance(self.entropy.bytes16());
        let environment = Environment {
            id,
            name,
            settings,
            created_at: self.clock.now(),
        };
        let created = self.engine.change(id, self.store.create_environment(&environment)).await?;
        Ok(created.map(|()| environment))
    }

    /// Changes an environment's name or settings. Its own credentials may change everything but what opens the network: plain http is the operator's.
    pub async fn change_environment(
        &self,
        caller: &Caller,
        id: EnvironmentId,
        name: Option<&str>,
        settings: SettingsChange,
    ) -> Result<Environment, Problem> {
        caller.can_write_environment()?;
        let current = self.environment(caller, id).await?;
        if settings.http_allowed.is_some_and(|wanted| wanted != current.settings.http_allowed) || name.is_some() {
            caller.can_operate()?;
        }
        let mut faults = Faults::default();
        let name = name.and_then(|name| faults.check("name", validate::name(name)));
        let settings = settings.apply(&current.settings, &mut faults);
        faults.into_result()?;
        let change = EnvironmentChange {
            name: name.clone(),
            settings: Some(settings.clone()),
        };
        let changed = self
            .engine
            .change(id, self.store.change_environment(id, &change))
            .await?
            .map_err(|NameTaken| name_taken(&name.unwrap_or_default()))?;
        let changed = changed.ok_or_else(|| Problem::not_found("environment", &id))?;
        if changed.name != current.name {
            let detail = format!("was '{}'", current.name);
            self.record(caller, "environment.renamed", Some(id), &changed.name, &detail).await;
        }
        if settings != current.settings {
            let detail = changed_settings(&current.settings, &settings);
            self.record(caller, "environment.settings-changed", Some(id), &changed.name, &detail)
                .await;
        }
        Ok(changed)
    }

    /// Deletes an environment: an empty one, or with everything in it when forced.
    pub async fn delete_environment(self: &Arc<Self>, caller: &Caller, id: EnvironmentId, force: bool) -> Result<(), Problem> {
        caller.can_operate()?;
        let named = self.environment(caller, id).await?;
        let app = Arc::clone(self);
        // To its end, so that credentials of what is gone are not taken any more, whoever waits.
        let work = async move {
            let deleted = app.engine.change(id, app.store.delete_environment(id, force)).await?;
            app.credentials.reload().await?;
            Ok(deleted)
        };
        let deleted = self.to_its_end("delete environment", work).await?;
        deleted.map_err(|error| match error {
            DeleteEnvironmentError::NotFound => Problem::not_found("environment", &id),
            DeleteEnvironmentError::Holds(held) => Problem::new(
                Code::Conflict,
                format!(
                    "the environment holds {}; delete them first, or force it to delete everything",
                    holds(&held)
                ),
            ),
        })?;
        let detail = if force { "with everything in it" } else { "empty" };
        self.record(caller, "environment.deleted", Some(id), &named.name, detail).await;
        Ok(())
    }

    /// Copies settings and custom event types from one environment to another, and never webhooks, secrets, credentials or history.
    pub async fn copy_environment(&self, caller: &Caller, from: EnvironmentId, to: EnvironmentId) -> Result<CopyReport, Problem> {
        caller.can_operate()?;
        if from == to {
            return Err(Problem::field("to", "has to be another environment than the one that is copied"));
        }
        let copy = self.store.copy_environment(from, to, self.clock.now());
        let report = self.engine.change(to, copy).await?;
        let report = report.ok_or_else(|| Problem::new(Code::NotFound, "one of the two environments does not exist"))?;
        let detail = format!("settings and {} event types from {from}", report.event_types_copied.len());
        self.record(caller, "environment.copied", Some(to), &to.to_string(), &detail).await;
        Ok(report)
    }
}
