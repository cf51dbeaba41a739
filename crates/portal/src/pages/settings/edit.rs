//! The settings as their form has them, and what of them somebody changed since they saw them.

use serde::{Deserialize, Serialize};
use tidings_app::environments::SettingsChange;
use tidings_app::{Code, Problem};
use tidings_model::Environment;

use super::{RETENTION, SCHEDULE, TIMEOUT};
use crate::form::Form;
use crate::schedule;

/// What the fields of the form hold.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Draft {
    pub(super) name: String,
    #[serde(default)]
    pub(super) http_allowed: bool,
    pub(super) retry_schedule: String,
    pub(super) timeout_seconds: String,
    pub(super) retention_days: String,
}

impl Draft {
    pub(super) fn of(environment: &Environment) -> Self {
        let settings = &environment.settings;
        Self {
            name: environment.name.clone(),
            http_allowed: settings.http_allowed,
            retry_schedule: schedule::line(settings.retry_schedule.steps()),
            timeout_seconds: (settings.timeout_ms as f64 / 1_000.0).to_string(),
            retention_days: settings.retention_days.to_string(),
        }
    }

    /// As the one hidden field that brings it back.
    pub(super) fn packed(&self) -> String {
        serde_html_form::to_string(self).unwrap_or_default()
    }
}

/// A form that was sent: what it says, and what it said when it was shown.
pub(super) struct Edit {
    pub(super) said: Draft,
    pub(super) seen: Draft,
}

#[derive(Deserialize)]
struct Seen {
    seen: String,
}

impl Edit {
    /// That of a form that nobody filled in yet.
    pub(super) fn none(environment: &Environment) -> Self {
        let seen = Draft::of(environment);
        Self { said: seen.clone(), seen }
    }

    /// That of a form whose other fields are read already.
    pub(super) fn of(said: Draft, form: &Form) -> Result<Self, Problem> {
        let Seen { seen } = form.open()?;
        let seen = serde_html_form::from_str(&seen);
        let seen = seen.map_err(|_| Problem::new(Code::Malformed, "this form does not say what it was made of; load its page again"))?;
        Ok(Self { said, seen })
    }

    /// What is changed; the rest stays as it is stored, whatever the form says of it.
    pub(super) fn change(&self) -> Result<(Option<&str>, SettingsChange), Problem> {
        let Self { said, seen } = self;
        let differs = |of: fn(&Draft) -> &str| (of(said) != of(seen)).then(|| of(said).trim());
        let schedule = differs(|draft| &draft.retry_schedule).map(schedule::steps).transpose();
        let timeout = differs(|draft| &draft.timeout_seconds).map(millis).transpose();
        let retention = differs(|draft| &draft.retention_days).map(str::parse).transpose();
        let change = SettingsChange {
            http_allowed: (said.http_allowed != seen.http_allowed).then_some(said.http_allowed),
            retry_schedule: schedule.map_err(|words| Problem::field(SCHEDULE, words))?,
            timeout_ms: timeout.map_err(|words| Problem::field(TIMEOUT, words))?,
            retention_days: retention.map_err(|_| Problem::field(RETENTION, "is not a number of days"))?,
        };
        Ok((differs(|draft| &draft.name), change))
    }

    /// The form to show to somebody whose fields others changed too: what they changed themselves, in what is stored now.
    pub(super) fn over(&self, now: &Draft) -> Draft {
        fn theirs<T: Clone + PartialEq>(said: &T, seen: &T, now: &T) -> T {
            if said == seen { now.clone() } else { said.clone() }
        }
        let Self { said, seen } = self;
        Draft {
            name: theirs(&said.name, &seen.name, &now.name),
            http_allowed: theirs(&said.http_allowed, &seen.http_allowed, &now.http_allowed),
            retry_schedule: theirs(&said.retry_schedule, &seen.retry_schedule, &now.retry_schedule),
            timeout_seconds: theirs(&said.timeout_seconds, &seen.timeout_seconds, &now.timeout_seconds),
            retention_days: theirs(&said.retention_days, &seen.retention_days, &now.retention_days),
        }
    }

    /// What is stored now where both they and somebody else changed it, each to something else.
    pub(super) fn contested(&self, now: &Draft) -> Vec<(&'static str, String)> {
        let told = |draft: &Draft| {
            [
                ("Name", draft.name.clone()),
                ("Take http URLs too", if draft.http_allowed { "yes" } else { "no" }.to_owned()),
                ("Waits before each retry", draft.retry_schedule.clone()),
                ("Deadline of one attempt", format!("{} s", draft.timeout_seconds)),
                ("Days that events and deliveries are kept", draft.retention_days.clone()),
            ]
        };
        let fields = told(&self.said).into_iter().zip(told(&self.seen)).zip(told(now));
        let contested = fields.filter(|((said, seen), now)| said != seen && now != seen && said != now);
        contested.map(|(_, now)| now).collect()
    }
}

fn millis(seconds: &str) -> Result<u64, &'static str> {
    let seconds = seconds.parse().ok().filter(|seconds: &f64| *seconds >= 0.0);
    Ok((seconds.ok_or("is not a number of seconds")? * 1_000.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(name: &str, timeout_seconds: &str) -> Draft {
        Draft {
            name: name.to_owned(),
            http_allowed: true,
            retry_schedule: "5s, 1h 30m".to_owned(),
            timeout_seconds: timeout_seconds.to_owned(),
            retention_days: "30".to_owned(),
        }
    }

    #[test]
    fn only_what_somebody_changed_is_changed() {
        let edit = Edit {
            said: draft("Development", " 7.5 "),
            seen: draft("Development", "15"),
        };
        let (name, change) = edit.change().unwrap();
        assert_eq!((name, change.timeout_ms), (None, Some(7_500)));
        assert!(change.http_allowed.is_none() && change.retry_schedule.is_none() && change.retention_days.is_none());
        let told = edit.over(&draft("Renamed", "15"));
        assert_eq!((told.name.as_str(), told.timeout_seconds.as_str()), ("Renamed", " 7.5 "));
    }

    #[test]
    fn a_field_is_contested_when_two_people_want_it_to_be_different_things() {
        let edit = Edit {
            said: draft("Development", "7"),
            seen: draft("Development", "15"),
        };
        assert!(edit.contested(&draft("Renamed", "15")).is_empty() && edit.contested(&draft("Renamed", "7")).is_empty());
        assert_eq!(
            edit.contested(&draft("Renamed", "9")),
            [("Deadline of one attempt", "9 s".to_owned())]
        );
    }

    #[test]
    fn what_was_seen_comes_back_as_it_was() {
        let seen = draft("A & B=C+é", "15");
        let back: Draft = serde_html_form::from_str(&seen.packed()).unwrap();
        assert_eq!(back.packed(), seen.packed());
        assert!(back.http_allowed && back.name == "A & B=C+é");
    }
}
