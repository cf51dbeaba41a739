-- Names the master key that this store's secrets are sealed with, and tells nothing about it: another key could not open them.
CREATE TABLE master_key (
    only INTEGER PRIMARY KEY CHECK (only = 0),
    id   BLOB NOT NULL CHECK (length(id) = 4)
) STRICT;
