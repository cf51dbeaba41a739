//! What the world knows of what it asked for: an account of its own, of webhooks as they may be and of events as they were answered.

use std::collections::BTreeMap;

use tidings_model::subscription::Subscription;
use tidings_model::{EnvironmentId, EventKey, Settings};

/// How long what another has changed may not show yet: nodes look with every beat, a second apart, and what they began before arrives within the 17 seconds
/// of an attempt.
pub(crate) const HEARD_MS: i64 = 20_000;
/// The same where looking may fail many times on end.
pub(crate) const HEARD_LATE_MS: i64 = 1_800_000;
/// The secret with which every webhook is made.
pub(crate) const FIRST_SECRET: &str = "correct-horse";

/// One way in which a webhook may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Whether it is there.
    pub(crate) exists: bool,
    /// Whether it is on, as far as its owner decides.
    pub(crate) on: bool,
    /// Its event keys.
    pub(crate) keys: Vec<String>,
}

/// What was asked to be done to a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It is made with those event keys.
    Made(Vec<String>),
    /// It gets other event keys.
    Rekeyed(Vec<String>),
    /// It is switched on or off.
    Switched(bool),
    /// It gets another secret, and the one before goes on signing for so many seconds.
    Rotated(String, u32),
    /// It is deleted.
    Deleted,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// No answer has come; perhaps none ever will.
    Open,
    /// It was answered as done, at that number and the world's millisecond.
    Done(u64, i64),
    /// It was refused: nothing was done.
    Refused(u64),
    /// It was answered in a way that leaves open whether it was done.
    Unknown(u64),
}

/// A deed with its beginning and its end.
#[derive(Clone, Debug)]
pub(crate) struct Chapter {
    /// The node that was asked.
    pub(crate) node: usize,
    /// The number of its request.
    pub(crate) asked: u64,
    /// How it ended.
    pub(crate) end: End,
    /// What was asked.
    pub(crate) deed: Deed,
}

/// A webhook, known by its URL.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    /// Which nobody else has.
    pub(crate) url: String,
    /// Where it is.
    pub(crate) environment: EnvironmentId,
    /// Whose it is.
    pub(crate) tenant: Option<String>,
    /// Known once its making was answered.
    pub(crate) id: Option<String>,
    /// What was done to it, one after the other.
    pub(crate) story: Vec<Chapter>,
}

impl Hook {
    /// True while something is being done to it: nothing else is begun, so that its story has an order.
    pub(crate) fn is_busy(&self) -> bool {
        self.story.last().is_some_and(|last| last.end == End::Open)
    }

    /// Every way in which it may have been while something happened between two numbers.
    pub(crate) fn shapes(&self, from: u64, until: u64) -> Vec<Shape> {
        let mut shapes = vec![Shape {
            exists: false,
            on: false,
            keys: Vec::new(),
        }];
        for chapter in self.story.iter().filter(|chapter| chapter.asked < until) {
            let after: Vec<_> = shapes.iter().cloned().map(|shape| apply(shape, &chapter.deed)).collect();
            match chapter.end {
                End::Refused(_) => {}
                End::Done(answered, _) if answered < from => shapes = after,
                End::Done(..) | End::Unknown(_) | End::Open => {
                    for shape in after {
                        if !shapes.contains(&shape) {
                            shapes.push(shape);
                        }
                    }
                }
            }
        }
        shapes
    }
}

fn apply(shape: Shape, deed: &Deed) -> Shape {
    match deed {
        Deed::Made(keys) => Shape {
            exists: true,
            on: true,
            keys: keys.clone(),
        },
        Deed::Rekeyed(keys) => Shape {
            keys: keys.clone(),
            ..shape
        },
        Deed::Switched(on) => Shape { on: *on, ..shape },
        Deed::Rotated(..) => shape,
        Deed::Deleted => Shape { exists: false, ..shape },
    }
}

impl Shape {
    /// Whether an event of that key and category belongs to it, on or off.
    pub(crate) fn wants(&self, key: &EventKey, category: &str) -> bool {
        let subscription = Subscription::parse(self.keys.iter().map(String::as_str));
        self.exists && subscription.is_ok_and(|subscription| subscription.wants(key, category))
    }
}

/// A change of an environment's settings.
#[derive(Clone, Debug)]
pub(crate) struct Tuning {
    /// The node that was asked.
    pub(crate) node: usize,
    /// When, in the world's milliseconds.
    pub(crate) asked_ms: i64,
    /// How it ended.
    pub(crate) end: End,
    /// What they are to be.
    pub(crate) settings: Settings,
}

/// An environment as its operator knows it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its id.
    pub(crate) id: EnvironmentId,
    /// When its making was answered, in the world's milliseconds.
    pub(crate) made_ms: i64,
    /// With what it was made.
    pub(crate) first: Settings,
    /// How its settings were changed, one change after the other.
    pub(crate) story: Vec<Tuning>,
    /// When its deletion was asked for, and how that ended, with the node.
    pub(crate) deleted: Option<(usize, End)>,
}

impl Place {
    /// True while something is being done to it.
    pub(crate) fn is_busy(&self) -> bool {
        self.story.last().is_some_and(|last| last.end == End::Open) || self.deleted.is_some_and(|(_, end)| end == End::Open)
    }

    /// Whether it is there for certain: nobody has tried to delete it, or was refused.
    pub(crate) fn stands(&self) -> bool {
        self.deleted.is_none_or(|(_, end)| matches!(end, End::Refused(_)))
    }

    /// Every way in which its settings may have been for somebody at some time between two, in the world's milliseconds, where a change is heard of
    /// within so many.
    pub(crate) fn settings(&self, from_ms: i64, until_ms: i64, heard_ms: i64) -> Vec<&Settings> {
        let mut possible = vec![&self.first];
        for change in self.story.iter().filter(|change| change.asked_ms <= until_ms) {
            match change.end {
                End::Refused(_) => {}
                End::Done(_, done_ms) if done_ms + heard_ms < from_ms => possible = vec![&change.settings],
                End::Done(..) | End::Unknown(_) | End::Open => possible.push(&change.settings),
            }
        }
        possible
    }
}

/// An event as its producer knows it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// The node that was asked.
    pub(crate) node: usize,
    /// The number of its request.
    pub(crate) asked: u64,
    /// How that ended.
    pub(crate) end: End,
    /// Where.
    pub(crate) environment: EnvironmentId,
    /// Its key.
    pub(crate) key: &'static str,
    /// Its tenant.
    pub(crate) tenant: Option<String>,
    /// Its idempotency key, with what it was used for.
    pub(crate) idempotency: Option<(String, u64)>,
    /// Its id, once it was accepted.
    pub(crate) id: Option<String>,
    /// How many deliveries the answer promised.
    pub(crate) deliveries: Option<u64>,
}

/// Everything that was asked for.
#[derive(Default)]
pub(crate) struct Model {
    /// By their number.
    pub(crate) places: Vec<Place>,
    /// By their number.
    pub(crate) hooks: Vec<Hook>,
    /// By their number.
    pub(crate) sent: Vec<Sent>,
    /// Deliveries that a resend was answered with, and their environment.
    pub(crate) resent: BTreeMap<String, EnvironmentId>,
    /// Within how many milliseconds every node hears of a change.
    pub(crate) heard_ms: i64,
    /// What cannot be right, found while it happened.
    pub(crate) broken: Vec<String>,
}

impl Model {
    /// The environment of that id, as its operator knows it.
    pub(crate) fn place(&self, id: EnvironmentId) -> Option<&Place> {
        self.places.iter().find(|place| place.id == id)
    }

    /// Whether that environment is there for certain.
    pub(crate) fn stands(&self, id: EnvironmentId) -> bool {
        self.place(id).is_some_and(Place::stands)
    }

    /// A node crashed at that number: nobody gets an answer any more who waited for one.
    pub(crate) fn crashed(&mut self, node: usize, at: u64) {
        let close = |of: usize, end: &mut End| {
            if of == node && *end == End::Open {
                *end = End::Unknown(at);
            }
        };
        self.sent.iter_mut().for_each(|sent| close(sent.node, &mut sent.end));
        let chapters = self.hooks.iter_mut().flat_map(|hook| &mut hook.story);
        chapters.for_each(|chapter| close(chapter.node, &mut chapter.end));
        for place in &mut self.places {
            place.story.iter_mut().for_each(|change| close(change.node, &mut change.end));
            if let Some((of, end)) = &mut place.deleted {
                close(*of, end);
            }
        }
    }
}
