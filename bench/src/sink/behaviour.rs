//! What a path asks of the sink.

use std::time::Duration;

use http::StatusCode;

/// What the sink does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// Answers at once.
    Answer(StatusCode),
    /// Answers 200 after a while.
    Delay(Duration),
    /// Never answers.
    Hang,
}

impl Behaviour {
    /// By the first segments of a path; those after them only name the webhook.
    pub(super) fn of(path: &str) -> Option<Self> {
        let mut segments = path.strip_prefix('/')?.split('/');
        match segments.next()? {
            "ok" => Some(Self::Answer(StatusCode::OK)),
            "delay" => segments.next()?.parse().ok().map(Duration::from_millis).map(Self::Delay),
            "status" => segments.next()?.parse().ok().map(Self::Answer),
            "hang" => Some(Self::Hang),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_segments_say_what_to_do_and_the_rest_is_a_name() {
        assert_eq!(Behaviour::of("/ok"), Some(Behaviour::Answer(StatusCode::OK)));
        assert_eq!(Behaviour::of("/ok/webhook/7"), Some(Behaviour::Answer(StatusCode::OK)));
        assert_eq!(Behaviour::of("/delay/250/w"), Some(Behaviour::Delay(Duration::from_millis(250))));
        assert_eq!(
            Behaviour::of("/status/503/w"),
            Some(Behaviour::Answer(StatusCode::SERVICE_UNAVAILABLE))
        );
        assert_eq!(Behaviour::of("/hang/w"), Some(Behaviour::Hang));
    }

    #[test]
    fn other_paths_ask_for_nothing() {
        for path in ["/", "/okay", "/delay", "/delay/soon", "/status/1", "/status", "/figures", ""] {
            assert_eq!(Behaviour::of(path), None, "{path}");
        }
    }
}
