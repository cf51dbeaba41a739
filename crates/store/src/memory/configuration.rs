//! Environments, their event types and credentials, routing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use tidings_model::{CredentialId, Environment, EnvironmentId, EventKey, Timestamp};

use super::State;
use crate::{
    CopyReport, CreateEventTypeError, CustomEventType, DeleteEnvironmentError, EnvironmentChange, EnvironmentHolds, NameTaken, Routing,
    RoutingChanges,
};

/// Events are counted up to here when an environment is to be deleted.
const EVENTS_COUNTED_MAX: usize = 1_000;

pub(super) struct EnvironmentRow {
    pub(super) environment: Environment,
    pub(super) version: u64,
    pub(super) event_types: BTreeMap<EventKey, CustomEventType>,
}

impl State {
    pub(super) fn environment(&self, id: EnvironmentId) -> Option<&EnvironmentRow> {
        self.environments.iter().find(|row| row.environment.id == id)
    }

    fn environment_mut(&mut self, id: EnvironmentId) -> Option<&mut EnvironmentRow> {
        self.environments.iter_mut().find(|row| row.environment.id == id)
    }

    /// An environment, with its version raised: whoever asks is about to change it.
    pub(super) fn changing(&mut self, id: EnvironmentId) -> Option<&mut EnvironmentRow> {
        let row = self.environment_mut(id)?;
        row.version += 1;
        Some(row)
    }

    fn name_taken(&self, name: &str, by_other_than: EnvironmentId) -> bool {
        self.environments
            .iter()
            .any(|row| row.environment.id != by_other_than && row.environment.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn create_environment(&mut self, environment: &Environment) -> Result<(), NameTaken> {
        if self.name_taken(&environment.name, environment.id) {
            return Err(NameTaken);
        }
        self.environments.push(EnvironmentRow {
            environment: environment.clone(),
            version: 1,
            event_types: BTreeMap::new(),
        });
        Ok(())
    }

    pub(super) fn change_environment(&mut self, id: EnvironmentId, change: &EnvironmentChange) -> Result<Option<Environment>, NameTaken> {
        if self.environment(id).is_none() {
            return Ok(None);
        }
        if change.name.as_ref().is_some_and(|name| self.name_taken(name, id)) {
            return Err(NameTaken);
        }
        Ok(self.changing(id).map(|row| {
            if let Some(name) = &change.name {
                row.environment.name.clone_from(name);
            }
            if let Some(settings) = &change.settings {
                row.environment.settings.clone_from(settings);
            }
            row.environment.clone()
        }))
    }

    pub(super) fn holds(&self, row: &EnvironmentRow) -> EnvironmentHolds {
        let id = row.environment.id;
        EnvironmentHolds {
            webhooks: self.webhooks.values().filter(|held| held.webhook.environment == id).count() as u64,
            event_types: row.event_types.len() as u64,
            credentials: self.credentials.iter().filter(|credential| credential.environment == id).count() as u64,
            events: self
                .events
                .values()
                .filter(|row| row.event.environment == id)
                .take(EVENTS_COUNTED_MAX)
                .count() as u64,
        }
    }

    pub(super) fn delete_environment(&mut self, id: EnvironmentId, force: bool) -> Result<(), DeleteEnvironmentError> {
        let holds = self.holds(self.environment(id).ok_or(DeleteEnvironmentError::NotFound)?);
        if !force && !holds.is_empty() {
            return Err(DeleteEnvironmentError::Holds(holds));
        }
        self.environments.retain(|row| row.environment.id != id);
        self.credentials.retain(|credential| credential.environment != id);
        self.webhooks.retain(|_, held| held.webhook.environment != id);
        Ok(())
    }

    pub(super) fn copy_environment(&mut self, from: EnvironmentId, to: EnvironmentId, at: Timestamp) -> Option<CopyReport> {
        let source = self.environment(from)?;
        let EnvironmentHolds { webhooks, credentials, .. } = self.holds(source);
        let (settings, event_types) = (source.environment.settings.clone(), source.event_types.clone());
        let target = self.changing(to)?;
        target.environment.settings = settings;
        let mut report = CopyReport {
            webhooks_left: webhooks,
            credentials_left: credentials,
            ..CopyReport::default()
        };
        for (key, event_type) in event_types {
            match target.event_types.entry(key.clone()) {
                Entry::Occupied(_) => report.event_types_kept.push(key),
                Entry::Vacant(free) => {
                    report.event_types_copied.push(key);
                    free.insert(CustomEventType {
                        created_at: at,
                        ..event_type
                    });
                }
            }
        }
        Some(report)
    }

    pub(super) fn delete_credential(&mut self, environment: EnvironmentId, id: &CredentialId) -> bool {
        let before = self.credentials.len();
        self.credentials
            .retain(|credential| credential.environment != environment || credential.id != *id);
        self.credentials.len() < before
    }

    pub(super) fn create_event_type(&mut self, id: EnvironmentId, event_type: &CustomEventType) -> Result<(), CreateEventTypeError> {
        let row = self.environment_mut(id).ok_or(CreateEventTypeError::NoEnvironment)?;
        if row.event_types.contains_key(&event_type.key) {
            return Err(CreateEventTypeError::KeyTaken);
        }
        row.event_types.insert(event_type.key.clone(), event_type.clone());
        row.version += 1;
        Ok(())
    }

    pub(super) fn delete_event_type(&mut self, id: EnvironmentId, key: &EventKey) -> bool {
        let Some(row) = self.environment_mut(id) else { return false };
        let removed = row.event_types.remove(key).is_some();
        row.version += u64::from(removed);
        removed
    }

    pub(super) fn routing(&self, id: EnvironmentId) -> Option<Routing> {
        let row = self.environment(id)?;
        let own = self.webhooks.values().filter(|held| held.webhook.environment == id);
        Some(Routing {
            environment: id,
            version: row.version,
            settings: row.environment.settings.clone(),
            event_types: row.event_types.values().cloned().collect(),
            webhooks: own.map(|held| held.webhook.clone()).collect(),
        })
    }

    pub(super) fn routing_changes(&self, id: EnvironmentId, since: u64) -> Option<RoutingChanges> {
        let mut routing = self.routing(id)?;
        routing.webhooks.retain(|webhook| self.changed.get(&webhook.id) > Some(&since));
        let deleted = self
            .former
            .iter()
            .filter(|(_, former)| former.environment == id && former.version > since);
        Some(RoutingChanges {
            routing,
            deleted: deleted.map(|(id, _)| *id).collect(),
        })
    }
}
