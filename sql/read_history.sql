-- read_history: the newest entries of the log, of some rows or of all. Python's rows have none of our columns: what
-- they hold is said in our words, so that one history tells of both.
-- By id, not by time: ids are given in the order of the claims, and no clock can turn them round.
-- Parameters: 1 the names of the rows or NULL, 2 only what went wrong, 3 how many, 4 how many characters of the output's end.
SELECT l.run_id, l.app_name, l.slot, l.slot_until, l.slots, l.attempt, l.fence,
       coalesce(l.host, CASE WHEN l.outcome IS NULL THEN 'python' END) AS host,
       l.trigger,
       coalesce(l.outcome, CASE WHEN l.success IS NOT NULL THEN 'success' ELSE 'failure' END) AS outcome,
       coalesce(l.reason, left(l.exc_value, 500)) AS reason,
       coalesce(l.started_at, CASE WHEN l.outcome IS NULL THEN l.log_time - l.duration END) AS started_at,
       coalesce(l.finished_at, CASE WHEN l.outcome IS NULL THEN l.log_time END) AS finished_at,
       l.exit_code, l.signal, nullif(right(l.output, $4), '') AS output
  FROM crontabber_log l
 WHERE ($1::text[] IS NULL OR l.app_name = ANY ($1))
   AND (NOT $2 OR l.outcome IN ('failure', 'timeout', 'lost') OR (l.outcome IS NULL AND l.success IS NULL))
 ORDER BY l.id DESC
 LIMIT $3
