-- The last move of the whole store, away from here (role 0) or into here (role 1). One that went away, or is not finished, keeps everybody from serving.
-- `reached` is where the next chunk begins (JSON); it is empty once everything is here.
CREATE TABLE moved (
    only        INTEGER PRIMARY KEY CHECK (only = 0),
    id          BLOB    NOT NULL CHECK (length(id) = 16),
    role        INTEGER NOT NULL CHECK (role BETWEEN 0 AND 1),
    other       TEXT    NOT NULL,
    reached     TEXT,
    finished_at INTEGER,
    CHECK (reached IS NULL OR (role = 1 AND finished_at IS NULL))
) STRICT;
