-- claim_lock: take the row of one job, or learn at once that somebody else has it.
-- NOWAIT, not SKIP LOCKED: a held row and an absent row are different answers. By key only: every condition
-- belongs to the next statement, whose snapshot is younger than this lock.
-- FOR UPDATE, not FOR NO KEY UPDATE: it must respect the FOR KEY SHARE of crontabber_assert_fence.
-- Parameter: the job.
SELECT run_id, host, ongoing, lease_until
  FROM crontabber
 WHERE app_name = $1
   FOR UPDATE NOWAIT
