//! Environments, their credentials and their settings.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::{
    ATTEMPT_TIMEOUT_MS_DEFAULT, ATTEMPT_TIMEOUT_MS_MAX, ATTEMPT_TIMEOUT_MS_MIN, RETENTION_DAYS_DEFAULT, RETENTION_DAYS_MAX,
};
use crate::{CredentialId, EnvironmentId, RetrySchedule, Timestamp};

/// The wall of isolation: everything else belongs to exactly one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its id, which receivers see as `vendorId`.
    pub id: EnvironmentId,
    /// Its name, unique among environments without regard to case.
    pub name: String,
    /// How its webhooks are treated.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What an environment decides for all its webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Whether plain http URLs are taken.
    pub http_allowed: bool,
    /// When a failed delivery is tried again.
    pub retry_schedule: RetrySchedule,
    /// Deadline of one attempt, over DNS, connect, TLS, headers and body, in milliseconds.
    pub timeout_ms: u64,
    /// Days that events and deliveries are kept.
    pub retention_days: u32,
}

/// A setting is out of its bounds.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingsError {
    /// The deadline.
    #[error("timeoutMs has to be between {ATTEMPT_TIMEOUT_MS_MIN} and {ATTEMPT_TIMEOUT_MS_MAX}, not {0}")]
    Timeout(u64),
    /// The retention.
    #[error("retentionDays has to be between 1 and {RETENTION_DAYS_MAX}, not {0}")]
    Retention(u32),
    /// The log would forget a delivery that is still being tried.
    #[error("retentionDays is {days}, but the retry schedule takes up to {needed} days: keep events at least that long")]
    RetentionShorterThanSchedule {
        /// Days asked for.
        days: u32,
        /// Days that the schedule needs.
        needed: u64,
    },
}

impl SettingsError {
    /// The name of the setting, as people write it.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "settings.timeoutMs",
            Self::Retention(_) | Self::RetentionShorterThanSchedule { .. } => "settings.retentionDays",
        }
    }
}

impl Settings {
    /// Checks the bounds, one setting against the other.
    pub fn check(&self) -> Result<(), SettingsError> {
        if !(ATTEMPT_TIMEOUT_MS_MIN..=ATTEMPT_TIMEOUT_MS_MAX).contains(&self.timeout_ms) {
            return Err(SettingsError::Timeout(self.timeout_ms));
        }
        if !(1..=RETENTION_DAYS_MAX).contains(&self.retention_days) {
            return Err(SettingsError::Retention(self.retention_days));
        }
        let needed = self.retry_schedule.longest().as_secs().div_ceil(24 * 3_600);
        if u64::from(self.retention_days) < needed {
            return Err(SettingsError::RetentionShorterThanSchedule {
                days: self.retention_days,
                needed,
            });
        }
        Ok(())
    }

    /// Deadline of one attempt.
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// How long events are kept.
    pub const fn retention(&self) -> Duration {
        Duration::from_secs(self.retention_days as u64 * 24 * 3_600)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            http_allowed: false,
            retry_schedule: RetrySchedule::default(),
            timeout_ms: ATTEMPT_TIMEOUT_MS_DEFAULT,
            retention_days: RETENTION_DAYS_DEFAULT,
        }
    }
}

/// What a credential or a token may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scopes {
    /// List and read.
    pub read: bool,
    /// Publish, create, change, delete, resend, test.
    pub write: bool,
    /// Manage environments and credentials, and act in every environment.
    pub operator: bool,
}

impl Scopes {
    /// Reading only.
    pub const READ: Self = Self {
        read: true,
        write: false,
        operator: false,
    };
    /// Reading and writing inside one environment: what a credential has unless asked otherwise.
    pub const READ_WRITE: Self = Self {
        read: true,
        write: true,
        operator: false,
    };
    /// Everything.
    pub const OPERATOR: Self = Self {
        read: true,
        write: true,
        operator: true,
    };

    /// Whether everything in `other` is also in this.
    pub const fn covers(self, other: Self) -> bool {
        (self.read || !other.read) && (self.write || !other.write) && (self.operator || !other.operator)
    }

    /// The names of the scopes that are given.
    pub fn names(self) -> Vec<&'static str> {
        let all = [(self.read, "read"), (self.write, "write"), (self.operator, "operator")];
        all.into_iter().filter_map(|(given, name)| given.then_some(name)).collect()
    }
}

/// A word is not the name of a scope.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' is not a scope; the scopes are read, write and operator")]
pub struct ScopeError(String);

impl Scopes {
    /// From the names of scopes, in any order.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let mut scopes = Self::default();
        for name in names {
            match name {
                "read" => scopes.read = true,
                "write" => scopes.write = true,
                "operator" => scopes.operator = true,
                other => return Err(ScopeError(other.to_owned())),
            }
        }
        Ok(scopes)
    }
}

impl FromStr for Scopes {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::from_names(text.split_whitespace())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(" "))
    }
}

/// A client id of an environment and what it may do. The secret itself is never kept, only a keyed hash of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The client id.
    pub id: CredentialId,
    /// The environment it belongs to.
    pub environment: EnvironmentId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// Keyed hash of the client secret.
    pub secret_hash: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_survive_their_text_form() {
        for scopes in [Scopes::READ, Scopes::READ_WRITE, Scopes::OPERATOR, Scopes::default()] {
            assert_eq!(scopes.to_string().parse(), Ok(scopes));
        }
        assert_eq!(
            "read admin".parse::<Scopes>().unwrap_err().to_string(),
            "'admin' is not a scope; the scopes are read, write and operator"
        );
    }

    #[test]
    fn the_log_cannot_be_shorter_than_the_schedule() {
        let short = Settings {
            retention_days: 2,
            ..Settings::default()
        };
        assert_eq!(
            short.check(),
            Err(SettingsError::RetentionShorterThanSchedule { days: 2, needed: 4 })
        );
        assert_eq!(Settings::default().check(), Ok(()));
        assert_eq!(
            Settings {
                timeout_ms: 999,
                ..Settings::default()
            }
            .check(),
            Err(SettingsError::Timeout(999))
        );
    }
}
