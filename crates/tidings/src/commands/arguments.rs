//! Arguments that several commands take, and the texts that become them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use serde_json::value::RawValue;
use tidings_client::{PageRequest, Secret};

use crate::failure::CommandError;

/// Which part of a list.
#[derive(Args, Clone, Debug)]
pub(super) struct PageArgs {
    /// Rows, 1 to 200.
    #[arg(long, value_name = "ROWS")]
    limit: Option<u32>,
    /// Go on where the page before ended.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl PageArgs {
    pub(super) fn request(self) -> PageRequest {
        PageRequest {
            limit: self.limit,
            cursor: self.cursor,
        }
    }
}

/// A text that is given, or is in a file (`@FILE`), or comes from standard input (`-`).
#[derive(Clone, PartialEq, Eq)]
pub(super) enum TextArg {
    Given(String),
    File(PathBuf),
    Stdin,
}

impl FromStr for TextArg {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.strip_prefix('@') {
            Some(path) => Self::File(PathBuf::from(path)),
            None if text == "-" => Self::Stdin,
            None => Self::Given(text.to_owned()),
        })
    }
}

/// It may be a secret.
impl fmt::Debug for TextArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TextArg(…)")
    }
}

impl TextArg {
    /// The text, read from wherever it is.
    pub(super) fn read(self) -> Result<String, CommandError> {
        let (path, read) = match self {
            Self::Given(text) => return Ok(text),
            Self::File(path) => {
                let read = std::fs::read_to_string(&path);
                (path, read)
            }
            Self::Stdin => {
                let mut text = String::new();
                let read = std::io::stdin().lock().read_to_string(&mut text).map(|_| text);
                (PathBuf::from("-"), read)
            }
        };
        read.map_err(|source| CommandError::Input { path, source })
    }

    /// The text as a secret: the line break that ends a file is not part of it.
    pub(super) fn secret(self) -> Result<Secret, CommandError> {
        self.read().map(|text| Secret::new(text.trim_end_matches(['\n', '\r'])))
    }

    /// The text as JSON, kept as it is. What kind of JSON it has to be is the server's to say.
    pub(super) fn json(self, flag: &str) -> Result<Box<RawValue>, CommandError> {
        let text = self.read()?;
        serde_json::from_str(&text).map_err(|error| CommandError::Usage(format!("{flag} is not JSON: {error}")))
    }
}

/// A header of a webhook: `Name: value`.
#[derive(Clone)]
pub(super) struct HeaderArg {
    name: String,
    value: Secret,
}

impl FromStr for HeaderArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once(':').ok_or("write it as 'Name: value'")?;
        Ok(Self {
            name: name.trim().to_owned(),
            value: Secret::new(value.trim()),
        })
    }
}

/// Headers by their names; the last of a name holds.
pub(super) fn headers(given: Vec<HeaderArg>) -> BTreeMap<String, Secret> {
    given.into_iter().map(|header| (header.name, header.value)).collect()
}

/// A length of time in seconds: `90`, `90s`, `30m`, `2h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) u64);

impl FromStr for Seconds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "write a number of seconds, or one with a unit: 90s, 30m, 2h, 7d";
        let (number, unit) = match text.char_indices().next_back() {
            Some((at, 's')) => (&text[..at], 1),
            Some((at, 'm')) => (&text[..at], 60),
            Some((at, 'h')) => (&text[..at], 3_600),
            Some((at, 'd')) => (&text[..at], 24 * 3_600),
            _ => (text, 1),
        };
        let number: u64 = number.parse().map_err(|_| WRONG)?;
        number.checked_mul(unit).map(Self).ok_or(WRONG)
    }
}

/// The waits before each attempt, with commas between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule(pub(super) Vec<u64>);

impl FromStr for Schedule {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let steps = text.split(',').map(|step| step.trim().parse::<Seconds>().map(|seconds| seconds.0));
        steps.collect::<Result<_, _>>().map(Self)
    }
}

/// A number of seconds as people write it.
pub(super) fn seconds_in_words(seconds: u64) -> String {
    let units = [(24 * 3_600, "d"), (3_600, "h"), (60, "m")];
    let fitting = units
        .into_iter()
        .find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    fitting.map_or_else(|| format!("{seconds}s"), |(unit, name)| format!("{}{name}", seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_given_or_lies_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "correct-horse\n").unwrap();
        let argument: TextArg = format!("@{}", file.display()).parse().unwrap();
        assert_eq!(argument.secret().unwrap().expose(), "correct-horse");
        assert_eq!("plain".parse::<TextArg>().unwrap().read().unwrap(), "plain");
        assert_eq!("-".parse(), Ok(TextArg::Stdin));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = "@/nowhere/payload.json".parse::<TextArg>().unwrap().read().unwrap_err();
        assert!(error.to_string().starts_with("cannot read /nowhere/payload.json: "), "{error}");
    }

    #[test]
    fn json_is_kept_as_it_is_written() {
        let json = |text: &str| text.parse::<TextArg>().unwrap().json("--payload");
        assert_eq!(json(r#" {"b": 1.0,  "a":1e2} "#).unwrap().get(), r#"{"b": 1.0,  "a":1e2}"#);
        let error = json("{'a':1}").unwrap_err().to_string();
        assert!(error.starts_with("--payload is not JSON: "), "{error}");
    }

    #[test]
    fn lengths_of_time_have_units() {
        let seconds = |text: &str| text.parse::<Seconds>().map(|seconds| seconds.0);
        assert_eq!(
            [seconds("90"), seconds("90s"), seconds("30m"), seconds("2h"), seconds("7d")],
            [Ok(90), Ok(90), Ok(1_800), Ok(7_200), Ok(604_800)]
        );
        for text in ["", "m", "-1", "1w", "99999999999999999d", "ü"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_schedule_is_read_and_shown_alike() {
        let schedule: Schedule = "5s, 5m,2h,1d".parse().unwrap();
        assert_eq!(schedule.0, [5, 300, 7_200, 86_400]);
        assert_eq!(
            schedule.0.into_iter().map(seconds_in_words).collect::<Vec<_>>(),
            ["5s", "5m", "2h", "1d"]
        );
        assert!("5s,,5m".parse::<Schedule>().is_err());
        assert_eq!((seconds_in_words(90), seconds_in_words(0)), ("90s".to_owned(), "0s".to_owned()));
    }

    #[test]
    fn a_header_has_a_name_and_a_value() {
        let header: HeaderArg = "Authorization: Bearer a:b".parse().unwrap();
        assert_eq!((header.name.as_str(), header.value.expose()), ("Authorization", "Bearer a:b"));
        assert!("Authorization".parse::<HeaderArg>().is_err());
    }
}
