-- heartbeat: renew all of a host's claims, each by run id and fence, in one statement.
-- SKIP LOCKED: one row that somebody holds never delays the others; a run that is not returned is looked up
-- by heartbeat_lookup before it is called fenced. No condition on the lease: renewing one that has expired
-- and was not reaped is right.
-- Parameters: 1 jobs, 2 run ids, 3 fences, 4 leases in seconds, 5 the time or NULL.
WITH mine AS (
    SELECT j.app_name, m.lease
      FROM unnest($1, $2, $3, $4) AS m(app_name, run_id, fence, lease)
      JOIN crontabber j ON j.app_name = m.app_name AND j.run_id = m.run_id AND j.fence = m.fence
     ORDER BY j.app_name
       FOR NO KEY UPDATE OF j SKIP LOCKED
)
UPDATE crontabber j
   SET lease_until = coalesce($5::timestamptz, clock_timestamp()) + make_interval(secs => mine.lease)
  FROM mine
 WHERE j.app_name = mine.app_name
RETURNING j.run_id, j.lease_until, coalesce(j.cancel_run_id = j.run_id, false) AS cancelled
