//! Which webhooks an event matches: a pure lookup by key, never a scan over webhooks.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::{CATEGORY_CHARS_MAX, PATTERNS_PER_WEBHOOK_MAX};
use crate::{EventKey, EventKeyError, TenantId, WebhookId};

/// One entry of a webhook's event keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EventPattern {
    /// `*`: every event.
    All,
    /// `<Category>.*`: every event of that category.
    Category(String),
    /// One event.
    Key(EventKey),
}

impl EventPattern {
    /// Reads a pattern as people and Frontegg's interfaces write it. Whether its key or category exists is the catalogue's to say.
    pub fn parse(text: &str) -> Result<Self, EventKeyError> {
        if text == "*" {
            return Ok(Self::All);
        }
        match text.strip_suffix(".*") {
            Some(category) if !category.is_empty() && category.chars().count() <= CATEGORY_CHARS_MAX && !category.contains('*') => {
                Ok(Self::Category(category.to_owned()))
            }
            _ => text.parse().map(Self::Key),
        }
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Category(name) => write!(f, "{name}.*"),
            Self::Key(key) => f.write_str(key.as_str()),
        }
    }
}

/// The events that a webhook wants: patterns without repetition, in the order given.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Subscription(Vec<EventPattern>);

/// A list of patterns cannot be a subscription.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SubscriptionError {
    /// More than [`PATTERNS_PER_WEBHOOK_MAX`].
    #[error("a webhook has at most {PATTERNS_PER_WEBHOOK_MAX} event keys")]
    TooMany,
    /// One of them cannot be read.
    #[error(transparent)]
    Pattern(#[from] EventKeyError),
}

impl Subscription {
    /// From patterns; repetitions are dropped.
    pub fn new(patterns: impl IntoIterator<Item = EventPattern>) -> Result<Self, SubscriptionError> {
        let mut seen = BTreeSet::new();
        let kept: Vec<_> = patterns.into_iter().filter(|pattern| seen.insert(pattern.clone())).collect();
        if kept.len() > PATTERNS_PER_WEBHOOK_MAX {
            return Err(SubscriptionError::TooMany);
        }
        Ok(Self(kept))
    }

    /// From texts.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, SubscriptionError> {
        let patterns: Result<Vec<_>, _> = texts.into_iter().map(EventPattern::parse).collect();
        Self::new(patterns?)
    }

    /// The patterns.
    pub fn patterns(&self) -> &[EventPattern] {
        &self.0
    }

    /// The patterns as text.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// Whether an event of that key and category is wanted.
    pub fn wants(&self, key: &EventKey, category: &str) -> bool {
        self.0.iter().any(|pattern| match pattern {
            EventPattern::All => true,
            EventPattern::Category(name) => name == category,
            EventPattern::Key(wanted) => wanted == key,
        })
    }
}

impl TryFrom<Vec<String>> for Subscription {
    type Error = SubscriptionError;

    fn try_from(texts: Vec<String>) -> Result<Self, SubscriptionError> {
        Self::parse(texts.iter().map(String::as_str))
    }
}

impl From<Subscription> for Vec<String> {
    fn from(subscription: Subscription) -> Self {
        subscription.texts()
    }
}

/// Webhooks of one pattern, split by whose events they see, so that one tenant's webhooks cost another nothing.
#[derive(Clone, Debug, Default)]
struct Audience {
    all_tenants: Vec<WebhookId>,
    by_tenant: HashMap<TenantId, Vec<WebhookId>>,
}

impl Audience {
    fn collect(&self, tenant: Option<&TenantId>, into: &mut Vec<WebhookId>) {
        into.extend_from_slice(&self.all_tenants);
        if let Some(own) = tenant.and_then(|tenant| self.by_tenant.get(tenant)) {
            into.extend_from_slice(own);
        }
    }

    fn collect_all(&self, into: &mut Vec<WebhookId>) {
        into.extend(self.all_tenants.iter().chain(self.by_tenant.values().flatten()));
    }

    fn len(&self) -> usize {
        self.all_tenants.len() + self.by_tenant.values().map(Vec::len).sum::<usize>()
    }

    fn add(&mut self, webhook: WebhookId, tenant: Option<&TenantId>) {
        match tenant {
            None => self.all_tenants.push(webhook),
            Some(tenant) => self.by_tenant.entry(tenant.clone()).or_default().push(webhook),
        }
    }

    fn remove(&mut self, webhook: WebhookId, tenant: Option<&TenantId>) {
        let Some(tenant) = tenant else {
            return self.all_tenants.retain(|other| *other != webhook);
        };
        if let Some(own) = self.by_tenant.get_mut(tenant) {
            own.retain(|other| *other != webhook);
            if own.is_empty() {
                self.by_tenant.remove(tenant);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.all_tenants.is_empty() && self.by_tenant.is_empty()
    }
}

/// The subscriptions of one environment, indexed for matching. A copy shares what is not changed afterwards.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionIndex {
    every: Arc<Audience>,
    by_category: HashMap<String, Arc<Audience>>,
    by_key: HashMap<EventKey, Arc<Audience>>,
}

impl SubscriptionIndex {
    /// Adds a webhook's subscription.
    pub fn add(&mut self, webhook: WebhookId, tenant: Option<&TenantId>, subscription: &Subscription) {
        if subscription.patterns().contains(&EventPattern::All) {
            return Arc::make_mut(&mut self.every).add(webhook, tenant);
        }
        for pattern in subscription.patterns() {
            let audience = match pattern {
                EventPattern::All => continue,
                EventPattern::Category(name) => self.by_category.entry(name.clone()).or_default(),
                EventPattern::Key(key) => self.by_key.entry(key.clone()).or_default(),
            };
            Arc::make_mut(audience).add(webhook, tenant);
        }
    }

    /// Removes a webhook's subscription: the one that it was added with.
    pub fn remove(&mut self, webhook: WebhookId, tenant: Option<&TenantId>, subscription: &Subscription) {
        if subscription.patterns().contains(&EventPattern::All) {
            return Arc::make_mut(&mut self.every).remove(webhook, tenant);
        }
        for pattern in subscription.patterns() {
            match pattern {
                EventPattern::All => {}
                EventPattern::Category(name) => remove_from(&mut self.by_category, name, webhook, tenant),
                EventPattern::Key(key) => remove_from(&mut self.by_key, key, webhook, tenant),
            }
        }
    }

    /// The webhooks that an event goes to, each once, in the order of their ids.
    pub fn matching(&self, key: &EventKey, category: &str, tenant: Option<&TenantId>) -> Vec<WebhookId> {
        let mut found = Vec::new();
        self.every.collect(tenant, &mut found);
        if let Some(audience) = self.by_category.get(category) {
            audience.collect(tenant, &mut found);
        }
        if let Some(audience) = self.by_key.get(key) {
            audience.collect(tenant, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// How many webhooks, of whichever tenant, are subscribed to an event.
    pub fn count(&self, key: &EventKey, category: &str) -> usize {
        let mut found = Vec::new();
        for audience in [self.by_category.get(category), self.by_key.get(key)].into_iter().flatten() {
            audience.collect_all(&mut found);
        }
        found.sort_unstable();
        found.dedup();
        self.every.len() + found.len() // who wants everything is in no other list
    }
}

/// Removes a webhook from one of the audiences, which is forgotten when nobody is left in it.
fn remove_from<K: Eq + Hash>(audiences: &mut HashMap<K, Arc<Audience>>, key: &K, webhook: WebhookId, tenant: Option<&TenantId>) {
    let Some(audience) = audiences.get_mut(key) else {
        return;
    };
    let audience = Arc::make_mut(audience);
    audience.remove(webhook, tenant);
    if audience.is_empty() {
        audiences.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Timestamp;

    const KEYS: [(&str, &str); 4] = [("a.one", "A"), ("a.two", "A"), ("b.one", "B"), ("c", "C")];

    fn webhook(number: u16) -> WebhookId {
        WebhookId::new(Timestamp::from_millis(1), number)
    }

    fn tenant(number: u8) -> Option<TenantId> {
        (number > 0).then(|| format!("t{number}").parse().unwrap())
    }

    fn pattern() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["*", "A.*", "B.*", "a.one", "a.two", "b.one", "c"])
    }

    proptest! {
        #[test]
        fn the_index_agrees_with_asking_every_webhook(
            webhooks in prop::collection::vec((prop::collection::vec(pattern(), 0..4), 0_u8..3, any::<bool>()), 0..12),
        ) {
            let mut index = SubscriptionIndex::default();
            let all: Vec<_> = webhooks.iter().enumerate().map(|(number, (patterns, own, _))| {
                let subscription = Subscription::parse(patterns.iter().copied()).unwrap();
                (webhook(u16::try_from(number).unwrap()), tenant(*own), subscription)
            }).collect();
            for (id, own, subscription) in &all {
                index.add(*id, own.as_ref(), subscription);
            }
            let before = index.clone();
            let mut stay = webhooks.iter().map(|(.., stays)| *stays);
            let (staying, leaving): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|_| stay.next().unwrap());
            for (id, own, subscription) in &leaving {
                index.remove(*id, own.as_ref(), subscription);
            }
            agrees(&before, &all)?;
            agrees(&index, &staying)?;
        }
    }

    fn agrees(index: &SubscriptionIndex, all: &[(WebhookId, Option<TenantId>, Subscription)]) -> Result<(), TestCaseError> {
        for (key, category) in KEYS {
            let key: EventKey = key.parse().unwrap();
            let subscribed = all.iter().filter(|(.., subscription)| subscription.wants(&key, category)).count();
            prop_assert_eq!(index.count(&key, category), subscribed);
            for of in 0..3 {
                let of = tenant(of);
                let expected: Vec<_> = all
                    .iter()
                    .filter(|(_, own, subscription)| subscription.wants(&key, category) && (own.is_none() || *own == of))
                    .map(|(id, ..)| *id)
                    .collect();
                prop_assert_eq!(index.matching(&key, category, of.as_ref()), expected);
            }
        }
        Ok(())
    }

    #[test]
    fn patterns_survive_their_text_form() {
        for text in ["*", "User Management.*", "frontegg.user.created"] {
            assert_eq!(EventPattern::parse(text).unwrap().to_string(), text);
        }
        for text in ["", ".*", "**", "a.*.b", "*.*"] {
            assert!(EventPattern::parse(text).is_err(), "{text}");
        }
    }
}
