-- claim: under the locks, check everything again and write of each job the claim, its running log row and the verdict of
-- the slots it passes. No row back of a job = something changed since the plan: it is not claimed.
-- Parameters: 1 host, 2 the process that claims, 3 the time or NULL; of each claim: 4 job, 5 run id, 6 the pending slot
-- the plan saw (compare-and-set), 7 the slot to run, 8-9 last and number of the slots it passes (from the pending one),
-- 10 why these are not run, 11 lease in seconds, 12 trigger, 13 on_lost, 14 the slot after this one, 15 backoff in
-- seconds after a repeated loss, 16 the slot after the pending one, 17 max_ongoing_age in seconds, 18 the run that somebody
-- has asked for, if it is that one (compare-and-set), 19 after when it may not start any more, or NULL; of each need of
-- any: 20 the job that has it, 21-22 parent and the slot that must have succeeded, 23 whether it is enough that a run for
-- it has ended.
WITH wanted AS (
    SELECT *
      FROM unnest($4::text[], $5::uuid[], $6::timestamptz[], $7::timestamptz[], $8::timestamptz[], $9::bigint[],
                  $10::text[], $11::float8[], $12::text[], $13::text[], $14::timestamptz[], $15::float8[],
                  $16::timestamptz[], $17::float8[], $18::uuid[], $19::timestamptz[])
        AS wanted (app_name, run_id, pending, slot, last_passed, passed, why, lease, trigger, on_lost, next_slot, backoff,
                   after_pending, max_ongoing_age, trigger_id, start_by)
), claimed AS (
    UPDATE crontabber j
       SET revision = revision + 1,
           ongoing = coalesce($3, clock_timestamp()),
           run_id = w.run_id, run_slot = w.slot, run_trigger = w.trigger, host = $1,
           lease_until = coalesce($3, clock_timestamp()) + make_interval(secs => w.lease),
           fence = nextval('crontabber_fence_seq'),
           on_lost = w.on_lost, lost_next_slot = w.next_slot, lost_backoff = make_interval(secs => w.backoff),
           cancel_run_id = NULL,
           trigger_id = CASE WHEN w.trigger_id IS NULL THEN j.trigger_id END,
           triggered_at = CASE WHEN w.trigger_id IS NULL THEN j.triggered_at END,
           triggered_by = CASE WHEN w.trigger_id IS NULL THEN j.triggered_by END,
           slot = CASE WHEN w.trigger IN ('schedule', 'parents') THEN w.slot ELSE j.slot END,
           blocked_since = CASE WHEN w.trigger IN ('schedule', 'parents') THEN NULL ELSE j.blocked_since END,
           attempt = 1 + coalesce((SELECT max(l.attempt) FROM crontabber_log l WHERE l.app_name = w.app_name AND l.slot = w.slot), 0)
      FROM wanted w
     -- The first condition, so that they are looked up: the second alone would read the whole table.
     WHERE j.app_name = ANY ($4)
       AND j.app_name = w.app_name
       AND j.run_id IS NULL
       AND (ongoing IS NULL OR ongoing <= coalesce($3, clock_timestamp()) - make_interval(secs => w.max_ongoing_age))
       AND (w.trigger_id IS NULL OR j.trigger_id = w.trigger_id)
       AND (w.start_by IS NULL OR coalesce($3, clock_timestamp()) <= w.start_by)
       AND (w.trigger = 'manual' OR paused_until IS NULL OR paused_until <= coalesce($3, clock_timestamp()))
       AND CASE w.trigger
               WHEN 'schedule' THEN coalesce(j.slot, next_run, ongoing) = w.pending AND w.slot >= w.pending
                                    AND w.slot <= coalesce($3, clock_timestamp())
                                    AND coalesce(next_run, ongoing) <= coalesce($3, clock_timestamp())
               WHEN 'parents' THEN j.slot IS NOT DISTINCT FROM w.pending
                                   AND (w.slot > w.pending OR w.pending IS NULL OR next_run <= coalesce($3, clock_timestamp()))
               -- Behind the live slot, which goes first when it is due; and once is enough.
               WHEN 'backfill' THEN j.trigger_id IS NULL AND w.slot < coalesce(j.slot, next_run)
                                    AND next_run > coalesce($3, clock_timestamp())
                                    AND NOT EXISTS (SELECT FROM crontabber_log l
                                                     WHERE l.app_name = w.app_name AND l.slot = w.slot AND l.outcome = 'success')
               ELSE true
           END
       AND NOT EXISTS (
               SELECT FROM unnest($20::text[], $21::text[], $22::timestamptz[], $23::boolean[]) AS need (of, parent, slot, finish)
                WHERE need.of = w.app_name
                  AND coalesce((SELECT CASE WHEN need.finish THEN greatest(p.success_slot, p.finish_slot)
                                            ELSE p.success_slot END < need.slot
                                  FROM crontabber p
                                 WHERE p.app_name = need.parent), true))
    RETURNING j.app_name, j.run_id, j.run_slot, j.run_trigger, j.attempt, j.fence, j.host, j.ongoing, j.lease_until,
              coalesce(j.error_count, 0) AS error_count, j.last_success,
              w.pending, w.last_passed, w.passed, w.why, w.after_pending
), logged AS (
    -- One INSERT for the three of them: each of its own would cost as much as the rest of this statement.
    INSERT INTO crontabber_log (app_name, log_time, run_id, slot, slot_until, slots, attempt, fence, host, trigger, outcome,
                                reason, started_at, finished_at, instance, exc_type, exc_value, exc_traceback)
    SELECT app_name, ongoing, run_id, run_slot, NULL, NULL::bigint, attempt, fence, host, run_trigger, 'running',
           NULL, ongoing, NULL, $2, NULL, NULL, NULL
      FROM claimed
    UNION ALL
    -- The slots it passes, but for those of which somebody has said so before: whoever says it holds the row.
    SELECT app_name, ongoing, NULL, first.slot, last_passed, passed - tried.slots, 0, NULL, host, run_trigger, 'skipped',
           why, NULL, ongoing, NULL, NULL, NULL, NULL
      FROM claimed,
           -- A pending slot that has run has its verdict.
           LATERAL (SELECT count(*) AS slots
                      FROM (SELECT FROM crontabber_log l
                             WHERE l.app_name = claimed.app_name AND l.slot = claimed.pending AND l.attempt > 0
                             LIMIT 1) AS run) AS tried,
           LATERAL (SELECT CASE tried.slots WHEN 0 THEN pending ELSE after_pending END AS slot) AS first
     WHERE passed > 0 AND passed > tried.slots
       AND NOT EXISTS (SELECT FROM crontabber_log l
                        WHERE l.app_name = claimed.app_name AND l.slot = first.slot AND l.attempt = 0)
    UNION ALL
    -- A Python host's claim that was too old to be respected; this reads the row as it was before.
    SELECT j.app_name, claimed.ongoing, NULL, NULL, NULL, NULL, NULL, NULL, 'python', NULL, 'lost',
           stale.reason, j.ongoing, claimed.ongoing, NULL, 'lost', stale.reason, ''
      FROM claimed JOIN crontabber j USING (app_name),
           (VALUES ('its Python host has not recorded it in time')) AS stale(reason)
     WHERE j.ongoing IS NOT NULL
    RETURNING run_id
)
SELECT claimed.run_id, claimed.fence, claimed.attempt, claimed.ongoing, claimed.lease_until, claimed.error_count,
       claimed.last_success
  FROM claimed JOIN logged USING (run_id)
