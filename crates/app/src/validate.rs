//! Rules of texts that people give to things, in one place and in the same words everywhere.

use tidings_model::limits::{DESCRIPTION_CHARS_MAX, NAME_CHARS_MAX};

use crate::problem::{FieldProblem, Problem};

/// Longest email address.
const EMAIL_CHARS_MAX: usize = 254;

/// Collects what is wrong with the fields of a request, so that the caller hears of all of it at once.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<FieldProblem>);

impl Faults {
    /// Notes what is wrong with a field, and gives back the value when nothing is.
    pub(crate) fn check<T, E: std::fmt::Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(field, error.to_string())).ok()
    }

    pub(crate) fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldProblem {
            field: field.to_owned(),
            message: message.into(),
        });
    }

    pub(crate) fn into_result(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::fields(self.0)) }
    }
}

/// Characters that are not seen and make a text look like another: what turns the direction of writing, and what takes no room. Those that join
/// letters are part of some scripts.
fn misleads(letter: char) -> bool {
    matches!(letter, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A name: not empty, one line, not too long. Comes back without white space at its ends.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("has to be given".to_owned());
    }
    if text.chars().count() > NAME_CHARS_MAX {
        return Err(format!("has at most {NAME_CHARS_MAX} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("cannot contain control characters".to_owned());
    }
    if text.chars().any(misleads) {
        return Err("cannot contain invisible characters".to_owned());
    }
    Ok(text.to_owned())
}

/// A description: may be empty and have lines, not too long.
pub(crate) fn description(text: &str) -> Result<String, String> {
    if text.chars().count() > DESCRIPTION_CHARS_MAX {
        return Err(format!("has at most {DESCRIPTION_CHARS_MAX} characters"));
    }
    if text
        .chars()
        .any(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t'))
    {
        return Err("cannot contain control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// An email address as people are known by: lower case, without white space at its ends. Whether it can be written to is not asked.
pub(crate) fn email(text: &str) -> Result<String, String> {
    let text = text.trim().to_lowercase();
    if text.chars().count() > EMAIL_CHARS_MAX {
        return Err(format!("has at most {EMAIL_CHARS_MAX} characters"));
    }
    let parts = text.split_once('@').is_some_and(|(who, host)| !who.is_empty() && !host.is_empty());
    if !parts
        || text
            .chars()
            .any(|letter| letter.is_whitespace() || letter.is_control() || misleads(letter))
    {
        return Err("is not an email address".to_owned());
    }
    Ok(text)
}
