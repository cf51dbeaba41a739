//! A retry schedule as people write it: the waits before each retry, `5s, 5m, 30m, 2h`. The first attempt goes without saying.

const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// One attempt of a schedule, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// From 1.
    pub(crate) number: usize,
    /// How long after the failure before it.
    pub(crate) wait: String,
    /// How long after the event, in at most two units, when no attempt takes any time.
    pub(crate) after: String,
}

/// The waits of a schedule as one line.
pub(crate) fn line(steps: &[u64]) -> String {
    let waits: Vec<_> = steps.iter().skip(1).map(|seconds| wait(*seconds)).collect();
    waits.join(", ")
}

/// The steps of a schedule from a line, or from lines with one wait each.
///
/// # Errors
/// What cannot be read, in words.
pub(crate) fn steps(text: &str) -> Result<Vec<u64>, String> {
    let waits = text.split([',', ';', '\n']).map(str::trim).filter(|wait| !wait.is_empty());
    std::iter::once(Ok(0)).chain(waits.map(seconds)).collect()
}

/// When each attempt happens.
pub(crate) fn told(steps: &[u64]) -> Vec<Step> {
    let mut total = 0_u64;
    let told = steps.iter().enumerate().map(|(place, seconds)| {
        total = total.saturating_add(*seconds);
        Step {
            number: place + 1,
            wait: wait(*seconds),
            after: parts(total).into_iter().take(2).collect::<Vec<_>>().join(" "),
        }
    });
    told.collect()
}

/// Seconds in the fewest units that say them exactly: `1h 30m`.
fn wait(seconds: u64) -> String {
    parts(seconds).join(" ")
}

fn parts(seconds: u64) -> Vec<String> {
    let mut left = seconds;
    let mut parts = Vec::new();
    for (unit, length) in UNITS {
        if left >= length {
            parts.push(format!("{}{unit}", left / length));
            left %= length;
        }
    }
    if parts.is_empty() {
        parts.push("0s".to_owned());
    }
    parts
}

/// `90`, `90s`, `5 m`, `1h30m`, `2 hours`.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is not a time: write 5s, 30m, 2h or 1d, with commas between");
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|letter: char| !letter.is_alphabetic()).unwrap_or(rest.len());
        let length = unit(&rest[..letters]).ok_or_else(wrong)?;
        rest = rest[letters..].trim_start();
        let part = number.checked_mul(length).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
    }
    Ok(total)
}

fn unit(word: &str) -> Option<u64> {
    Some(match word.to_lowercase().as_str() {
        "" | "s" | "sec" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_survives_being_written_and_read() {
        let schedule = [0, 5, 300, 1_800, 5_400, 86_400, 90_061];
        assert_eq!(line(&schedule), "5s, 5m, 30m, 1h 30m, 1d, 1d 1h 1m 1s");
        assert_eq!(steps(&line(&schedule)).unwrap(), schedule);
        assert_eq!((steps("").unwrap(), line(&[0])), (vec![0], String::new()));
    }

    #[test]
    fn it_is_read_as_people_write_it_and_said_when_it_cannot_be() {
        assert_eq!(steps("5 s\n\n5 min, 2 hours;90").unwrap(), [0, 5, 300, 7_200, 90]);
        for wrong in ["soon", "5x", "-1s", "1.5h", "99999999999999999999d", "9999999999999999999d"] {
            assert!(
                steps(wrong).unwrap_err().starts_with(&format!("'{wrong}' is not a time")),
                "{wrong}"
            );
        }
    }

    #[test]
    fn attempts_are_told_with_their_wait_and_their_time_after_the_event() {
        let told = told(&[0, 5, 300, 86_400]);
        let told: Vec<_> = told
            .iter()
            .map(|step| (step.number, step.wait.as_str(), step.after.as_str()))
            .collect();
        assert_eq!(told, [(1, "0s", "0s"), (2, "5s", "5s"), (3, "5m", "5m 5s"), (4, "1d", "1d 5m")]);
    }
}
