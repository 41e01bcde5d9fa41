-- show_episodes: the newest episodes that a feed has; those without a date by when they were first seen.
-- Parameters: 1 feed, 2 how many.
SELECT guid, title, link, enclosure_url, duration, published, first_seen
  FROM episodes
 WHERE feed_id = $1 AND gone_at IS NULL
 ORDER BY coalesce(published, first_seen) DESC, key
 LIMIT $2
