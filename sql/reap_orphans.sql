-- reap_orphans: close running log rows whose claim is gone from the job's row (deleted, restored, taken over by
-- a foreign writer): left open, each would make every later claim of its job hit the one-running-row index.
-- Parameters: lease in seconds, the time or NULL.
UPDATE crontabber_log l
   SET outcome = 'lost', reason = 'the claim is gone from the row of the job',
       finished_at = coalesce($2, clock_timestamp()), log_time = coalesce($2, clock_timestamp())
 WHERE l.outcome = 'running'
   AND l.started_at < coalesce($2, clock_timestamp()) - make_interval(secs => $1)
   AND NOT EXISTS (SELECT FROM crontabber j WHERE j.app_name = l.app_name AND j.run_id = l.run_id)
RETURNING l.app_name, l.run_id, l.host, l.reason AS why
