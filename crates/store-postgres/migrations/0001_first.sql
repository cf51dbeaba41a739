-- Times are milliseconds since 1970. Ids of webhooks and events are milliseconds << 15 | low bits, so they sort by time. Text is compared byte by byte,
-- whatever the locale of the database.

-- The walls of isolation. `id` is the short form of the UUID by which every other table names an environment.
-- A deleted one stays, unseen by readers, until the last of its events is pruned; its number is never used again, because its idempotency keys may
-- outlive it.
CREATE TABLE environments (
    id              bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid            uuid    NOT NULL UNIQUE,
    name            text    COLLATE "C" NOT NULL,
    folded_name     text    COLLATE "C" NOT NULL,
    settings        text    NOT NULL,
    routing_version bigint  NOT NULL CHECK (routing_version > 0),
    created_at      bigint  NOT NULL,
    deleted         boolean NOT NULL DEFAULT false
);

-- Two environments never share a name, but a deleted one gives its name free.
CREATE UNIQUE INDEX environments_by_name ON environments (folded_name) WHERE NOT deleted;

-- How often something was changed that nodes keep in memory: environments, credentials, event types, webhooks, keys. Every such change raises it, as the
-- last thing that it does. There is room on the page for the next version of the row.
CREATE TABLE changes (
    place  smallint PRIMARY KEY CHECK (place = 0),
    number bigint   NOT NULL CHECK (number >= 0)
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
INSERT INTO changes (place, number) VALUES (0, 0);

-- The nodes that serve this database, and what each said of itself last. `schema` is the newest that it knows. The top bits of a lease's token are the number of its node, and there are no
-- more of them. There is room on the page for the next version of a row: every node writes its own every second.
CREATE TABLE nodes (
    number    bigint GENERATED ALWAYS AS IDENTITY (MAXVALUE 8388607) PRIMARY KEY,
    name      text   NOT NULL,
    version   text   NOT NULL,
    schema    integer NOT NULL,
    joined_at bigint NOT NULL,
    beats     bigint NOT NULL CHECK (beats >= 0),
    at        bigint NOT NULL,
    queued    bigint NOT NULL CHECK (queued >= 0),
    in_flight bigint NOT NULL CHECK (in_flight >= 0),
    lag_ms    bigint NOT NULL CHECK (lag_ms >= 0)
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Who may call the interfaces. The secret itself is never here. Scopes: 1 read, 2 write, 4 operator, added up.
CREATE TABLE credentials (
    id          bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id   text     COLLATE "C" NOT NULL UNIQUE,
    environment bigint   NOT NULL REFERENCES environments (id),
    name        text     NOT NULL,
    scopes      smallint NOT NULL CHECK (scopes BETWEEN 0 AND 7),
    secret_hash bytea    NOT NULL,
    created_at  bigint   NOT NULL
);

-- Deleting an environment asks for its credentials, and the foreign key does too.
CREATE INDEX credentials_by_environment ON credentials (environment);

-- Who may sign in. Roles: 0 owner, 1 admin, 2 viewer.
CREATE TABLE people (
    id            bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email         text     COLLATE "C" NOT NULL UNIQUE,
    role          smallint NOT NULL CHECK (role BETWEEN 0 AND 2),
    password_hash text     NOT NULL,
    created_at    bigint   NOT NULL
);

-- Who is signed in. The id is a digest of what the browser holds.
CREATE TABLE sessions (
    id         bytea  PRIMARY KEY CHECK (length(id) = 32),
    person     bigint NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    created_at bigint NOT NULL,
    seen_at    bigint NOT NULL,
    ends_at    bigint NOT NULL,
    agent      text   NOT NULL,
    address    text   NOT NULL
);

-- Lists and ends a person's sessions, and the foreign key asks for it.
CREATE INDEX sessions_by_person ON sessions (person);

-- Forgets those that have ended.
CREATE INDEX sessions_by_end ON sessions (ends_at);

-- Who changed what. It outlives what it speaks of, so it names things and refers to nothing.
CREATE TABLE audit (
    number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          bigint NOT NULL,
    actor       text   COLLATE "C" NOT NULL,
    action      text   COLLATE "C" NOT NULL,
    environment uuid,
    target      text   NOT NULL,
    detail      text   NOT NULL
);

-- Lists an environment's entries newest first.
CREATE INDEX audit_by_environment ON audit (environment, number) WHERE environment IS NOT NULL;

-- Lists what somebody did, newest first.
CREATE INDEX audit_by_actor ON audit (actor, number);

-- Forgets the old ones.
CREATE INDEX audit_by_time ON audit (at);

-- What happened in spans of time, added up, for charts: of an environment as a whole where webhook is 0, else of that webhook.
CREATE TABLE activity (
    environment bigint NOT NULL,
    webhook     bigint NOT NULL CHECK (webhook >= 0),
    from_at     bigint NOT NULL,
    accepted    bigint NOT NULL CHECK (accepted >= 0),
    delivered   bigint NOT NULL CHECK (delivered >= 0),
    failed      bigint NOT NULL CHECK (failed >= 0),
    PRIMARY KEY (environment, webhook, from_at),
    CHECK (webhook = 0 OR accepted = 0)
);

-- Forgets the old spans.
CREATE INDEX activity_by_time ON activity (from_at);

-- The master keys that secrets were sealed with; nothing here tells anything about them. States: 0 current, 1 retiring, 2 retired.
CREATE TABLE master_keys (
    number bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id     bytea    NOT NULL UNIQUE CHECK (length(id) = 4),
    state  smallint NOT NULL CHECK (state BETWEEN 0 AND 2),
    since  bigint   NOT NULL
);

-- One of them is current.
CREATE UNIQUE INDEX master_keys_current ON master_keys (state) WHERE state = 0;

-- The server's own keys, sealed with a master key. Purposes: 0 access tokens, 1 client secrets. The one in use has no end.
CREATE TABLE server_keys (
    number  bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    purpose smallint NOT NULL CHECK (purpose BETWEEN 0 AND 1),
    sealed  bytea    NOT NULL,
    made_at bigint   NOT NULL,
    ends_at bigint
);

-- Of each purpose one is in use.
CREATE UNIQUE INDEX server_keys_in_use ON server_keys (purpose) WHERE ends_at IS NULL;

-- Event types that an environment added to the built-in ones.
CREATE TABLE event_types (
    environment  bigint NOT NULL REFERENCES environments (id),
    key          text   COLLATE "C" NOT NULL,
    category     text   NOT NULL,
    display_name text   NOT NULL,
    description  text   NOT NULL,
    example      text,
    schema       text,
    created_at   bigint NOT NULL,
    PRIMARY KEY (environment, key)
);

-- What people configure. A deleted one stays as long as its log, but without anything secret. `changed` is the routing version that its last change
-- raised, its deletion too. Reasons for being disabled: 0 by an operator, 1 answered 410, 2 failing.
CREATE TABLE webhooks (
    id             bigint   PRIMARY KEY CHECK (id > 0),
    environment    bigint   NOT NULL REFERENCES environments (id),
    tenant         text     COLLATE "C",
    name           text     COLLATE "C" NOT NULL,
    description    text     NOT NULL,
    url            text     COLLATE "C" NOT NULL,
    secret         bytea,
    old_secret     bytea,
    old_until      bigint,
    subscription   text     NOT NULL,
    headers        bytea,
    disabled_at    bigint,
    disabled_why   smallint CHECK (disabled_why BETWEEN 0 AND 2),
    created_at     bigint   NOT NULL,
    updated_at     bigint   NOT NULL,
    deleted_at     bigint,
    changed        bigint   NOT NULL,
    CHECK ((disabled_at IS NULL) = (disabled_why IS NULL)),
    CHECK ((old_secret IS NULL) = (old_until IS NULL)),
    CHECK (deleted_at IS NULL OR (secret IS NULL AND old_secret IS NULL AND headers IS NULL))
);

-- Lists an environment's webhooks newest first, and loads its routing.
CREATE INDEX webhooks_by_environment ON webhooks (environment, id);

-- Finds what a tenant owns, the deleted ones too: their log is still the tenant's.
CREATE INDEX webhooks_by_tenant ON webhooks (environment, tenant) WHERE tenant IS NOT NULL;

-- Reads what has changed since a version.
CREATE INDEX webhooks_by_change ON webhooks (environment, changed);

-- How a webhook has been doing, apart from what people configure because every settle writes it. A webhook that is not deleted has a row. There is room
-- on every page for the next version of a row, so that no settle touches the index.
CREATE TABLE webhook_health (
    webhook         bigint PRIMARY KEY REFERENCES webhooks (id) ON DELETE CASCADE,
    attempts        bigint NOT NULL CHECK (attempts >= 0),
    failures        bigint NOT NULL CHECK (failures BETWEEN 0 AND attempts),
    last_attempt_at bigint,
    failing_since   bigint,
    CHECK ((attempts = 0) = (last_attempt_at IS NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- What happened. Ids rise in the order of the commits (see the advisory lock of the road), so every insert goes to the end. The body is bytes as they
-- are delivered; `checksum` is its CRC-32. Whoever prunes walks over what was pruned until it is vacuumed, so that is done long before a fifth of the table
-- is gone.
CREATE TABLE events (
    id          bigint   PRIMARY KEY CHECK (id > 0),
    environment bigint   NOT NULL,
    trigger     smallint NOT NULL CHECK (trigger BETWEEN 0 AND 2),
    deliveries  integer  NOT NULL CHECK (deliveries >= 0),
    checksum    bigint   NOT NULL,
    key         text     COLLATE "C" NOT NULL,
    tenant      text     COLLATE "C",
    user_id     text     COLLATE "C",
    application text     COLLATE "C",
    body        bytea    NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- Lists and prunes an environment's events by age.
CREATE INDEX events_by_environment ON events (environment, id);

-- Lists those of a key, and those of a tenant, newest first.
CREATE INDEX events_by_key ON events (environment, key, id);
CREATE INDEX events_by_tenant ON events (environment, tenant, id) WHERE tenant IS NOT NULL;

-- The newest event id that pruning removed: ids are never given out twice, also when the log is empty.
CREATE TABLE pruned (
    place smallint PRIMARY KEY CHECK (place = 0),
    event bigint   NOT NULL
);
INSERT INTO pruned (place, event) VALUES (0, 0);

-- Promises of callers that a repeated request is the same request.
CREATE TABLE idempotency (
    environment bigint  NOT NULL,
    key         text    COLLATE "C" NOT NULL,
    event       bigint  NOT NULL,
    deliveries  integer NOT NULL CHECK (deliveries >= 0),
    fingerprint bytea   NOT NULL CHECK (length(fingerprint) = 32),
    expires_at  bigint  NOT NULL,
    PRIMARY KEY (environment, key)
);

-- Forgets expired keys without looking at the others.
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);

-- One event on its way to one webhook.
-- Triggers: 0 event, 1 resend, 2 test. States: 0 pending, 1 delivered, 2 exhausted, 3 cancelled.
-- Reasons for being cancelled: 0 gone, 1 webhook disabled, 2 webhook deleted, 3 the body of the event is not what was accepted.
CREATE TABLE deliveries (
    event       bigint   NOT NULL,
    webhook     bigint   NOT NULL,
    environment bigint   NOT NULL,
    created_at  bigint   NOT NULL,
    due_at      bigint,
    lease_token bigint,
    lease_until bigint,
    ended_at    bigint,
    ordinal     integer  NOT NULL CHECK (ordinal >= 0),
    attempts    integer  NOT NULL CHECK (attempts BETWEEN 0 AND 65535),
    last_status integer  CHECK (last_status BETWEEN 0 AND 65535),
    trigger     smallint NOT NULL CHECK (trigger BETWEEN 0 AND 2),
    state       smallint NOT NULL CHECK (state BETWEEN 0 AND 3),
    why         smallint CHECK (why BETWEEN 0 AND 3),
    PRIMARY KEY (event, ordinal),
    CHECK ((state = 0) = (due_at IS NOT NULL)),
    CHECK ((state = 0) = (ended_at IS NULL)),
    CHECK ((state = 3) = (why IS NOT NULL)),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
    CHECK (state = 0 OR lease_token IS NULL),
    CHECK (attempts > 0 OR last_status IS NULL)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- Lists a webhook's deliveries newest first.
CREATE INDEX deliveries_by_webhook ON deliveries (webhook, event, ordinal);

-- Lists those that came to nothing, however rare they are; the happy path never writes them.
CREATE INDEX deliveries_failed ON deliveries (webhook, event, ordinal) WHERE state >= 2;
CREATE INDEX deliveries_failed_by_environment ON deliveries (environment, state, event, ordinal) WHERE state >= 2;

-- Lists those that failed and are tried again, however few they are among those that arrived.
CREATE INDEX deliveries_retrying ON deliveries (webhook, event, ordinal) WHERE state = 0 AND attempts > 0;
CREATE INDEX deliveries_retrying_by_environment ON deliveries (environment, event, ordinal) WHERE state = 0 AND attempts > 0;

-- Lists what is not finished, of a webhook and of an environment.
CREATE INDEX deliveries_pending ON deliveries (webhook, event, ordinal) WHERE state = 0;
CREATE INDEX deliveries_pending_by_environment ON deliveries (environment, event, ordinal) WHERE state = 0;

-- What a webhook has to lease, oldest due first.
CREATE INDEX deliveries_waiting ON deliveries (webhook, due_at, event, ordinal) WHERE state = 0 AND lease_token IS NULL;

-- What is in somebody's hands, by when another may have it: not before it is due and the lease has ended.
CREATE INDEX deliveries_leased ON deliveries (webhook, greatest(due_at, lease_until)) WHERE state = 0 AND lease_token IS NOT NULL;

-- Every HTTP try, written once. Verdicts: 0 delivered, 1 retry, 2 exhausted, 3 cancelled for the reason `why` (as in deliveries). `detail` is what only
-- people look at.
CREATE TABLE attempts (
    event      bigint   NOT NULL,
    started_at bigint   NOT NULL,
    ended_at   bigint   NOT NULL,
    retry_at   bigint,
    ordinal    integer  NOT NULL,
    number     integer  NOT NULL CHECK (number BETWEEN 1 AND 65535),
    status     integer  CHECK (status BETWEEN 0 AND 65535),
    verdict    smallint NOT NULL CHECK (verdict BETWEEN 0 AND 3),
    why        smallint CHECK (why BETWEEN 0 AND 2),
    detail     bytea    NOT NULL,
    reply_body bytea,
    PRIMARY KEY (event, ordinal, number),
    CHECK ((verdict = 1) = (retry_at IS NOT NULL)),
    CHECK ((verdict = 3) = (why IS NOT NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- The last move of the whole store, away from here (role 0) or into here (role 1). One that went away, or is not finished, keeps everybody from serving.
-- `reached` is where the next chunk begins (JSON); it is empty once everything is here.
CREATE TABLE moved (
    place       smallint PRIMARY KEY CHECK (place = 0),
    id          uuid     NOT NULL,
    role        smallint NOT NULL CHECK (role BETWEEN 0 AND 1),
    other       text     NOT NULL,
    reached     text,
    finished_at bigint,
    CHECK (reached IS NULL OR (role = 1 AND finished_at IS NULL))
);
