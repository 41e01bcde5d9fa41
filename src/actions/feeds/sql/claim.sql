-- claim: take feeds that are due, and put off their next fetch before the first: a crash fetches none of them in a
-- circle, and no other process takes them meanwhile. SKIP LOCKED: whoever holds a row is fetching it.
-- Parameters: 1 how many, 2 for how many seconds.
UPDATE feeds f
   SET next_fetch = clock_timestamp() + make_interval(secs => $2), last_fetch = clock_timestamp()
  FROM (SELECT id
          FROM feeds
         WHERE state = 'active' AND next_fetch <= clock_timestamp()
         ORDER BY next_fetch
         LIMIT $1
           FOR UPDATE SKIP LOCKED) AS due
 WHERE f.id = due.id
RETURNING f.id, f.url, f.next_fetch, f.error_count, extract(epoch FROM f.every)::float8 AS every,
          f.etag, f.last_modified, f.validators_url
