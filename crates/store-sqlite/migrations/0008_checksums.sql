-- Over the bytes of `body`: a page has no checksum of its own, and a flipped bit would be delivered. What is older than this schema has none.
ALTER TABLE bodies ADD COLUMN checksum INTEGER;
