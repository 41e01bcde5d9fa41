-- claim: take feeds that are due, and put off their next fetch before the first: a crash fetches none of them in a
-- circle, and no other process takes them meanwhile. SKIP LOCKED: whoever holds a row is fetching it. Hosts of which
-- enough feeds are claimed already are passed over, so that one of them does not keep the others waiting.
-- The clock in a SELECT of its own: else no index is asked, and each claim looks at all feeds that there are.
-- Parameters: 1 how many, 2 for how many seconds, 3 hosts that are passed over.
UPDATE feeds f
   SET next_fetch = clock_timestamp() + make_interval(secs => $2), last_fetch = clock_timestamp()
  FROM (SELECT id, host
          FROM feeds, coalesce(substring(url FROM '^[^/]*//[^/?#]*'), '') AS host
         WHERE state = 'active' AND next_fetch <= (SELECT clock_timestamp()) AND host <> ALL ($3)
         ORDER BY next_fetch
         LIMIT $1
           FOR UPDATE OF feeds SKIP LOCKED) AS due
 WHERE f.id = due.id
RETURNING f.id, f.url, due.host, f.next_fetch, f.error_count, extract(epoch FROM f.every)::float8 AS every,
          f.etag, f.last_modified, f.validators_url
