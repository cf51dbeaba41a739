//! The trait.

use std::sync::Arc;

use async_trait::async_trait;
use tidings_model::{
    Credential, CredentialId, Delivery, DeliveryId, DisableReason, Environment, EnvironmentId, Event, EventId, EventKey, Timestamp,
    Webhook, WebhookId,
};

use crate::activity::Activity;
use crate::config::{
    CopyReport, CreateEventTypeError, CreateWebhookError, CustomEventType, DeleteEnvironmentError, EnvironmentChange, EnvironmentHolds,
    MasterKeyId, NameTaken, ReplaceWebhookError, Routing, RoutingChanges, WebhookFilter, WebhookWithHealth,
};
use crate::delivery::{AppendRefusal, Appended, DueBatch, DueWebhook, LeaseGrant, LeaseToken, NewEvent, ResendError, Settled, Settlement};
use crate::error::StoreError;
use crate::keys::{MasterKeyUse, NewServerKey, Reseal, SealedWebhook, ServerKey};
use crate::log::{DeliveryDetail, DeliveryFilter, EventFilter, Page, Pruned, StoreStats};
use crate::nodes::{NewNode, Node, NodeNumber, Pulse};
use crate::people::{AuditEntry, AuditFilter, AuditRecord, ChangePersonError, Person, PersonChange, Session, SessionId};
use crate::verify::{AsOf, Place, Verified};

/// What a verb answers: it could not be done at all, or it was refused for a reason of its own, or it was done.
type Answer<T, E> = Result<Result<T, E>, StoreError>;

/// A database. Every verb is one transaction, durable when it returns; `at` is the caller's time, and no verb asks for another.
#[async_trait]
pub trait Store: Send + Sync {
    // The installation.

    /// Keeps the id of the master key that secrets are sealed with since `at`, unless one is kept already, and gives the one that is kept.
    async fn keep_master_key(&self, id: MasterKeyId, at: Timestamp) -> Result<MasterKeyId, StoreError>;
    /// Keeps another master key, with which everything is sealed from `at` on; the one before is retiring. False: it is the one already, or none is
    /// kept.
    async fn change_master_key(&self, id: MasterKeyId, at: Timestamp) -> Result<bool, StoreError>;
    /// Notes of a retiring master key that it sealed nothing that is left. False: something is left, or the key is not retiring.
    async fn retire_master_key(&self, id: MasterKeyId) -> Result<bool, StoreError>;
    /// The master keys that were ever kept: the current one, then the others, the latest first.
    async fn master_keys(&self) -> Result<Vec<MasterKeyUse>, StoreError>;
    /// At most `limit` webhooks, by id from `after` on, that keep something which another master key than `but` sealed.
    async fn sealed_webhooks(&self, but: MasterKeyId, after: Option<WebhookId>, limit: usize) -> Result<Vec<SealedWebhook>, StoreError>;
    /// Puts values that were sealed anew where they were found, each only if what was found is still there, and says how many. What is sealed did not
    /// change, so nothing else does: neither the routing version nor `updated_at`.
    async fn reseal(&self, values: Vec<Reseal>) -> Result<usize, StoreError>;
    /// The server's own keys, by number.
    async fn server_keys(&self) -> Result<Vec<ServerKey>, StoreError>;
    /// Puts a key of the server's own in the place of the one in use. False: another one is in use than it replaces, and nothing was changed.
    async fn change_server_key(&self, key: &NewServerKey) -> Result<bool, StoreError>;

    // Nodes.

    /// Puts a node on the roll, and gives it a number that no other ever had.
    async fn join(&self, node: &NewNode) -> Result<NodeNumber, StoreError>;
    /// Says that a node lives, and tells how often something was changed that nodes keep in memory: environments, credentials, event types,
    /// webhooks, the server's own keys. `None`: it is not on the roll any more, its leases have ended, and it has to join anew.
    async fn beat(&self, node: NodeNumber, pulse: Pulse) -> Result<Option<u64>, StoreError>;
    /// The nodes on the roll, by number.
    async fn nodes(&self) -> Result<Vec<Node>, StoreError>;
    /// Takes a node off the roll, if it has beaten so often and no oftener, or whatever it did. False: it stays, or is not on it.
    async fn strike_node(&self, node: NodeNumber, beats: Option<u64>) -> Result<bool, StoreError>;
    /// Ends the leases of nodes that are not on the roll: the deliveries are due as they were before. Says how many.
    async fn end_lost_leases(&self) -> Result<usize, StoreError>;
    /// Waits until something may have been changed that nodes keep in memory, by another node too, since this last answered `seen` (0 to begin with).
    /// A nudge to beat, which tells the truth: it may come late, or for nothing, and where only one process has the store open it need not come at
    /// all. Nothing is lost when the wait is given up.
    async fn changed(&self, seen: u64) -> Result<u64, StoreError> {
        let _ = seen;
        std::future::pending().await
    }

    // Environments.

    /// Adds an environment. Names are compared without regard to ASCII case. Its routing version may be any number.
    async fn create_environment(&self, environment: &Environment) -> Answer<(), NameTaken>;
    /// All environments, in the order in which they were added.
    async fn environments(&self) -> Result<Vec<Environment>, StoreError>;
    /// Changes name or settings and raises the routing version. `None`: there is no such environment. A name that differs from its own only in case
    /// is not taken.
    async fn change_environment(&self, id: EnvironmentId, change: &EnvironmentChange) -> Answer<Option<Environment>, NameTaken>;
    /// Deletes an environment. Without `force` it has to be empty; with it, everything it holds goes too, in this one transaction for what
    /// is configured and by later pruning for its events, which [`Store::deleted_environments`] asks for. Until then its pending deliveries
    /// are those of deleted webhooks; what the log still shows of it is not promised.
    async fn delete_environment(&self, id: EnvironmentId, force: bool) -> Answer<(), DeleteEnvironmentError>;
    /// Copies settings and custom event types, never webhooks, secrets, credentials or history, and raises the routing version of `to`.
    /// Copied event types were made `at`; keys that `to` has already stay as they are. `None`: one of the two does not exist.
    async fn copy_environment(&self, from: EnvironmentId, to: EnvironmentId, at: Timestamp) -> Result<Option<CopyReport>, StoreError>;

    /// What an environment holds. `None`: there is no such environment.
    async fn environment_holds(&self, id: EnvironmentId) -> Result<Option<EnvironmentHolds>, StoreError>;

    // Credentials and people.

    /// Adds a credential; its environment exists.
    async fn create_credential(&self, credential: &Credential) -> Result<(), StoreError>;
    /// All credentials of all environments, in the order in which they were added: few, and kept in memory by the caller.
    async fn credentials(&self) -> Result<Vec<Credential>, StoreError>;
    /// Revokes a credential. False: there is none of that id in that environment.
    async fn delete_credential(&self, environment: EnvironmentId, id: &CredentialId) -> Result<bool, StoreError>;
    /// Adds a person, whose address nobody else may have.
    async fn create_person(&self, person: &Person) -> Answer<(), NameTaken>;
    /// All people, in the order in which they were added.
    async fn people(&self) -> Result<Vec<Person>, StoreError>;
    /// Changes a person. The last owner who has chosen a password keeps the role. By a recovery link that ends no later than one that was used before
    /// nothing is changed.
    async fn change_person(&self, email: &str, change: &PersonChange) -> Answer<(), ChangePersonError>;
    /// Removes a person and ends their sessions. The last owner who has chosen a password stays.
    async fn delete_person(&self, email: &str) -> Answer<(), ChangePersonError>;

    // Sessions and the audit log.

    /// Adds a session. False: nobody has that address.
    async fn create_session(&self, session: &Session) -> Result<bool, StoreError>;
    /// A session that has not ended `at` (it ends at `ends_at`), and whose it is.
    async fn session(&self, id: SessionId, at: Timestamp) -> Result<Option<(Session, Person)>, StoreError>;
    /// Notes that a session was seen, and when it ends by itself from now on. Nothing happens to one that is gone or had ended by `seen_at`.
    async fn touch_session(&self, id: SessionId, seen_at: Timestamp, ends_at: Timestamp) -> Result<(), StoreError>;
    /// Sessions that have not ended `at`, newest first (then by id), of one person or of all.
    async fn sessions(&self, email: Option<&str>, at: Timestamp) -> Result<Vec<Session>, StoreError>;
    /// Ends a session. False: there is none, also none that had ended and was not forgotten yet.
    async fn delete_session(&self, id: SessionId) -> Result<bool, StoreError>;
    /// Ends all sessions of a person but that one, and says how many, those included that had ended and were not forgotten yet.
    async fn end_sessions(&self, email: &str, keep: Option<SessionId>) -> Result<usize, StoreError>;
    /// Adds an entry to the audit log.
    async fn record_audit(&self, entry: &AuditEntry) -> Result<(), StoreError>;
    /// Entries of the audit log, newest first: by number, descending. Numbers are never given out twice.
    async fn audit(&self, filter: &AuditFilter, page: Page<u64>) -> Result<Vec<AuditRecord>, StoreError>;

    // Activity.

    /// Adds counts to what was counted before in the same spans. Those of environments that do not exist are passed over.
    async fn add_activity(&self, activity: Vec<Activity>) -> Result<(), StoreError>;
    /// What was counted in spans that begin at `from` or later and before `until`: of the environment as a whole when `webhooks` is empty, else of
    /// each of those webhooks, once. By time, then by webhook.
    async fn activity(
        &self,
        environment: EnvironmentId,
        webhooks: &[WebhookId],
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Activity>, StoreError>;

    // Event types.

    /// Adds an event type to an environment and raises the routing version.
    async fn create_event_type(&self, environment: EnvironmentId, event_type: &CustomEventType) -> Answer<(), CreateEventTypeError>;
    /// Removes an event type and raises the routing version. False: the environment has none of that key.
    async fn delete_event_type(&self, environment: EnvironmentId, key: &EventKey) -> Result<bool, StoreError>;

    // Webhooks.

    /// Adds a webhook and raises the routing version. Ids are the callers': two nodes may come upon the same one.
    async fn create_webhook(&self, webhook: &Webhook) -> Answer<(), CreateWebhookError>;
    /// One webhook of an environment; deleted ones do not exist.
    async fn webhook(&self, environment: EnvironmentId, id: WebhookId) -> Result<Option<WebhookWithHealth>, StoreError>;
    /// Webhooks of an environment, newest first: by id, descending.
    async fn webhooks(
        &self,
        environment: EnvironmentId,
        filter: &WebhookFilter,
        page: Page<WebhookId>,
    ) -> Result<Vec<WebhookWithHealth>, StoreError>;
    /// Replaces a webhook that has not changed since `unchanged_since` (its `updated_at` when it was read), and raises the routing version.
    /// When it becomes active its health starts anew, from nothing; otherwise its health stays.
    async fn replace_webhook(&self, webhook: &Webhook, unchanged_since: Timestamp) -> Answer<(), ReplaceWebhookError>;
    /// Deletes a webhook and raises the routing version; its log stays, and its tenant with it (see [`DeliveryFilter::owner`]), its secrets
    /// and headers do not. False: there is no such webhook.
    async fn delete_webhook(&self, environment: EnvironmentId, id: WebhookId, at: Timestamp) -> Result<bool, StoreError>;
    /// Disables an active webhook for a reason of the engine's and raises the routing version. Its `updated_at` becomes `at`, or a
    /// millisecond more than it was if that is later, so that whoever read it before cannot replace it unawares. False: it is not active
    /// any more, or is deleted.
    async fn disable_webhook(&self, id: WebhookId, why: DisableReason, at: Timestamp) -> Result<bool, StoreError>;

    // Routing.

    /// Everything that matching and sending need to know of an environment. `None`: there is no such environment.
    async fn routing(&self, environment: EnvironmentId) -> Result<Option<Routing>, StoreError>;
    /// What has changed since a version that a routing of this environment had: as much as was changed, however many webhooks there are.
    /// `None`: there is no such environment.
    async fn routing_changes(&self, environment: EnvironmentId, since: u64) -> Result<Option<RoutingChanges>, StoreError>;
    /// The current routing version of every environment.
    async fn routing_versions(&self) -> Result<Vec<(EnvironmentId, u64)>, StoreError>;

    // The road.

    /// Appends events with their deliveries, in the order given, and answers in that order. Each stands for itself; those that are not refused are
    /// durable together.
    ///
    /// Ids are those of one [`EventIdSequence`](crate::EventIdSequence) for the whole store: they ascend strictly and begin with `at`, or
    /// with the last id's millisecond while the clock is behind it. Only an event that is written takes one. Its deliveries were made when
    /// the id says; those that are not skipped are due from `at` on, whatever the id says.
    ///
    /// A repeated idempotency key of an environment gives the first event again when the fingerprint is the same, and is refused otherwise,
    /// also inside one call; from its `expires_at` on (compared with the event's `at`) a key is as if it had never been used, and it
    /// outlives its pruned event until then. The environment is looked for first, then the key, then the routing version, which has to be
    /// the current one: a repetition is answered whatever version it names. The targets are webhooks of that routing.
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Result<Appended, AppendRefusal>>, StoreError>;
    /// Leases at most `want` deliveries of one webhook that are due `at` and not leased (or whose lease has expired: `until` is `at` or
    /// earlier), oldest due first, the smaller id first among equals. The webhook's own state is not looked at: [`Store::due_webhooks`]
    /// tells it. One whose event's body was altered counts among them, but is cancelled `at` instead of leased.
    async fn lease_due(&self, webhook: WebhookId, at: Timestamp, want: usize, grant: LeaseGrant) -> Result<DueBatch, StoreError>;
    /// Every webhook that has pending deliveries, leased ones included, in any order.
    async fn due_webhooks(&self) -> Result<Vec<DueWebhook>, StoreError>;
    /// Records attempts: the attempt, the delivery's move and the webhook's health, only where the delivery still holds the lease's token;
    /// a lease that has expired and that nobody has taken since still counts. One after the other, in the order given: each answer shows
    /// the health after its own settlement.
    ///
    /// The delivery has then made as many attempts as the attempt's number says; it is due when a `RetryAt` says, and otherwise finished at
    /// `ended_at`. Every verdict but `Delivered` is a failure: the first since the last success sets `failing_since` to its `ended_at`. The
    /// attempt of a webhook that was deleted is recorded too; it has no health.
    async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, StoreError>;
    /// Gives leases back unused: the deliveries are due as they were before. Leases that were lost are passed over.
    async fn release(&self, leases: Vec<(DeliveryId, LeaseToken)>) -> Result<(), StoreError>;
    /// Cancels at most `limit` pending deliveries of a webhook that is disabled or deleted now, which is the reason, and says how many: those that
    /// nobody has leased `at`, due or not, in the order of [`Store::lease_due`]. What is leased stays, for whoever holds it to settle. Of a webhook that
    /// is active nothing is cancelled, whatever it was when somebody looked.
    async fn cancel_pending(&self, webhook: WebhookId, at: Timestamp, limit: usize) -> Result<usize, StoreError>;
    /// Makes a new delivery of the same event to the same webhook, made and due `at`, with the next ordinal of the event. Refused when the webhook takes
    /// nothing, then when the body was altered.
    async fn resend(&self, environment: EnvironmentId, delivery: DeliveryId, at: Timestamp) -> Answer<Delivery, ResendError>;

    // The log.

    /// One event.
    async fn event(&self, environment: EnvironmentId, id: EventId) -> Result<Option<Event>, StoreError>;
    /// Events, newest first: by id, descending.
    async fn events(&self, filter: &EventFilter, page: Page<EventId>) -> Result<Vec<Event>, StoreError>;
    /// The event that comes after `places` others when an environment's events are listed newest first, all of them or those before one. `None`: they
    /// are not so many.
    async fn event_at(&self, environment: EnvironmentId, before: Option<EventId>, places: usize) -> Result<Option<EventId>, StoreError>;
    /// One delivery with its event and attempts; `leased` is as of `at`.
    async fn delivery(&self, environment: EnvironmentId, id: DeliveryId, at: Timestamp) -> Result<Option<DeliveryDetail>, StoreError>;
    /// Deliveries, newest first: by id, descending, so by event and then by ordinal; `leased` is as of `at`.
    async fn deliveries(&self, filter: &DeliveryFilter, page: Page<DeliveryId>, at: Timestamp) -> Result<Vec<Delivery>, StoreError>;
    /// How many deliveries a filter admits, counted up to `cap`.
    async fn count_deliveries(&self, filter: &DeliveryFilter, cap: usize) -> Result<usize, StoreError>;

    // Upkeep.

    /// Removes at most `limit` events of an environment that were accepted before then and have nothing pending, oldest first, with their
    /// deliveries and attempts. Idempotency keys stay. Also serves environments that were deleted by force.
    async fn prune(&self, environment: EnvironmentId, before: Timestamp, limit: usize) -> Result<Pruned, StoreError>;
    /// Forgets at most `limit` idempotency keys that have expired `at`, whichever, and says how many.
    async fn forget_keys(&self, at: Timestamp, limit: usize) -> Result<usize, StoreError>;
    /// Forgets at most `limit` each of the sessions that have ended `at`, of the audit entries made before `audit_before`, and of the activity of spans
    /// that began before `activity_before`; says how many of all.
    async fn forget_history(
        &self,
        at: Timestamp,
        audit_before: Timestamp,
        activity_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError>;
    /// Environments that were deleted by force and still have events to prune.
    async fn deleted_environments(&self) -> Result<Vec<EnvironmentId>, StoreError>;
    /// Whether it can be written, asked as often as anybody likes. While writing fails, that is the answer; and at most once a second it is then tried
    /// whether it would go on, without changing anything, so that the end of the trouble is noticed where nobody writes.
    async fn writable(&self) -> Result<(), StoreError>;
    /// Figures for the metrics.
    async fn stats(&self, at: Timestamp) -> Result<StoreStats, StoreError>;
    /// Takes one step through the store and says what is not as it always is: every [`Finding`](crate::Finding) names it. A step looks at about `limit`
    /// rows (at least one, and all that belong to it) as of one moment, and keeps nobody from writing. Where the answer's `next` is followed from
    /// [`Place::start`] to its end, everything was looked at that was there all the while.
    async fn verify(&self, place: &Place, as_of: AsOf, limit: usize) -> Result<Verified, StoreError>;
}
