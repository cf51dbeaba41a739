//! Every fixed limit on what people send and keep, with its unit in its name. Limits that an operator may change are defaults here and keys of the
//! configuration. What bounds the work of one room (connections, places, turns) is a constant of that room.

/// Largest event payload accepted unless configured otherwise.
pub const PAYLOAD_BYTES_DEFAULT: usize = 256 * 1024;
/// Largest payload limit that can be configured: a delivery body has to fit in memory many times over.
pub const PAYLOAD_BYTES_CEILING: usize = 8 * 1024 * 1024;
/// Deepest nesting of arrays and objects in a payload.
pub const PAYLOAD_DEPTH_MAX: u32 = 64;
/// Events in one batch request.
pub const BATCH_EVENTS_MAX: usize = 1_000;
/// Deliveries that the events of one request become, where they are several: what is stored at once has to fit in memory and in one commit.
pub const REQUEST_DELIVERIES_MAX: usize = 100_000;
/// Room for the members around the payloads of a batch, per event.
pub const ENVELOPE_BYTES_MAX: usize = 2 * 1024;
/// Largest whole batch request.
pub const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Largest body of any request that is not an event.
pub const REQUEST_BYTES_MAX: usize = 512 * 1024;

/// Length of an event key.
pub const EVENT_KEY_CHARS_MAX: usize = 128;
/// Length of a category name.
pub const CATEGORY_CHARS_MAX: usize = 64;
/// Length of names that people give to things.
pub const NAME_CHARS_MAX: usize = 128;
/// Length of descriptions.
pub const DESCRIPTION_CHARS_MAX: usize = 2_000;
/// Length of a tenant, user or application id.
pub const FOREIGN_ID_CHARS_MAX: usize = 128;
/// Length of a webhook's URL.
pub const URL_CHARS_MAX: usize = 2_048;
/// Length of a host's name, and of each of its parts between dots: what name servers can hold.
pub const HOST_CHARS_MAX: usize = 253;
/// See [`HOST_CHARS_MAX`].
pub const HOST_LABEL_CHARS_MAX: usize = 63;
/// Length of an idempotency key.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 256;
/// How long an idempotency key is remembered.
pub const IDEMPOTENCY_HOURS: i64 = 24;

/// Event patterns of one webhook.
pub const PATTERNS_PER_WEBHOOK_MAX: usize = 256;
/// Custom headers of one webhook.
pub const CUSTOM_HEADERS_MAX: usize = 16;
/// Length of a custom header's name.
pub const CUSTOM_HEADER_NAME_CHARS_MAX: usize = 64;
/// Length of a custom header's value.
pub const CUSTOM_HEADER_VALUE_CHARS_MAX: usize = 1_024;
/// Webhooks of one environment.
pub const WEBHOOKS_PER_ENVIRONMENT_MAX: usize = 100_000;
/// Custom event types of one environment.
pub const CUSTOM_EVENT_TYPES_MAX: usize = 1_000;
/// Size of a custom event type's example or JSON Schema.
pub const EVENT_TYPE_DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// Credentials of one environment.
pub const CREDENTIALS_PER_ENVIRONMENT_MAX: usize = 100;

/// Steps of a retry schedule.
pub const RETRY_STEPS_MAX: usize = 20;
/// Longest single step of a retry schedule.
pub const RETRY_STEP_SECONDS_MAX: u64 = 7 * 24 * 3_600;
/// Most a receiver's Retry-After can put the next try off.
pub const RETRY_AFTER_SECONDS_MAX: u64 = 24 * 3_600;
/// Spread of the jitter around each step, in percent of the step.
pub const RETRY_JITTER_PERCENT: i64 = 20;
/// How long a webhook may fail without one success before it is disabled.
pub const FAILING_DAYS_MAX: i64 = 5;

/// Deadline of one attempt unless the environment says otherwise.
pub const ATTEMPT_TIMEOUT_MS_DEFAULT: u64 = 15_000;
/// Shortest deadline that can be set.
pub const ATTEMPT_TIMEOUT_MS_MIN: u64 = 1_000;
/// Longest deadline that can be set.
pub const ATTEMPT_TIMEOUT_MS_MAX: u64 = 60_000;
/// Bytes of a reply's body that are read before the connection is given up.
pub const REPLY_READ_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a reply's body that are kept in the log.
pub const REPLY_KEPT_BYTES_MAX: usize = 16 * 1024;
/// Headers of a reply that are accepted.
pub const REPLY_HEADERS_MAX: usize = 100;
/// Size of a reply's header section that is accepted.
pub const REPLY_HEADER_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a reply's headers that are kept in the log.
pub const REPLY_HEADERS_KEPT_BYTES_MAX: usize = 8 * 1024;
/// Addresses of one name that are considered; a name with more is refused.
pub const DNS_ADDRESSES_MAX: usize = 64;
/// Bytes that a receiver may send between two writes of ours: whole replies with their framing, and interim (1xx) replies.
pub const REPLY_WIRE_BYTES_MAX: usize = 1024 * 1024;
/// Addresses of one name that one connection tries.
pub const CONNECT_ADDRESSES_MAX: usize = 8;
/// How long an address may keep a connection waiting before the next address is tried beside it.
pub const CONNECT_STAGGER_MS: u64 = 250;
/// Deadline of the check of a URL before it is saved.
pub const VET_TIMEOUT_MS: u64 = 5_000;
/// Longest time that the name servers may take for the addresses of a host, within the attempt's own.
pub const RESOLVE_TIMEOUT_MS: u64 = 4_500;
/// Idle connections kept per host: as many as eight of its webhooks may have attempts under way, so that none is opened only to be closed.
pub const IDLE_CONNECTIONS_PER_HOST_MAX: usize = 512;
/// How long an idle connection is kept.
pub const IDLE_CONNECTION_SECONDS: u64 = 60;

/// Days that events and their deliveries are kept unless the environment says otherwise.
pub const RETENTION_DAYS_DEFAULT: u32 = 30;
/// Longest retention.
pub const RETENTION_DAYS_MAX: u32 = 3_650;
/// Days that entries of the audit log are kept.
pub const AUDIT_DAYS: u64 = 400;
/// Days that the counts behind the charts are kept: a week, and the day that is under way.
pub const ACTIVITY_DAYS: u64 = 8;

/// Rows of a page unless asked otherwise.
pub const PAGE_ROWS_DEFAULT: usize = 50;
/// Most rows of a page.
pub const PAGE_ROWS_MAX: usize = 200;

/// Lifetime of an access token.
pub const TOKEN_SECONDS_DEFAULT: u64 = 3_600;
/// Longest lifetime of a tenant's token.
pub const TOKEN_SECONDS_MAX: u64 = 30 * 24 * 3_600;
