-- The routing version that a webhook's last change raised, its deletion too: who knows the routing as of a version reads what has changed since.
ALTER TABLE webhooks ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;

-- Reads them.
CREATE INDEX webhooks_by_change ON webhooks (environment, changed);
