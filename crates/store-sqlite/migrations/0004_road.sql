-- The road of an event, laid out so that one that is delivered at the first try is written at the ends of three tables and of one index, and nowhere
-- else.

-- A delivery has a row only when it is not as its event promised: not sent at once, failed, cancelled, resent, or taken over. Without a row it is
-- `delivered` when its first attempt is there, and otherwise in the hands of the node that appended it.
-- `apart`: it is not among its event's targets (a resend, or older than this schema), so that it is found by its row alone.
-- CHECKs say BETWEEN rather than IN throughout: SQLite builds a table in memory for every longer list, at every insert.
ALTER TABLE deliveries RENAME TO deliveries_before;
CREATE TABLE deliveries (
    event       INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL CHECK (ordinal BETWEEN 0 AND 4294967295),
    webhook     INTEGER NOT NULL,
    trigger     INTEGER NOT NULL CHECK (trigger BETWEEN 0 AND 2),
    state       INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    due_at      INTEGER,
    lease_token INTEGER,
    lease_until INTEGER,
    attempts    INTEGER NOT NULL CHECK (attempts BETWEEN 0 AND 65535),
    last_status INTEGER CHECK (last_status BETWEEN 0 AND 65535),
    ended_at    INTEGER,
    why         INTEGER CHECK (why BETWEEN 0 AND 2),
    created_at  INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    apart       INTEGER NOT NULL CHECK (apart BETWEEN 0 AND 1),
    PRIMARY KEY (event, ordinal),
    CHECK ((state = 0) = (due_at IS NOT NULL)),
    CHECK ((state = 0) = (ended_at IS NULL)),
    CHECK ((state = 3) = (why IS NOT NULL)),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
    CHECK (state = 0 OR lease_token IS NULL),
    CHECK (attempts > 0 OR last_status IS NULL)
) STRICT, WITHOUT ROWID;
INSERT INTO deliveries
    SELECT event, ordinal, webhook, trigger, state, due_at, lease_token, lease_until, attempts, last_status, ended_at, why, created_at, environment, 1
    FROM deliveries_before ORDER BY event, ordinal;
DROP TABLE deliveries_before;

-- As before, on the new table.
CREATE INDEX deliveries_failed ON deliveries (webhook, event, ordinal) WHERE state >= 2;
CREATE INDEX deliveries_retrying ON deliveries (webhook, event, ordinal) WHERE state = 0 AND attempts > 0;
CREATE INDEX deliveries_waiting ON deliveries (webhook, due_at) WHERE state = 0 AND lease_token IS NULL;
CREATE INDEX deliveries_leased ON deliveries (webhook, max(due_at, lease_until)) WHERE lease_token IS NOT NULL;
CREATE INDEX deliveries_failed_by_environment ON deliveries (environment, state, event, ordinal) WHERE state >= 2;
CREATE INDEX deliveries_pending_by_environment ON deliveries (environment, event, ordinal) WHERE state = 0;
CREATE INDEX deliveries_retrying_by_environment ON deliveries (environment, event, ordinal) WHERE state = 0 AND attempts > 0;

-- Lists a webhook's deliveries that no target of an event names.
CREATE INDEX deliveries_apart ON deliveries (webhook, event, ordinal) WHERE apart = 1;

-- Lists what a webhook has not finished.
CREATE INDEX deliveries_pending ON deliveries (webhook, event, ordinal) WHERE state = 0;

-- What lists and senders need of an event. `targets` are the ids of the webhooks that it matched, eight bytes each, little-endian; the n-th has the
-- ordinal n. `due_at` is there when it is not the time of the id; `lease_until` when some of the deliveries were leased at once.
ALTER TABLE events RENAME TO events_before;
DROP INDEX events_by_environment;
CREATE TABLE events (
    id          INTEGER PRIMARY KEY CHECK (id > 0),
    environment INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    tenant      TEXT,
    trigger     INTEGER NOT NULL CHECK (trigger BETWEEN 0 AND 2),
    due_at      INTEGER,
    lease_until INTEGER,
    targets     BLOB    NOT NULL CHECK (length(targets) % 8 = 0)
) STRICT;
INSERT INTO events (id, environment, key, tenant, trigger, targets) SELECT id, environment, key, tenant, 0, x'' FROM events_before ORDER BY id;

-- What only receivers and pages about one event need. Apart from the rest, so that looking through events never touches it.
CREATE TABLE bodies (
    event       INTEGER PRIMARY KEY CHECK (event > 0),
    user        TEXT,
    application TEXT,
    body        BLOB    NOT NULL
) STRICT;
INSERT INTO bodies (event, user, application, body) SELECT id, user, application, body FROM events_before ORDER BY id;
DROP TABLE events_before;

-- Written at its end, whatever the order in which receivers answer. `detail` is bytes; it is text where it comes from before.
ALTER TABLE attempts RENAME TO attempts_before;
CREATE TABLE attempts (
    id         INTEGER PRIMARY KEY,
    event      INTEGER NOT NULL,
    ordinal    INTEGER NOT NULL,
    number     INTEGER NOT NULL CHECK (number BETWEEN 1 AND 65535),
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    status     INTEGER CHECK (status BETWEEN 0 AND 65535),
    verdict    INTEGER NOT NULL CHECK (verdict BETWEEN 0 AND 3),
    retry_at   INTEGER,
    why        INTEGER CHECK (why BETWEEN 0 AND 2),
    detail     ANY     NOT NULL CHECK (typeof(detail) = 'blob' OR typeof(detail) = 'text'),
    reply_body BLOB,
    CHECK ((verdict = 1) = (retry_at IS NOT NULL)),
    CHECK ((verdict = 3) = (why IS NOT NULL))
) STRICT;
INSERT INTO attempts (event, ordinal, number, started_at, ended_at, verdict, retry_at, why, detail, reply_body)
    SELECT event, ordinal, number, started_at, started_at, verdict, retry_at, why, detail, reply_body
    FROM attempts_before ORDER BY event, ordinal, number;
DROP TABLE attempts_before;

-- Finds the attempts of a delivery. With the end and the status of the first, lists of deliveries need no more than this.
CREATE INDEX attempts_of_delivery ON attempts (event, ordinal, number, ended_at, status);

-- Which events an environment had, and which went to a webhook: written for some thousand events at a time. An event newer than the last block is
-- found by looking through the end of `events`. Before `settled_before` every delivery without a row has its attempt.
CREATE TABLE blocks (
    first          INTEGER PRIMARY KEY,
    last           INTEGER NOT NULL,
    settled_before INTEGER NOT NULL,
    CHECK (first <= last)
) STRICT;

-- `events` are the ids, ascending, each as its distance from the one before (the first from the block's first), in base 128 with the low digits first
-- (LEB128).
CREATE TABLE environment_blocks (
    block       INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    events      BLOB    NOT NULL,
    PRIMARY KEY (block, environment)
) STRICT, WITHOUT ROWID;

-- The same by webhook; an event is there as often as it has the webhook among its targets.
CREATE TABLE webhook_blocks (
    block   INTEGER NOT NULL,
    webhook INTEGER NOT NULL,
    events  BLOB    NOT NULL,
    PRIMARY KEY (block, webhook)
) STRICT, WITHOUT ROWID;
