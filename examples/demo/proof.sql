-- proof: what the log says about the whole show, one figure a row.
-- wanted: 0 = it must not happen, n = it must be seen n times at least.
WITH run AS (
    -- Every start of every run.
    SELECT app_name, slot, attempt, run_id, host, outcome, started_at,
           coalesce(finished_at, 'infinity') AS finished_at
      FROM crontabber_log
     WHERE run_id IS NOT NULL
), again AS (
    -- Each run of a slot that had been started before, beside the one before.
    SELECT l.app_name, f.outcome AS first_outcome, f.host AS first_host, l.outcome, l.host
      FROM run l JOIN run f ON f.app_name = l.app_name AND f.slot = l.slot AND f.attempt = l.attempt - 1
), child AS (
    -- Each run of a job with parents, once a parent, and whether that had succeeded anew.
    SELECT c.run_id,
           EXISTS (SELECT FROM run p
                    WHERE p.app_name = parent AND p.outcome = 'success' AND p.finished_at <= c.started_at
                      AND p.slot <= c.slot
                      AND p.slot > coalesce(
                              (SELECT max(o.slot) FROM run o WHERE o.app_name = c.app_name AND o.slot < c.slot),
                              '-infinity')) AS was_ready
      FROM run c JOIN crontabber j USING (app_name) CROSS JOIN unnest(j.depends_on) AS parent
)
SELECT 'slots run' AS figure, 1 AS wanted, count(DISTINCT (app_name, slot)) AS seen FROM run
UNION ALL SELECT 'slots that succeeded', 1, count(DISTINCT (app_name, slot)) FROM run WHERE outcome = 'success'
UNION ALL SELECT 'started twice (again without a failure or a loss)', 0, count(*)
  FROM again WHERE first_outcome NOT IN ('failure', 'lost', 'timeout')
UNION ALL SELECT 'overlaps (two runs of one job at once)', 0, count(*)
  FROM run a JOIN run b ON b.app_name = a.app_name AND b.run_id > a.run_id
   AND b.started_at < a.finished_at AND a.started_at < b.finished_at
UNION ALL SELECT 'hosts that ran jobs', 2, count(DISTINCT host) FROM run WHERE outcome = 'success'
UNION ALL SELECT 'retries of a failure', 1, count(*) FROM again WHERE first_outcome = 'failure'
UNION ALL SELECT 'runs lost with their host', 1, count(*) FROM run WHERE outcome = 'lost'
UNION ALL SELECT 'of these, repeated by the other host', 1, count(*)
  FROM again WHERE first_outcome = 'lost' AND outcome = 'success' AND host <> first_host
UNION ALL SELECT 'children started after a parent', 1, count(*) FROM child WHERE was_ready
UNION ALL SELECT 'children started before it', 0, count(*) FROM child WHERE NOT was_ready
UNION ALL SELECT 'loads without a success, or the reverse', 0, count(*)
  FROM demo.loads l FULL JOIN (SELECT * FROM run WHERE app_name = 'load' AND outcome = 'success') r USING (slot)
 WHERE l.run_key IS NULL OR r.run_id IS NULL;
