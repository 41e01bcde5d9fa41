-- read_last_hosts: where each job ran last: one step into the index on (app_name, slot, attempt) a job, however
-- long the log is. attempt 0 = did not run.
SELECT c.app_name, l.host
  FROM crontabber c
 CROSS JOIN LATERAL (
       SELECT l.host
         FROM crontabber_log l
        WHERE l.app_name = c.app_name AND l.slot IS NOT NULL AND l.attempt > 0
        ORDER BY l.slot DESC, l.attempt DESC
        LIMIT 1) l
 WHERE l.host IS NOT NULL
