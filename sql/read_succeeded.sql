-- read_succeeded: the slots of a job in a range for which a run has succeeded, or that somebody has marked.
-- Parameters: 1 job, 2 the first and 3 the last slot of the range.
SELECT DISTINCT slot
  FROM crontabber_log
 WHERE app_name = $1 AND slot BETWEEN $2 AND $3 AND outcome = 'success'
 ORDER BY slot
