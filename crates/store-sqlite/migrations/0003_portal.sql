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

-- Forgets the old ones.
CREATE INDEX audit_by_time ON audit (at);

-- What happened in spans of time, added up, for charts: of an environment as a whole where webhook is 0, else of that webhook.
CREATE TABLE activity (
    environment INTEGER NOT NULL,
    webhook     INTEGER NOT NULL,
    from_at     INTEGER NOT NULL,
    accepted    INTEGER NOT NULL,
    delivered   INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    PRIMARY KEY (environment, webhook, from_at)
) STRICT, WITHOUT ROWID;

-- Forgets the old spans.
CREATE INDEX activity_by_time ON activity (from_at);

