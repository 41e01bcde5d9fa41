-- list: all feeds, those that need somebody first.
-- Parameter: a state, or NULL for all of them.
SELECT id, url, state, reason, title, error_count, last_error, next_fetch, last_success,
       (SELECT count(*) FROM episodes e WHERE e.feed_id = feeds.id) AS episodes
  FROM feeds
 WHERE $1 IS NULL OR state = $1
 ORDER BY state = 'active', error_count DESC, id
