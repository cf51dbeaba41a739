-- Times are milliseconds since 1970. Ids of webhooks and events are milliseconds << 15 | low bits, so they sort by time.

-- The walls of isolation. `id` is the short form of the UUID by which every other table names an environment.
-- A deleted one stays, unseen by readers, until the last of its events is pruned; its number is
-- never used again, because its idempotency keys may outlive it.
CREATE TABLE environments (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid            BLOB    NOT NULL UNIQUE CHECK (length(uuid) = 16),
    name            TEXT    NOT NULL,
    folded_name     TEXT    NOT NULL,
    settings        TEXT    NOT NULL,
    routing_version INTEGER NOT NULL CHECK (routing_version > 0),
    created_at      INTEGER NOT NULL,
    deleted         INTEGER NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1))
) STRICT;

-- Two environments never share a name, but a deleted one gives its name free.
CREATE UNIQUE INDEX environments_by_name ON environments (folded_name) WHERE deleted = 0;

-- Who may call the interfaces. The secret itself is never here. Scopes: 1 read, 2 write, 4 operator, added up.
CREATE TABLE credentials (
    id          INTEGER PRIMARY KEY,
    client_id   TEXT    NOT NULL UNIQUE,
    environment INTEGER NOT NULL REFERENCES environments (id),
    name        TEXT    NOT NULL,
    scopes      INTEGER NOT NULL CHECK (scopes BETWEEN 0 AND 7),
    secret_hash BLOB    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

-- Deleting an environment asks for its credentials, and the foreign key does too.
CREATE INDEX credentials_by_environment ON credentials (environment);

-- Who may sign in. Roles: 0 owner, 1 admin, 2 viewer.
CREATE TABLE people (
    id            INTEGER PRIMARY KEY,
    email         TEXT    NOT NULL UNIQUE,
    role          INTEGER NOT NULL CHECK (role IN (0, 1, 2)),
    password_hash TEXT    NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

-- Event types that an environment added to the built-in ones.
CREATE TABLE event_types (
    id           INTEGER PRIMARY KEY,
    environment  INTEGER NOT NULL REFERENCES environments (id),
    key          TEXT    NOT NULL,
    category     TEXT    NOT NULL,
    display_name TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    example      TEXT,
    schema       TEXT,
    created_at   INTEGER NOT NULL,
    UNIQUE (environment, key)
) STRICT;

-- What people configure. A deleted one stays as long as its log, but without anything secret.
-- Reasons for being disabled: 0 by an operator, 1 answered 410, 2 failing.
CREATE TABLE webhooks (
    id             INTEGER PRIMARY KEY CHECK (id > 0),
    environment    INTEGER NOT NULL REFERENCES environments (id),
    tenant         TEXT,
    name           TEXT    NOT NULL,
    description    TEXT    NOT NULL,
    url            TEXT    NOT NULL,
    secret         BLOB,
    old_secret     BLOB,
    old_until      INTEGER,
    subscription   TEXT    NOT NULL,
    headers        BLOB,
    disabled_at    INTEGER,
    disabled_why   INTEGER CHECK (disabled_why IN (0, 1, 2)),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    deleted_at     INTEGER,
    CHECK ((disabled_at IS NULL) = (disabled_why IS NULL)),
    CHECK ((old_secret IS NULL) = (old_until IS NULL)),
    CHECK (deleted_at IS NULL OR (secret IS NULL AND old_secret IS NULL AND headers IS NULL))
) STRICT;

-- Lists an environment's webhooks newest first, and loads its routing.
CREATE INDEX webhooks_by_environment ON webhooks (environment, id);

-- Finds what a tenant owns, the deleted ones too: their log is still the tenant's.
CREATE INDEX webhooks_by_tenant ON webhooks (environment, tenant) WHERE tenant IS NOT NULL;

-- How a webhook has been doing, apart from what people configure because every settle writes it.
CREATE TABLE webhook_health (
    webhook         INTEGER PRIMARY KEY REFERENCES webhooks (id) ON DELETE CASCADE,
    attempts        INTEGER NOT NULL CHECK (attempts > 0),
    failures        INTEGER NOT NULL CHECK (failures BETWEEN 0 AND attempts),
    last_attempt_at INTEGER NOT NULL,
    failing_since   INTEGER
) STRICT;

-- What happened. Append-only: ids rise, so every insert goes to the end. The body is last so that reading the rest never touches its pages.
CREATE TABLE events (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    environment INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    tenant      TEXT,
    user        TEXT,
    application TEXT,
    body        BLOB    NOT NULL
) STRICT;

-- The newest event id that pruning removed: ids are never given out twice, also when the log is empty.
CREATE TABLE pruned (
    only  INTEGER PRIMARY KEY CHECK (only = 0),
    event INTEGER NOT NULL
) STRICT;

-- Lists and prunes an environment's events by age.
CREATE INDEX events_by_environment ON events (environment, id);

-- Promises of callers that a repeated request is the same request.
CREATE TABLE idempotency (
    environment INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    event       INTEGER NOT NULL,
    deliveries  INTEGER NOT NULL CHECK (deliveries >= 0),
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (environment, key)
) STRICT, WITHOUT ROWID;

-- Forgets expired keys without looking at the others.
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);

-- One event on its way to one webhook.
-- Triggers: 0 event, 1 resend, 2 test. States: 0 pending, 1 delivered, 2 exhausted, 3 cancelled.
-- Reasons for being cancelled: 0 gone, 1 webhook disabled, 2 webhook deleted.
CREATE TABLE deliveries (
    event       INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL CHECK (ordinal BETWEEN 0 AND 4294967295),
    webhook     INTEGER NOT NULL,
    trigger     INTEGER NOT NULL CHECK (trigger IN (0, 1, 2)),
    state       INTEGER NOT NULL CHECK (state IN (0, 1, 2, 3)),
    due_at      INTEGER,
    lease_token INTEGER,
    lease_until INTEGER,
    attempts    INTEGER NOT NULL CHECK (attempts BETWEEN 0 AND 65535),
    last_status INTEGER CHECK (last_status BETWEEN 0 AND 65535),
    ended_at    INTEGER,
    why         INTEGER CHECK (why IN (0, 1, 2)),
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (event, ordinal),
    CHECK ((state = 0) = (due_at IS NOT NULL)),
    CHECK ((state = 0) = (ended_at IS NULL)),
    CHECK ((state = 3) = (why IS NOT NULL)),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
    CHECK (state = 0 OR lease_token IS NULL),
    CHECK (attempts > 0 OR last_status IS NULL)
) STRICT, WITHOUT ROWID;

-- Lists a webhook's deliveries newest first.
CREATE INDEX deliveries_by_webhook ON deliveries (webhook, event, ordinal);

-- Lists those that came to nothing, however rare they are; the happy path never writes it.
CREATE INDEX deliveries_failed ON deliveries (webhook, event, ordinal) WHERE state >= 2;

-- Lists those that failed and are tried again, however few they are among those that arrived.
CREATE INDEX deliveries_retrying ON deliveries (webhook, event, ordinal) WHERE state = 0 AND attempts > 0;

-- What a webhook has to lease, oldest due first.
CREATE INDEX deliveries_waiting ON deliveries (webhook, due_at) WHERE state = 0 AND lease_token IS NULL;

-- What is in somebody's hands, by when another may have it: not before it is due and the lease has ended.
CREATE INDEX deliveries_leased ON deliveries (webhook, max(due_at, lease_until)) WHERE lease_token IS NOT NULL;

-- Every HTTP try, written once. Verdicts: 0 delivered, 1 retry, 2 exhausted, 3 cancelled for the reason `why` (as in deliveries).
CREATE TABLE attempts (
    event      INTEGER NOT NULL,
    ordinal    INTEGER NOT NULL,
    number     INTEGER NOT NULL CHECK (number BETWEEN 1 AND 65535),
    started_at INTEGER NOT NULL,
    verdict    INTEGER NOT NULL CHECK (verdict IN (0, 1, 2, 3)),
    retry_at   INTEGER,
    why        INTEGER CHECK (why IN (0, 1, 2)),
    detail     TEXT    NOT NULL,
    reply_body BLOB,
    PRIMARY KEY (event, ordinal, number),
    CHECK ((verdict = 1) = (retry_at IS NOT NULL)),
    CHECK ((verdict = 3) = (why IS NOT NULL))
) STRICT, WITHOUT ROWID;
