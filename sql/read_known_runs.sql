-- read_known_runs: which of these runs the log knows.
-- Parameter: the run ids.
SELECT run_id
  FROM crontabber_log
 WHERE run_id = ANY ($1)
