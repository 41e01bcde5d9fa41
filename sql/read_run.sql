-- read_run: runs with their whole output: those of a range of run ids (a prefix that somebody typed), newest first.
-- A range and not LIKE, so that the index on run_id finds them.
-- Parameters: 1 the names of the rows or NULL, 2-3 first and last run id, 4 how many.
SELECT l.run_id, l.app_name, l.slot, l.slot_until, l.slots, l.attempt, l.fence, l.host, l.trigger, l.outcome,
       l.reason, l.started_at, l.finished_at, l.exit_code, l.signal, l.output
  FROM crontabber_log l
 WHERE ($1::text[] IS NULL OR l.app_name = ANY ($1))
   AND l.run_id BETWEEN $2 AND $3
 ORDER BY l.id DESC
 LIMIT $4
