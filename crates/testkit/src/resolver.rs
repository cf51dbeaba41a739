//! Names that resolve to what a test says.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use parking_lot::Mutex;

/// Answers for names from a list. A name that is not on it does not exist.
#[derive(Debug, Default)]
pub struct FixedResolver {
    answers: Mutex<HashMap<String, Answers>>,
}

#[derive(Debug, Default)]
struct Answers {
    queue: VecDeque<Answer>,
    asked: usize,
}

#[derive(Clone, Debug)]
enum Answer {
    Addresses(Vec<IpAddr>),
    Never,
}

impl FixedResolver {
    /// No name exists.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the answer to the next question for that name; the last one added holds for all questions after it.
    pub fn answer(&self, name: &str, addresses: &[&str]) -> &Self {
        let addresses = addresses
            .iter()
            .map(|text| text.parse().expect("the test gives addresses"))
            .collect();
        self.add(name, Answer::Addresses(addresses))
    }

    /// Lets questions for that name wait for ever.
    pub fn hang(&self, name: &str) -> &Self {
        self.add(name, Answer::Never)
    }

    /// How often the name was asked for.
    pub fn asked(&self, name: &str) -> usize {
        self.answers.lock().get(name).map_or(0, |answers| answers.asked)
    }

    /// Asks: what a resolver of the program under test would do.
    pub async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        match self.next(name) {
            Some(Answer::Addresses(addresses)) => Ok(addresses),
            Some(Answer::Never) => std::future::pending().await,
            None => Err("there is no such name".to_owned()),
        }
    }

    fn add(&self, name: &str, answer: Answer) -> &Self {
        self.answers.lock().entry(name.to_owned()).or_default().queue.push_back(answer);
        self
    }

    fn next(&self, name: &str) -> Option<Answer> {
        let mut all = self.answers.lock();
        let answers = all.get_mut(name)?;
        answers.asked += 1;
        if answers.queue.len() > 1 {
            answers.queue.pop_front()
        } else {
            answers.queue.front().cloned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_come_in_turn_and_the_last_one_stays() {
        let resolver = FixedResolver::new();
        resolver.answer("host.test", &["192.0.2.1"]).answer("host.test", &["127.0.0.1"]);
        for expected in ["192.0.2.1", "127.0.0.1", "127.0.0.1"] {
            assert_eq!(resolver.resolve("host.test").await.unwrap(), [expected.parse::<IpAddr>().unwrap()]);
        }
        assert_eq!(resolver.asked("host.test"), 3);
        assert!(resolver.resolve("other.test").await.is_err());
    }
}
