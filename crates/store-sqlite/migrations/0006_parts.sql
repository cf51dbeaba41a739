-- The events of a block that have something in common, ascending, each as its distance from the one before (the first from the block's first), in
-- base 128 with the low digits first (LEB128). Of an environment (kind 0, `owner` is its number), to a webhook (kind 1, `owner` is its id; an event is
-- there as often as it has the webhook among its targets), of an event type (kind 2) or of a tenant (kind 3), each with the environment's number and
-- the `name`.
CREATE TABLE parts (
    block  INTEGER NOT NULL,
    kind   INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 3),
    owner  INTEGER NOT NULL,
    name   TEXT    NOT NULL,
    events BLOB    NOT NULL,
    PRIMARY KEY (block, kind, owner, name)
) STRICT, WITHOUT ROWID;

-- Without blocks all events are in none yet, and come into new ones.
DROP TABLE environment_blocks;
DROP TABLE webhook_blocks;
DELETE FROM blocks;
