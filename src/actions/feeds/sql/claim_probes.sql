-- claim_probes: take files without a duration, the newest first, and put them off before they are asked: a crash asks none
-- of them in a circle, and no other process takes them meanwhile. SKIP LOCKED: whoever holds an episode is taking it, or
-- saving its feed. Whoever comes a moment too late for a file leaves it out (the last WHERE).
-- Parameters: 1 how many, 2 for how many seconds.
WITH wanted AS (
    SELECT e.enclosure_url AS url
      FROM episodes e
      LEFT JOIN feed_probes p ON md5(p.url) = md5(e.enclosure_url)
     WHERE e.duration IS NULL AND e.enclosure_url IS NOT NULL
       AND e.enclosure_url ~* '^https?://' AND octet_length(e.enclosure_url) <= 8192
       AND (p.url IS NULL OR p.next_probe <= clock_timestamp())
     ORDER BY e.published DESC NULLS LAST
     LIMIT $1
       FOR UPDATE OF e SKIP LOCKED
)
INSERT INTO feed_probes AS p (url, last_probe, next_probe)
-- In one order, so that two that claim the same do not wait for each other in a circle.
SELECT url, clock_timestamp(), clock_timestamp() + make_interval(secs => $2)
  FROM (SELECT DISTINCT ON (md5(url)) url FROM wanted ORDER BY md5(url)) AS each
    ON CONFLICT (md5(url)) DO UPDATE
   SET last_probe = excluded.last_probe, next_probe = excluded.next_probe
 WHERE p.next_probe <= clock_timestamp()
RETURNING p.url, p.errors, p.next_probe
