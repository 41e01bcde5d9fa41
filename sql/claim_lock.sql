-- claim_lock: take the rows of some jobs, or learn at once that somebody else has one of them.
-- NOWAIT, not SKIP LOCKED: a held row and an absent row are different answers. By key only: every condition
-- belongs to the next statement, whose snapshot is younger than these locks.
-- FOR UPDATE, not FOR NO KEY UPDATE: it must respect the FOR KEY SHARE of crontabber_assert_fence.
-- Parameter: the jobs.
SELECT app_name, run_id, host, ongoing, lease_until
  FROM crontabber
 WHERE app_name = ANY ($1)
   FOR UPDATE NOWAIT
