-- Since when the master key seals. Nobody could change it before now, so it is as old as the database.
ALTER TABLE master_key ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
UPDATE master_key SET since = coalesce((SELECT applied_at FROM migrations WHERE version = 1), 0);

-- The master keys before it. One is retired when nothing that it sealed is left here; what was copied before needs it still.
CREATE TABLE former_master_keys (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    id      BLOB    NOT NULL UNIQUE CHECK (length(id) = 4),
    since   INTEGER NOT NULL,
    retired INTEGER NOT NULL CHECK (retired BETWEEN 0 AND 1)
) STRICT;

-- The server's own keys, sealed with a master key. Purposes: 0 access tokens, 1 client secrets. The one in use has no end.
CREATE TABLE server_keys (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    purpose INTEGER NOT NULL CHECK (purpose BETWEEN 0 AND 1),
    sealed  BLOB    NOT NULL,
    made_at INTEGER NOT NULL,
    ends_at INTEGER
) STRICT;

-- Of each purpose one is in use.
CREATE UNIQUE INDEX server_keys_in_use ON server_keys (purpose) WHERE ends_at IS NULL;
