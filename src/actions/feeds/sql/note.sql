-- note: fetches that have brought no document (unchanged, or failed), and when the next ones are. Several at once, because
-- a commit of its own for each would be most of what they cost. Only those whose claim is still ours; locked by number, so
-- that two that note the same feeds do not wait for each other in a circle.
-- Parameters, of each: 1 feed, 2 the next_fetch that its claim has set, 3 state, 4 reason, 5 seconds until the next
-- fetch, 6 status or NULL, 7 errors in a row, 8 the error or NULL, 9 seconds that it took.
WITH came AS (
    SELECT *
      FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::float8[], $6::integer[], $7::integer[],
                  $8::text[], $9::float8[]) AS came (id, claimed, state, reason, wait, status, errors, error, took)
), ours AS (
    SELECT feeds.id
      FROM feeds JOIN came ON came.id = feeds.id AND came.claimed = feeds.next_fetch
     ORDER BY feeds.id
       FOR NO KEY UPDATE OF feeds
), feed AS (
    UPDATE feeds
       SET state = came.state, reason = came.reason, next_fetch = clock_timestamp() + make_interval(secs => came.wait),
           last_status = came.status, error_count = came.errors, last_error = came.error,
           last_success = CASE WHEN came.error IS NULL THEN clock_timestamp() ELSE last_success END
      FROM ours JOIN came USING (id)
     WHERE feeds.id = ours.id
    RETURNING feeds.id, url, came.status, came.took, came.error
)
INSERT INTO feed_fetches (feed_id, status, took, error, from_url)
SELECT id, status, make_interval(secs => took), error, url FROM feed
RETURNING feed_id
