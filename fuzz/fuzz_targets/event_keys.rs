//! Event keys and the patterns of subscriptions: a text that is taken comes back the same, and the index that routes events agrees with asking every
//! webhook. An input is a key, a category and a tenant in a line each, then a line for every webhook: its tenant, and its patterns, with commas between.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_fuzz::input::Input;
use tidings_model::subscription::SubscriptionIndex;
use tidings_model::{EventKey, EventPattern, Subscription, TenantId, Timestamp, WebhookId};

/// More webhooks show nothing that these do not.
const WEBHOOKS_MAX: u16 = 16;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let (Some(key), Some(category), Some(tenant)) = (input.line(), input.line(), input.line()) else {
        return;
    };
    let mut index = SubscriptionIndex::default();
    let mut all = Vec::new();
    for number in 0..WEBHOOKS_MAX {
        let Some(mut line) = input.line().filter(|line| !line.is_empty()).map(|line| line.split(',')) else {
            break;
        };
        let owner = line.next().filter(|text| !text.is_empty());
        for text in line.clone() {
            if let Ok(pattern) = EventPattern::parse(text) {
                assert_eq!(pattern.to_string(), text);
            }
        }
        let Ok(subscription) = Subscription::parse(line) else {
            continue;
        };
        let again = Subscription::try_from(subscription.texts()).expect("what was taken once is taken again");
        assert_eq!(again, subscription);
        let owner = match owner.map(str::parse::<TenantId>) {
            Some(Err(_)) => continue,
            Some(Ok(owner)) => Some(owner),
            None => None,
        };
        let id = WebhookId::new(Timestamp::from_millis(1), number);
        index.add(id, owner.as_ref(), &subscription);
        all.push((id, owner, subscription));
    }
    let Ok(key) = key.parse::<EventKey>() else {
        return;
    };
    assert!(
        key.as_str()
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'*'))
    );
    let tenant = tenant.parse::<TenantId>().ok();
    let wanting: Vec<_> = all
        .iter()
        .filter(|(_, owner, subscription)| subscription.wants(&key, category) && (owner.is_none() || *owner == tenant))
        .map(|(id, ..)| *id)
        .collect();
    assert_eq!(index.matching(&key, category, tenant.as_ref()), wanting);

    for (id, owner, subscription) in &all {
        index.remove(*id, owner.as_ref(), subscription);
    }
    assert_eq!(
        (index.matching(&key, category, tenant.as_ref()).len(), index.count(&key, category)),
        (0, 0)
    );
});
