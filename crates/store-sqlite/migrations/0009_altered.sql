-- A delivery may be cancelled for one more reason, 3: the disk altered the body of its event. A CHECK is changed by a new table.
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
    why         INTEGER CHECK (why BETWEEN 0 AND 3),
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
    SELECT event, ordinal, webhook, trigger, state, due_at, lease_token, lease_until, attempts, last_status, ended_at, why, created_at, environment, apart
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
CREATE INDEX deliveries_apart ON deliveries (webhook, event, ordinal) WHERE apart = 1;
CREATE INDEX deliveries_pending ON deliveries (webhook, event, ordinal) WHERE state = 0;
