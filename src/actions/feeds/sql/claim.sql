-- claim: take feeds that are due, and put off their next fetch before the first: a crash fetches none of them in a
-- circle, and no other process takes them meanwhile. SKIP LOCKED: whoever holds a row is fetching it. Hosts of which
-- enough feeds are claimed already are passed over, so that one of them does not keep the others waiting.
-- The clock in a SELECT of its own: else no index is asked, and each claim looks at all feeds that there are.
-- How many is written here, and is no parameter: of a plan that is made once, sixteen are looked up, where a tenth of all
-- that there are, which is what it takes a parameter for, would be read from beginning to end.
-- Parameters: 1 for how many seconds, 2 hosts that are passed over.
UPDATE feeds f
   SET next_fetch = clock_timestamp() + make_interval(secs => $1), last_fetch = clock_timestamp()
  FROM (SELECT id, host
          FROM feeds, coalesce(substring(url FROM '^[^/]*//[^/?#]*'), '') AS host
         WHERE state = 'active' AND next_fetch <= (SELECT clock_timestamp()) AND host <> ALL ($2)
         ORDER BY next_fetch
         LIMIT 16
           FOR UPDATE OF feeds SKIP LOCKED) AS due
 WHERE f.id = due.id
RETURNING f.id, f.url, due.host, f.next_fetch, f.error_count, extract(epoch FROM f.every)::float8 AS every,
          f.etag, f.last_modified, f.validators_url
