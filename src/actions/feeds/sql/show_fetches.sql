-- show_fetches: the last fetches of a feed, the newest first.
-- Parameters: 1 feed, 2 how many.
SELECT at, status, extract(epoch FROM took)::float8 AS took, bytes, added, changed, vanished, error, from_url
  FROM feed_fetches
 WHERE feed_id = $1
 ORDER BY at DESC, id DESC
 LIMIT $2
