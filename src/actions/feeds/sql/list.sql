-- list: feeds, those that need somebody first.
-- Parameters: 1 a state, or NULL for all of them, 2 how many at most.
SELECT id, url, state, reason, title, extract(epoch FROM every)::float8 AS every, error_count, last_error, next_fetch,
       last_success
  FROM feeds
 WHERE $1 IS NULL OR state = $1
 ORDER BY state = 'active', error_count DESC, id
 LIMIT $2
