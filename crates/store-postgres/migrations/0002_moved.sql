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
