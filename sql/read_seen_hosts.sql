-- read_seen_hosts: every host that has announced itself, what it offers, when it was seen last, and since when it takes no work.
SELECT host, tags, seen_at, drain_at
  FROM crontabber_host
 ORDER BY host
