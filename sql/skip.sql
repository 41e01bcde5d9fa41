-- skip: leave slots behind that are not run: the pending slot moves, and they get their verdict, in one transaction. Only
-- where nothing happened to the row since it was read (compare-and-set); SKIP LOCKED: whoever holds it is dealing with
-- it. No row back = somebody did something else. The end of the last run is compared too: a retry may have come and gone.
-- Parameters: 1 job, 2 pending slot, 3 next_run and 4 last_run as they were read, 5 the next slot (NULL: there is none)
-- and 6 its start, 7-8 last and number of the slots from the pending one, 9 the slot after that, 10 the reason, 11 host,
-- 12-14 parents, the slot each was to do, and whether it is enough that it has ended: where they are the reason, one of
-- them must still not have done it; 15 the time or NULL, 16 max_ongoing_age in seconds: a Python host's claim that is
-- older keeps nothing waiting, and whoever claims the job next takes it over.
WITH clock AS MATERIALIZED (
    SELECT coalesce($15::timestamptz, clock_timestamp()) AS now
), picked AS (
    SELECT j.app_name
      FROM crontabber j, clock
     WHERE j.app_name = $1
       AND j.run_id IS NULL AND j.trigger_id IS NULL
       AND (j.ongoing IS NULL OR j.ongoing <= clock.now - make_interval(secs => $16))
       -- A Python host that died in a job's first run has left no next_run: the slot is its start.
       AND coalesce(j.slot, j.next_run, j.ongoing) = $2
       AND j.next_run IS NOT DISTINCT FROM $3 AND j.last_run IS NOT DISTINCT FROM $4
       AND coalesce(j.next_run, j.ongoing) <= clock.now
       AND (j.paused_until IS NULL OR j.paused_until <= clock.now)
       AND (cardinality($12::text[]) = 0 OR EXISTS (
               SELECT FROM unnest($12, $13::timestamptz[], $14::bool[]) AS need(name, slot, finish)
                 LEFT JOIN crontabber p ON p.app_name = need.name
                WHERE coalesce(CASE WHEN need.finish THEN greatest(p.success_slot, p.finish_slot)
                                    ELSE p.success_slot END < need.slot, true)))
       FOR UPDATE OF j SKIP LOCKED
), moved AS (
    UPDATE crontabber j
       SET revision = revision + 1,
           slot = coalesce($5, $2),
           next_run = coalesce($6, '9999-01-01 00:00+00'),
           blocked_since = CASE WHEN cardinality($12) > 0 THEN coalesce(j.blocked_since, $2) ELSE j.blocked_since END
      FROM picked
     WHERE j.app_name = picked.app_name
    -- The row as it is now, in the order of read_table.sql: its host need not read it.
    RETURNING j.app_name, j.next_run, first_run, last_run, last_success, ongoing, coalesce(error_count, 0) AS error_count,
              last_error::text AS last_error, j.slot, success_slot, finish_slot, blocked_since, paused_until, paused_by,
              pause_reason, definition_hash, trigger_id, triggered_at, triggered_by, run_id
), tried AS (
    -- A pending slot that has run has its verdict.
    SELECT count(*) AS slots
      FROM (SELECT FROM crontabber_log l WHERE l.app_name = $1 AND l.slot = $2 AND l.attempt > 0 LIMIT 1) AS run
), skipped AS (
    INSERT INTO crontabber_log (app_name, log_time, slot, slot_until, slots, attempt, host, trigger, outcome, reason, finished_at)
    SELECT $1, clock.now, CASE tried.slots WHEN 0 THEN $2 ELSE $9 END, $7, $8 - tried.slots, 0, $11, 'schedule',
           'skipped', $10, clock.now
      FROM clock, moved, tried
     WHERE $8 > tried.slots
        ON CONFLICT (app_name, slot, attempt) WHERE slot IS NOT NULL DO NOTHING
)
SELECT * FROM moved
