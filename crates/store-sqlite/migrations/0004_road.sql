-- The road of an event, laid out so that one that is delivered at the first try is written at the ends of three tables and nowhere else.

-- A delivery has a row only when it is not as its event promised: not sent at once, failed, cancelled, resent, or taken over. Without a row it is
-- `delivered` when its first attempt is there, and otherwise in the hands of the node that appended it.
-- `apart`: it is not among its event's targets (a resend, or older than this schema), so that it is found by its row alone.
ALTER TABLE deliveries ADD COLUMN apart INTEGER NOT NULL DEFAULT 1 CHECK (apart IN (0, 1));
DROP INDEX deliveries_by_webhook;

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
    trigger     INTEGER NOT NULL CHECK (trigger IN (0, 1, 2)),
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

-- The end and the status come before what is long, because lists of deliveries read them.
ALTER TABLE attempts RENAME TO attempts_before;
CREATE TABLE attempts (
    event      INTEGER NOT NULL,
    ordinal    INTEGER NOT NULL,
    number     INTEGER NOT NULL CHECK (number BETWEEN 1 AND 65535),
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    status     INTEGER CHECK (status BETWEEN 0 AND 65535),
    verdict    INTEGER NOT NULL CHECK (verdict IN (0, 1, 2, 3)),
    retry_at   INTEGER,
    why        INTEGER CHECK (why IN (0, 1, 2)),
    detail     TEXT    NOT NULL,
    reply_body BLOB,
    PRIMARY KEY (event, ordinal, number),
    CHECK ((verdict = 1) = (retry_at IS NOT NULL)),
    CHECK ((verdict = 3) = (why IS NOT NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO attempts
    SELECT event, ordinal, number, started_at, started_at, NULL, verdict, retry_at, why, detail, reply_body
    FROM attempts_before ORDER BY event, ordinal, number;
DROP TABLE attempts_before;

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
