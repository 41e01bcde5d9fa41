-- read_triggered_run: the run that was claimed for a request, with its whole output: its slot is the instant of the
-- request. By the index on (app_name, slot, attempt).
-- Parameters: 1 the job, 2 the instant of the request.
SELECT l.run_id, l.app_name, l.slot, l.slot_until, l.slots, l.attempt, l.fence, l.host, l.trigger, l.outcome,
       l.reason, l.started_at, l.finished_at, l.exit_code, l.signal, l.output
  FROM crontabber_log l
 WHERE l.app_name = $1 AND l.slot = $2 AND l.trigger = 'manual' AND l.attempt > 0
 ORDER BY l.attempt DESC
 LIMIT 1
