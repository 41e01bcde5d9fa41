-- read_seen_hosts: every host that has announced itself, what it offers and when it was seen last.
SELECT host, tags, seen_at
  FROM crontabber_host
 ORDER BY host
