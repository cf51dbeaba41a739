-- Whose delivery it is: the event's environment again, so that what became of deliveries is found without looking at their events.
ALTER TABLE deliveries ADD COLUMN environment INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET environment = (SELECT environment FROM events WHERE events.id = deliveries.event);

-- Lists what came to nothing in an environment, newest first; the happy path never writes it.
CREATE INDEX deliveries_failed_by_environment ON deliveries (environment, state, event, ordinal) WHERE state >= 2;

-- Lists what is not finished in an environment. The happy path writes it twice, always at its end.
CREATE INDEX deliveries_pending_by_environment ON deliveries (environment, event, ordinal) WHERE state = 0;

-- Lists what failed and is tried again in an environment.
CREATE INDEX deliveries_retrying_by_environment ON deliveries (environment, event, ordinal) WHERE state = 0 AND attempts > 0;

-- Lists and prunes an environment's events by age, and narrows them by key and tenant without reading the events themselves. Its order is that of
-- the ids, so that every insert still goes to its environment's end.
DROP INDEX events_by_environment;
CREATE INDEX events_by_environment ON events (environment, id, key, tenant);

-- Who is signed in. The id is a digest of what the browser holds.
CREATE TABLE sessions (
    id         BLOB    PRIMARY KEY CHECK (length(id) = 32),
    person     INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    agent      TEXT    NOT NULL,
    address    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Lists and ends a person's sessions, and the foreign key asks for it.
CREATE INDEX sessions_by_person ON sessions (person);

-- Forgets those that have ended.
CREATE INDEX sessions_by_end ON sessions (ends_at);

-- Who changed what. It outlives what it speaks of, so it names things and refers to nothing.
CREATE TABLE audit (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    environment BLOB    CHECK (length(environment) = 16),
    target      TEXT    NOT NULL,
    detail      TEXT    NOT NULL
) STRICT;

-- Lists an environment's entries newest first.
CREATE INDEX audit_by_environment ON audit (environment, number) WHERE environment IS NOT NULL;

-- Lists what somebody did, newest first.
CREATE INDEX audit_by_actor ON audit (actor, number);

-- Forgets the old ones.
CREATE INDEX audit_by_time ON audit (at);

-- What happened in spans of time, added up, for charts: of an environment as a whole where webhook is 0, else of that webhook.
CREATE TABLE activity (
    environment INTEGER NOT NULL,
    webhook     INTEGER NOT NULL CHECK (webhook >= 0),
    from_at     INTEGER NOT NULL,
    accepted    INTEGER NOT NULL CHECK (accepted >= 0),
    delivered   INTEGER NOT NULL CHECK (delivered >= 0),
    failed      INTEGER NOT NULL CHECK (failed >= 0),
    PRIMARY KEY (environment, webhook, from_at),
    CHECK (webhook = 0 OR accepted = 0)
) STRICT, WITHOUT ROWID;

-- Forgets the old spans.
CREATE INDEX activity_by_time ON activity (from_at);

