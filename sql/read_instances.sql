-- read_instances: which processes have claimed these runs, as far as they are still open.
-- Parameter: the run ids.
SELECT app_name, run_id, coalesce(fence, 0) AS fence, instance
  FROM crontabber_log
 WHERE run_id = ANY ($1) AND outcome = 'running' AND instance IS NOT NULL
