-- reset: forget the failures of jobs and give them their next slot from now; never the row, its fence or its history.
-- Not while a run is going on, and only from the pending slot that was read (compare-and-set): the slots it passes
-- get their verdict here. What no person paused is released. A Python host's claim is taken away where that is asked
-- for, and its run is `lost` in the log, as when a claim takes it over. Under control_lock; the audit row commits with it.
-- Parameters: 1 names; of each, 2 the pending slot read, 3 the new one (NULL: no schedule, it stays), 4 next_run,
-- 5-7 the slot after the pending one, last and number of the slots passed; 8 take a Python host's claim away, 9 who,
-- 10 on which host, 11 why, 12 the time or NULL.
WITH clock AS MATERIALIZED (
    SELECT coalesce($12::timestamptz, clock_timestamp()) AS now
), wanted AS (
    SELECT n.*,
           (SELECT count(*) FROM (SELECT FROM crontabber_log l WHERE l.app_name = n.name AND l.slot = n.pending
                                     AND l.attempt > 0 LIMIT 1) AS run) AS tried
      FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[],
                  $6::timestamptz[], $7::bigint[]) AS n(name, pending, slot, next_run, after_pending, last, slots)
), reset AS (
    UPDATE crontabber j
       SET revision = revision + 1,
           error_count = 0, last_error = '{}', ongoing = NULL,
           slot = coalesce(n.slot, j.slot, '1970-01-01 00:00+00'),
           next_run = CASE WHEN j.paused_until > clock.now AND j.paused_by IS DISTINCT FROM 'on_lost'
                           THEN least(greatest(n.next_run, j.paused_until), '9999-01-01 00:00+00')
                           ELSE n.next_run END,
           paused_until = CASE WHEN j.paused_by = 'on_lost' THEN NULL ELSE j.paused_until END,
           pause_reason = CASE WHEN j.paused_by = 'on_lost' THEN NULL ELSE j.pause_reason END,
           paused_by = CASE WHEN j.paused_by = 'on_lost' THEN NULL ELSE j.paused_by END
      FROM clock, wanted n
     WHERE j.app_name = n.name
       AND j.run_id IS NULL AND (j.ongoing IS NULL OR $8)
       AND coalesce(j.slot, j.next_run, j.ongoing) IS NOT DISTINCT FROM n.pending
    RETURNING j.app_name, j.slot, j.next_run
), taken_away AS (
    -- This reads the rows as they were before.
    INSERT INTO crontabber_log (app_name, log_time, host, outcome, reason, started_at, finished_at, exc_type, exc_value, exc_traceback)
    SELECT b.app_name, clock.now, 'python', 'lost', said.why, b.ongoing, clock.now, 'lost', said.why, ''
      FROM clock, reset
      JOIN crontabber b USING (app_name)
     CROSS JOIN LATERAL (SELECT concat_ws(': ', format('its claim was taken away by %s', $9::text), $11::text) AS why) said
     WHERE b.ongoing IS NOT NULL
), passed AS (
    -- A pending slot that has run has its verdict.
    INSERT INTO crontabber_log (app_name, log_time, slot, slot_until, slots, attempt, host, outcome, reason, finished_at)
    SELECT n.name, clock.now, CASE n.tried WHEN 0 THEN n.pending ELSE n.after_pending END, n.last, n.slots - n.tried, 0,
           $10, 'skipped', 'missed', clock.now
      FROM clock, reset
      JOIN wanted n ON n.name = reset.app_name
     WHERE n.slots > n.tried
     ORDER BY n.name
        ON CONFLICT (app_name, slot, attempt) WHERE slot IS NOT NULL DO NOTHING
), audited AS (
    INSERT INTO crontabber_audit (at, who, host, what, app_name, reason, detail)
    SELECT clock.now, $9, $10, 'reset', r.app_name, $11, jsonb_build_object(
               'before', jsonb_build_object('slot', b.slot, 'next_run', b.next_run, 'error_count', b.error_count,
                                            'last_error', b.last_error::text, 'ongoing', b.ongoing,
                                            'paused_by', b.paused_by, 'pause_reason', b.pause_reason),
               'after', jsonb_build_object('slot', r.slot, 'next_run', r.next_run))
      FROM clock, reset r
      JOIN crontabber b USING (app_name)
     ORDER BY r.app_name
)
SELECT app_name
  FROM reset,
       -- One notification, and none where nothing was changed: its words are a hint, the table is the truth.
       (SELECT pg_notify('crontabber', left('reset ' || string_agg(app_name, ' '), 1900))
          FROM reset HAVING count(*) > 0) AS told
