-- show: all that is known of one feed. When it has changed is asked of its episodes.
-- Parameter: its number.
SELECT id, url, state, reason, duplicate_of, extract(epoch FROM every)::float8 AS every, next_fetch, last_fetch,
       last_success, counted.last_change, last_status, error_count, last_error, etag, last_modified, validators_url, kind,
       title, author, site_url, image_url, language, created_at, counted.episodes, counted.vanished
  FROM feeds,
       (SELECT count(*) AS episodes, count(gone_at) AS vanished, max(greatest(first_seen, changed_at, gone_at)) AS last_change
          FROM episodes
         WHERE feed_id = $1) AS counted
 WHERE id = $1
