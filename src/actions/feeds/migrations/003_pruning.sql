-- 003_pruning: what finds the oldest fetches.
CREATE INDEX IF NOT EXISTS feed_fetches_at ON feed_fetches (at);
