//! What lists are narrowed to, as addresses say it: an empty text is no wish, and one that cannot be read is told rather than ignored.

use std::fmt::Display;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use tidings_app::{FieldProblem, Problem};
use tidings_model::Timestamp;

/// Reads the wishes of one address and gathers what cannot be read.
#[derive(Default)]
pub(crate) struct Wishes(Vec<FieldProblem>);

impl Wishes {
    /// A wish that reads itself.
    pub(crate) fn read<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => self.unreadable(field, &error),
        }
    }

    /// A time in UTC, as browsers write it without a zone, or with one.
    pub(crate) fn time(&mut self, field: &str, text: &str) -> Option<Timestamp> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let local = || text.parse::<DateTime>().and_then(|local| Offset::UTC.to_timestamp(local));
        match text.parse::<Timestamp>() {
            Ok(at) => Some(at),
            Err(_) => match local() {
                Ok(at) => Some(Timestamp::from_millis(at.as_millisecond())),
                Err(_) => self.unreadable(field, &format_args!("'{text}' is not a time; write it as 2026-01-31T12:00")),
            },
        }
    }

    /// Where a page of a list begins.
    pub(crate) fn before<T: FromStr>(&mut self, text: &str) -> Option<T> {
        if text.is_empty() {
            return None;
        }
        let unreadable = || self.unreadable("before", &format_args!("'{text}' is nowhere in this list"));
        text.parse().ok().or_else(unreadable)
    }

    /// What could not be read, if anything.
    pub(crate) fn end(self) -> Result<(), Problem> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Problem::fields(self.0))
    }

    fn unreadable<T>(&mut self, field: &str, message: &dyn Display) -> Option<T> {
        self.0.push(FieldProblem {
            field: field.to_owned(),
            message: message.to_string(),
        });
        None
    }
}

/// A time as a browser's field takes it, which knows no zone: in UTC. Nothing of what is no time.
pub(crate) fn field(text: &str) -> String {
    let text = text.trim();
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => Offset::UTC.to_datetime(at).to_string(),
        Err(_) if text.parse::<DateTime>().is_ok() => text.to_owned(),
        Err(_) => String::new(),
    }
}

/// What people call a field that an address names.
pub(crate) fn label(field: &str) -> &str {
    match field {
        "status" | "state" => "Status",
        "eventKey" => "Event",
        "webhook" => "Webhook",
        "event" => "Event id",
        "tenant" => "Tenant",
        "from" => "From",
        "until" => "Until",
        "environment" => "Where",
        "before" => "Page",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use tidings_model::EventId;

    use super::*;

    #[test]
    fn times_are_utc_whether_they_say_so_or_not() {
        let mut wishes = Wishes::default();
        let noon = Some(Timestamp::from_seconds(1_769_860_800));
        for text in [
            "2026-01-31T12:00",
            "2026-01-31T12:00:00",
            "2026-01-31T12:00:00Z",
            " 2026-01-31T13:00:00+01:00 ",
        ] {
            assert_eq!(wishes.time("from", text), noon, "{text}");
        }
        assert_eq!(wishes.time("from", ""), None);
        assert!(wishes.end().is_ok());
    }

    #[test]
    fn a_field_shows_the_time_that_is_looked_for() {
        assert_eq!(field("2026-01-31T12:00"), "2026-01-31T12:00");
        assert_eq!(field("2026-01-31T13:00:00+01:00"), "2026-01-31T12:00:00");
        assert_eq!(field("soon"), "");
    }

    #[test]
    fn what_cannot_be_read_is_told_at_its_field() {
        let mut wishes = Wishes::default();
        assert_eq!(wishes.time("until", "soon"), None);
        assert_eq!(wishes.read::<EventId>("event", "evt_1"), None);
        assert_eq!(wishes.before::<EventId>("evt_2"), None);
        let problem = wishes.end().unwrap_err();
        let fields: Vec<_> = problem.fields.iter().map(|field| field.field.as_str()).collect();
        assert_eq!(fields, ["until", "event", "before"]);
    }
}
