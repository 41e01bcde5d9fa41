-- read_newest: which live hosts go by the definition of a job that was changed last, and take work. Asked by a host that
-- goes by another one, and only for jobs that are due. Compared here, because definitions are megabytes in a large fleet.
-- Parameters: arrays, one entry a job: 1 names, 2 the hashes in their rows; 3 for how many seconds an announcement is
-- news, 4 the time or NULL.
SELECT n.name AS app_name, h.host
  FROM unnest($1::text[], $2::text[]) AS n(name, definition_hash)
  JOIN crontabber_host h ON h.definitions ->> n.name = n.definition_hash
 WHERE h.seen_at >= coalesce($4::timestamptz, clock_timestamp()) - make_interval(secs => $3)
   AND h.drain_at IS NULL
 ORDER BY n.name, h.host
