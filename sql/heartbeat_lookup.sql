-- heartbeat_lookup: which of these claims still stand, read without a lock.
-- A claim that stands was merely locked by somebody; one that does not is fenced.
-- Parameters: 1 jobs, 2 run ids, 3 fences.
SELECT j.run_id
  FROM unnest($1, $2, $3) AS m(app_name, run_id, fence)
  JOIN crontabber j ON j.app_name = m.app_name AND j.run_id = m.run_id AND j.fence = m.fence
