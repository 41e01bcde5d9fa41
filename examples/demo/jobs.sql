-- jobs: what became of each job, by host.
SELECT app_name,
       count(*) FILTER (WHERE host = 'alpha') AS alpha,
       count(*) FILTER (WHERE host = 'beta') AS beta,
       count(*) FILTER (WHERE attempt > 1) AS retries,
       count(*) FILTER (WHERE outcome = 'lost') AS lost
  FROM crontabber_log
 WHERE run_id IS NOT NULL
 GROUP BY app_name
 ORDER BY app_name;
