-- claim_without_recheck: what claim.sql would be if it believed the plan. Only in test builds, to show that the
-- tests notice: crontabber's own mistake.
WITH claimed AS (
    UPDATE crontabber j
       SET revision = revision + 1,
           ongoing = coalesce($16, clock_timestamp()),
           run_id = $6, run_slot = $3, run_trigger = $9, host = $7,
           lease_until = coalesce($16, clock_timestamp()) + make_interval(secs => $8),
           fence = nextval('crontabber_fence_seq'),
           on_lost = $10, lost_next_slot = $11, lost_backoff = make_interval(secs => $12), cancel_run_id = NULL,
           slot = CASE WHEN $9 IN ('schedule', 'parents') THEN $3 ELSE j.slot END,
           attempt = 1 + coalesce((SELECT max(l.attempt) FROM crontabber_log l WHERE l.app_name = $1 AND l.slot = $3), 0)
     WHERE app_name = $1
       -- The planted bug: no condition but the key. The parameters are named so that their number stays.
       AND ($2::timestamptz IS NULL OR true) AND ($13::text[] IS NULL OR true) AND ($14::timestamptz[] IS NULL OR true)
       AND ($15::float8 IS NULL OR true)
    RETURNING app_name, run_id, run_slot, run_trigger, attempt, fence, host, ongoing, lease_until,
              coalesce(error_count, 0) AS error_count, success_slot, last_success, lost_backoff
), coalesced AS (
    INSERT INTO crontabber_log (app_name, log_time, slot, slot_until, slots, attempt, host, trigger, outcome, reason, finished_at)
    SELECT $1, claimed.ongoing, $2, $4, $5, 0, $7, $9, 'skipped', 'coalesced', claimed.ongoing
      FROM claimed
     WHERE $5 > 0
        ON CONFLICT (app_name, slot, attempt) WHERE slot IS NOT NULL DO NOTHING
), logged AS (
    INSERT INTO crontabber_log (app_name, log_time, run_id, slot, attempt, fence, host, trigger, outcome, started_at)
    SELECT app_name, ongoing, run_id, run_slot, attempt, fence, host, run_trigger, 'running', ongoing
      FROM claimed
    RETURNING run_id
)
SELECT claimed.fence, claimed.attempt, claimed.ongoing, claimed.lease_until, claimed.error_count, claimed.last_success
  FROM claimed JOIN logged USING (run_id)
