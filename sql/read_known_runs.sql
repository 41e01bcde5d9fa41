-- read_known_runs: which of these runs the log knows, and whether it knows how they ended. Only a record writes a duration:
-- a run without one is held to be going on, or was closed by somebody who had not heard of its end.
-- Parameter: the run ids.
SELECT run_id, duration IS NOT NULL AS is_recorded
  FROM crontabber_log
 WHERE run_id = ANY ($1)
