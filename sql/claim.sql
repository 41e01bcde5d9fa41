-- claim: under the lock, check everything again and write the claim, its running log row and the verdict of the
-- slots it passes. No row back = something changed since the plan: nothing is claimed.
-- Parameters: 1 job, 2 the pending slot the plan saw (compare-and-set), 3 the slot to run, 4-5 last and number of
-- the slots it passes (from the pending one), 6 run id, 7 host, 8 lease in seconds, 9 trigger, 10 on_lost,
-- 11 the slot after this one, 12 backoff in seconds after a repeated loss, 13-14 parents and the slot each must
-- have succeeded, 15 max_ongoing_age in seconds, 16 the time or NULL, 17 the slot after the pending one,
-- 18 the process that claims, 19 the run that somebody has asked for, if it is that one (compare-and-set), 20 why the
-- passed slots are not run, 21 of each parent whether it is enough that a run for its slot has ended, 22 after when it
-- may not start any more, or NULL.
WITH claimed AS (
    UPDATE crontabber j
       SET revision = revision + 1,
           ongoing = coalesce($16, clock_timestamp()),
           run_id = $6, run_slot = $3, run_trigger = $9, host = $7,
           lease_until = coalesce($16, clock_timestamp()) + make_interval(secs => $8),
           fence = nextval('crontabber_fence_seq'),
           on_lost = $10, lost_next_slot = $11, lost_backoff = make_interval(secs => $12), cancel_run_id = NULL,
           trigger_id = CASE WHEN $19 IS NULL THEN j.trigger_id END,
           triggered_at = CASE WHEN $19 IS NULL THEN j.triggered_at END,
           triggered_by = CASE WHEN $19 IS NULL THEN j.triggered_by END,
           slot = CASE WHEN $9 IN ('schedule', 'parents') THEN $3 ELSE j.slot END,
           blocked_since = CASE WHEN $9 IN ('schedule', 'parents') THEN NULL ELSE j.blocked_since END,
           attempt = 1 + coalesce((SELECT max(l.attempt) FROM crontabber_log l WHERE l.app_name = $1 AND l.slot = $3), 0)
     WHERE app_name = $1
       AND run_id IS NULL
       AND (ongoing IS NULL OR ongoing <= coalesce($16, clock_timestamp()) - make_interval(secs => $15))
       AND ($19 IS NULL OR trigger_id = $19)
       AND ($22 IS NULL OR coalesce($16, clock_timestamp()) <= $22)
       AND ($9 = 'manual' OR paused_until IS NULL OR paused_until <= coalesce($16, clock_timestamp()))
       AND CASE $9
               WHEN 'schedule' THEN coalesce(slot, next_run, ongoing) = $2 AND $3 >= $2
                                    AND $3 <= coalesce($16, clock_timestamp())
                                    AND coalesce(next_run, ongoing) <= coalesce($16, clock_timestamp())
               WHEN 'parents' THEN slot IS NOT DISTINCT FROM $2
                                   AND ($3 > $2 OR $2 IS NULL OR next_run <= coalesce($16, clock_timestamp()))
               -- Behind the live slot, which goes first when it is due; and once is enough.
               WHEN 'backfill' THEN trigger_id IS NULL AND $3 < coalesce(slot, next_run)
                                    AND next_run > coalesce($16, clock_timestamp())
                                    AND NOT EXISTS (SELECT FROM crontabber_log l
                                                     WHERE l.app_name = $1 AND l.slot = $3 AND l.outcome = 'success')
               ELSE true
           END
       AND NOT EXISTS (
               SELECT FROM unnest($13, $14, $21) AS need(name, slot, finish)
                 LEFT JOIN crontabber p ON p.app_name = need.name
                WHERE coalesce(CASE WHEN need.finish THEN greatest(p.success_slot, p.finish_slot)
                                    ELSE p.success_slot END < need.slot, true))
    RETURNING app_name, run_id, run_slot, run_trigger, attempt, fence, host, ongoing, lease_until,
              coalesce(error_count, 0) AS error_count, success_slot, last_success, lost_backoff
), tried AS (
    -- A pending slot that has run has its verdict.
    SELECT count(*) AS slots
      FROM (SELECT FROM crontabber_log l WHERE l.app_name = $1 AND l.slot = $2 AND l.attempt > 0 LIMIT 1) AS run
), passed AS (
    INSERT INTO crontabber_log (app_name, log_time, slot, slot_until, slots, attempt, host, trigger, outcome, reason, finished_at)
    SELECT $1, claimed.ongoing, CASE tried.slots WHEN 0 THEN $2 ELSE $17 END, $4, $5 - tried.slots, 0, $7, $9,
           'skipped', $20, claimed.ongoing
      FROM claimed, tried
     WHERE $5 > tried.slots
        ON CONFLICT (app_name, slot, attempt) WHERE slot IS NOT NULL DO NOTHING
), taken_over AS (
    -- A Python host's claim that was too old to be respected; this reads the row as it was before.
    INSERT INTO crontabber_log (app_name, log_time, host, outcome, reason, started_at, finished_at, exc_type, exc_value, exc_traceback)
    SELECT $1, claimed.ongoing, 'python', 'lost', stale.reason, j.ongoing, claimed.ongoing, 'lost', stale.reason, ''
      FROM claimed, crontabber j, (VALUES ('its Python host has not recorded it in time')) AS stale(reason)
     WHERE j.app_name = $1 AND j.ongoing IS NOT NULL
), logged AS (
    INSERT INTO crontabber_log (app_name, log_time, run_id, slot, attempt, fence, host, trigger, outcome, started_at, instance)
    SELECT app_name, ongoing, run_id, run_slot, attempt, fence, host, run_trigger, 'running', ongoing, $18
      FROM claimed
    RETURNING run_id
)
SELECT claimed.fence, claimed.attempt, claimed.ongoing, claimed.lease_until, claimed.error_count, claimed.last_success
  FROM claimed JOIN logged USING (run_id)
