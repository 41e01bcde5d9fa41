-- read_ghosts: who ran these rows last, and which hosts know them: those that have announced a definition within a day,
-- and Python's, which announce nothing but run their jobs. Asked by the index on (app_name, slot, attempt), as
-- read_last_hosts; a last run that is none of ours was Python's.
-- Parameters: 1 names, 2 this host, 3 the time or NULL.
SELECT c.app_name,
       last.host AS last_host,
       coalesce(known.hosts, '{}')
           || CASE WHEN last.host = 'python' AND c.last_run > clock.now - interval '1 day'
                   THEN ARRAY['python'] ELSE '{}'::text[] END AS known_by
  FROM (SELECT coalesce($3::timestamptz, clock_timestamp()) AS now) AS clock, crontabber c
 CROSS JOIN LATERAL (
       SELECT CASE WHEN c.last_run IS NOT NULL THEN coalesce(
                  (SELECT l.host FROM crontabber_log l
                    WHERE l.app_name = c.app_name AND l.slot IS NOT NULL AND l.attempt > 0 AND l.started_at = c.last_run
                    LIMIT 1), 'python') END AS host) last
 CROSS JOIN LATERAL (
       SELECT array_agg(h.host ORDER BY h.host) AS hosts
         FROM crontabber_host h
        WHERE (h.definitions ? c.app_name OR c.app_name LIKE '%@%' AND h.host = substr(c.app_name, strpos(c.app_name, '@') + 1)
                                             AND h.definitions ? split_part(c.app_name, '@', 1))
          AND h.host <> $2 AND h.seen_at > clock.now - interval '1 day') known
 WHERE c.app_name = ANY ($1)
 ORDER BY c.app_name
