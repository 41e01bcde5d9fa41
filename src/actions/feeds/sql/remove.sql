-- remove: feeds, and with them their episodes and the log of their fetches.
-- Parameter: their numbers.
DELETE FROM feeds
 WHERE id = ANY ($1)
RETURNING id, url, (SELECT count(*) FROM episodes WHERE feed_id = feeds.id) AS episodes
