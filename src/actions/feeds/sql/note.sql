-- note: a fetch that has brought no document (unchanged, or failed), and when the next one is.
-- Parameters: 1 feed, 2 the next_fetch that its claim has set, 3 state, 4 reason, 5 seconds until the next fetch,
-- 6 status or NULL, 7 errors in a row, 8 the error or NULL, 9 seconds that it took.
WITH feed AS (
    UPDATE feeds
       SET state = $3, reason = $4, next_fetch = clock_timestamp() + make_interval(secs => $5), last_status = $6,
           error_count = $7, last_error = $8,
           last_success = CASE WHEN $8 IS NULL THEN clock_timestamp() ELSE last_success END
     WHERE id = $1 AND next_fetch = $2
    RETURNING id, url
)
INSERT INTO feed_fetches (feed_id, status, took, error, from_url)
SELECT id, $6, make_interval(secs => $9), $8, url FROM feed
RETURNING feed_id
