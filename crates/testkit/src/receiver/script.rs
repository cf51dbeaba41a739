//! Which behaviour meets which request.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;

use super::Behaviour;

/// By path first, then by queue, then what always holds.
pub(super) struct Script(Mutex<Lines>);

struct Lines {
    by_path: HashMap<String, Behaviour>,
    queue: VecDeque<Behaviour>,
    always: Behaviour,
}

impl Default for Script {
    fn default() -> Self {
        Self(Mutex::new(Lines {
            by_path: HashMap::new(),
            queue: VecDeque::new(),
            always: Behaviour::status(200),
        }))
    }
}

impl Script {
    pub(super) fn always(&self, behaviour: Behaviour) {
        self.0.lock().always = behaviour;
    }

    pub(super) fn at(&self, path: &str, behaviour: Behaviour) {
        self.0.lock().by_path.insert(path.to_owned(), behaviour);
    }

    pub(super) fn next(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.0.lock().queue.extend(behaviours);
    }

    /// What is done with a request for that path; takes its place in the queue.
    pub(super) fn take(&self, path: &str) -> Behaviour {
        let mut lines = self.0.lock();
        if let Some(behaviour) = lines.by_path.get(path) {
            return behaviour.clone();
        }
        lines.queue.pop_front().unwrap_or_else(|| lines.always.clone())
    }

    /// True when every request ends its connection, whatever its path.
    pub(super) fn always_goes_away(&self) -> bool {
        matches!(self.0.lock().always, Behaviour::GoAway)
    }
}
