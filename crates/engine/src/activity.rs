//! What happened, counted while it happens: for charts, and for pages that show themselves anew when something has.
//!
//! Owns: the counts that the store does not have yet, and who listens. Never knows: what the figures are for, or what time it is.

use std::collections::{BTreeMap, HashMap};
use std::collections::{btree_map, hash_map};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tidings_model::{EnvironmentId, Timestamp, WebhookId};
use tidings_store::{Activity as Span, ActivityCounts, Store, StoreError};
use tokio::sync::{Notify, RwLock, watch};

/// How long a span of a whole environment is; it begins at a multiple of this.
pub const ENVIRONMENT_SPAN: Duration = Duration::from_secs(60);
/// How long a span of one webhook is; it begins at a multiple of this.
pub const WEBHOOK_SPAN: Duration = Duration::from_secs(3_600);
/// Spans that wait to be written, at most: about ten megabytes. While there are that many, because the store takes none, what happens in others
/// is not counted.
pub const ACTIVITY_SPANS_MAX: usize = 100_000;
/// Spans that one transaction writes, at most: small enough that accepting does not notice.
const WRITE_SPANS: usize = 500;

/// What a span is of, and when it begins.
type SpanKey = (EnvironmentId, Option<WebhookId>, Timestamp);

/// Counts what is accepted and attempted, and hands it to the store a few seconds later.
///
/// These are figures, not the log: a crash loses those of the last seconds, which the store had not been given, and never anything of the log. When the
/// store does not say whether it took some, they are given again and may then be in it twice.
pub struct Activity {
    store: Arc<dyn Store>,
    inner: Mutex<Inner>,
    /// Rung when there is something to write after there was nothing.
    begun: Notify,
    /// Held while counts are on their way into the store, so that nobody reads them there and here.
    writing: RwLock<()>,
}

#[derive(Default)]
struct Inner {
    gathered: BTreeMap<SpanKey, ActivityCounts>,
    pulses: HashMap<EnvironmentId, watch::Sender<u64>>,
}

impl Activity {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            inner: Mutex::default(),
            begun: Notify::new(),
            writing: RwLock::default(),
        }
    }

    /// So many events were accepted.
    pub(crate) fn accepted(&self, environment: EnvironmentId, events: u64, at: Timestamp) {
        let counts = ActivityCounts {
            accepted: events,
            ..ActivityCounts::default()
        };
        let mut inner = self.inner.lock();
        self.count(&mut inner, (environment, None, beginning(at, ENVIRONMENT_SPAN)), counts);
        inner.beat(environment);
    }

    /// An attempt was recorded.
    pub(crate) fn attempted(&self, environment: EnvironmentId, webhook: WebhookId, delivered: bool, at: Timestamp) {
        let counts = ActivityCounts {
            accepted: 0,
            delivered: u64::from(delivered),
            failed: u64::from(!delivered),
        };
        let mut inner = self.inner.lock();
        self.count(&mut inner, (environment, None, beginning(at, ENVIRONMENT_SPAN)), counts);
        self.count(&mut inner, (environment, Some(webhook), beginning(at, WEBHOOK_SPAN)), counts);
        inner.beat(environment);
    }

    /// Deliveries were cancelled, or made anew: nothing that is counted, but something that pages show.
    pub fn stirred(&self, environment: EnvironmentId) {
        self.inner.lock().beat(environment);
    }

    /// Rises whenever something was accepted or settled in that environment, or [stirred](Self::stirred). Costs nothing while nobody listens.
    pub fn pulse(&self, environment: EnvironmentId) -> watch::Receiver<u64> {
        let mut inner = self.inner.lock();
        inner.pulses.retain(|_, sender| !sender.is_closed());
        let sender = inner.pulses.entry(environment).or_insert_with(|| watch::Sender::new(0));
        sender.subscribe()
    }

    /// What was counted in spans that begin at `from` or later and before `until`, up to now: of the environment as a whole, by spans of
    /// [`ENVIRONMENT_SPAN`], when `webhooks` is empty, else of each of those webhooks, by spans of [`WEBHOOK_SPAN`]. By time, then by webhook; spans in
    /// which nothing happened are left out.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn read(
        &self,
        environment: EnvironmentId,
        webhooks: &[WebhookId],
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Span>, StoreError> {
        let nothing_is_being_written = self.writing.read().await;
        let written = self.store.activity(environment, webhooks, from, until).await?;
        let mut spans: BTreeMap<_, _> = written.into_iter().map(|span| ((span.from, span.webhook), span.counts)).collect();
        let whole = [None];
        let of_each: Vec<_> = webhooks.iter().copied().map(Some).collect();
        let inner = self.inner.lock();
        for webhook in if of_each.is_empty() { &whole[..] } else { &of_each } {
            let gathered = inner.gathered.range((environment, *webhook, from)..);
            for ((.., at), counts) in gathered.take_while(|((of, whose, at), _)| (*of, *whose) == (environment, *webhook) && *at < until) {
                spans.entry((*at, *webhook)).or_default().add(*counts);
            }
        }
        drop(inner);
        drop(nothing_is_being_written);
        let spans = spans.into_iter().map(|((from, webhook), counts)| Span {
            environment,
            webhook,
            from,
            counts,
        });
        Ok(spans.collect())
    }

    /// Gives the store what has gathered. What it does not take stays.
    pub(crate) async fn write(&self) -> Result<(), StoreError> {
        let _nobody_reads = self.writing.write().await;
        let spans: Vec<_> = self.inner.lock().gathered.iter().map(|(key, counts)| span(*key, *counts)).collect();
        for spans in spans.chunks(WRITE_SPANS) {
            self.store.add_activity(spans.to_vec()).await?;
            let mut inner = self.inner.lock();
            for span in spans {
                inner.forget(span);
            }
        }
        Ok(())
    }

    /// Waits until there is something to write.
    pub(crate) async fn begun(&self) {
        while self.inner.lock().gathered.is_empty() {
            self.begun.notified().await;
        }
    }

    fn count(&self, inner: &mut Inner, key: SpanKey, counts: ActivityCounts) {
        let spans = inner.gathered.len();
        match inner.gathered.entry(key) {
            btree_map::Entry::Occupied(mut counted) => counted.get_mut().add(counts),
            btree_map::Entry::Vacant(place) if spans < ACTIVITY_SPANS_MAX => {
                place.insert(counts);
            }
            btree_map::Entry::Vacant(_) => {}
        }
        if spans == 0 {
            self.begun.notify_one();
        }
    }
}

impl Inner {
    /// Tells those who listen to an environment.
    fn beat(&mut self, environment: EnvironmentId) {
        if self.pulses.is_empty() {
            return;
        }
        if let hash_map::Entry::Occupied(pulse) = self.pulses.entry(environment) {
            if pulse.get().is_closed() {
                pulse.remove();
            } else {
                pulse.get().send_modify(|beats| *beats += 1);
            }
        }
    }

    /// Takes away what was written of a span; what was counted meanwhile stays.
    fn forget(&mut self, written: &Span) {
        if let btree_map::Entry::Occupied(mut counted) = self.gathered.entry((written.environment, written.webhook, written.from)) {
            let left = counted.get_mut();
            left.accepted -= written.counts.accepted;
            left.delivered -= written.counts.delivered;
            left.failed -= written.counts.failed;
            if *left == ActivityCounts::default() {
                counted.remove();
            }
        }
    }
}

/// When the span begins in which something happened.
fn beginning(at: Timestamp, span: Duration) -> Timestamp {
    let millis = span.as_millis() as i64;
    Timestamp::from_millis(at.as_millis().div_euclid(millis) * millis)
}

const fn span((environment, webhook, from): SpanKey, counts: ActivityCounts) -> Span {
    Span {
        environment,
        webhook,
        from,
        counts,
    }
}

#[cfg(test)]
mod tests {
    use tidings_store::MemStore;

    use super::*;

    fn environment(number: u8) -> EnvironmentId {
        EnvironmentId::from_chance([number; 16])
    }

    fn gathered(activity: &Activity) -> Vec<Span> {
        activity
            .inner
            .lock()
            .gathered
            .iter()
            .map(|(key, counts)| span(*key, *counts))
            .collect()
    }

    #[test]
    fn what_is_counted_while_it_is_written_stays() {
        let activity = Activity::new(Arc::new(MemStore::new()));
        let at = Timestamp::from_millis(60_000);
        activity.accepted(environment(1), 3, at);
        let written = gathered(&activity);
        activity.accepted(environment(1), 2, at);

        activity.inner.lock().forget(&written[0]);
        assert_eq!(gathered(&activity)[0].counts.accepted, 2);
        let rest = gathered(&activity);
        activity.inner.lock().forget(&rest[0]);
        assert_eq!(gathered(&activity), []);
    }

    #[test]
    fn memory_is_bounded_while_the_store_takes_nothing() {
        let activity = Activity::new(Arc::new(MemStore::new()));
        for minute in 0..ACTIVITY_SPANS_MAX as i64 + 10 {
            activity.accepted(environment(1), 1, Timestamp::from_millis(minute * 60_000));
        }
        activity.accepted(environment(1), 1, Timestamp::from_millis(0));
        let gathered = gathered(&activity);
        assert_eq!(gathered.len(), ACTIVITY_SPANS_MAX);
        assert_eq!(gathered[0].counts.accepted, 2, "spans that are there are counted on");
    }

    #[test]
    fn who_has_stopped_listening_is_forgotten() {
        let activity = Activity::new(Arc::new(MemStore::new()));
        drop(activity.pulse(environment(1)));
        let kept = activity.pulse(environment(2));
        assert_eq!(activity.inner.lock().pulses.len(), 1);
        drop(kept);
        activity.stirred(environment(2));
        assert!(activity.inner.lock().pulses.is_empty());
    }
}
