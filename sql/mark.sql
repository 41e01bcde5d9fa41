-- mark: count a slot as succeeded, as if a run of it had started and ended now: a row in the log, success_slot, and
-- where it was the pending slot the next one. Not while a run is going on, and only from what was read
-- (compare-and-set). Under control_lock, and in a statement after it, so that no attempt is counted twice; the audit
-- row commits with it.
-- Parameters: 1 names; of each, 2 the pending slot and 3 the success_slot read, 4 the slot, 5 the next slot (NULL: it
-- is not the pending one, nothing moves) and 6 its start, 7-9 the slot after the pending one, last and number of the
-- slots coalesced into it, 10 whether it is the newest: then the failures are over, 11 run ids; 12 who, 13 on which
-- host, 14 why, 15 the time or NULL.
WITH clock AS MATERIALIZED (
    SELECT coalesce($15::timestamptz, clock_timestamp()) AS now
), wanted AS (
    SELECT n.*,
           (SELECT count(*) FROM (SELECT FROM crontabber_log l WHERE l.app_name = n.name AND l.slot = n.pending
                                     AND l.attempt > 0 LIMIT 1) AS run) AS tried,
           (SELECT 1 + coalesce(max(l.attempt), 0) FROM crontabber_log l
             WHERE l.app_name = n.name AND l.slot = n.slot) AS attempt
      FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[],
                  $6::timestamptz[], $7::timestamptz[], $8::timestamptz[], $9::bigint[], $10::bool[], $11::uuid[])
        AS n(name, pending, success_slot, slot, next_slot, next_run, after_pending, last, slots, is_newest, run_id)
), marked AS (
    UPDATE crontabber j
       SET revision = revision + 1,
           success_slot = greatest(j.success_slot, n.slot),
           error_count = CASE WHEN n.is_newest THEN 0 ELSE j.error_count END,
           last_error = CASE WHEN n.is_newest THEN '{}' ELSE j.last_error END,
           first_run = coalesce(j.first_run, clock.now),
           last_run = CASE WHEN n.is_newest THEN clock.now ELSE j.last_run END,
           last_success = CASE WHEN n.is_newest THEN clock.now ELSE j.last_success END,
           slot = coalesce(n.next_slot, j.slot),
           next_run = CASE WHEN n.next_slot IS NULL THEN j.next_run
                           WHEN j.paused_until > clock.now
                           THEN least(greatest(n.next_run, j.paused_until), '9999-01-01 00:00+00')
                           ELSE n.next_run END
      FROM clock, wanted n
     WHERE j.app_name = n.name
       AND j.run_id IS NULL AND j.ongoing IS NULL
       AND coalesce(j.slot, j.next_run) IS NOT DISTINCT FROM n.pending
       AND j.success_slot IS NOT DISTINCT FROM n.success_slot
    RETURNING j.app_name, j.slot, j.next_run, j.success_slot
), logged AS (
    INSERT INTO crontabber_log (app_name, log_time, duration, success, run_id, slot, attempt, host, trigger, outcome, reason, started_at, finished_at)
    SELECT n.name, clock.now, '0', clock.now, n.run_id, n.slot, n.attempt, $13, 'manual', 'success',
           concat_ws(': ', format('marked by %s', $12::text), $14::text), clock.now, clock.now
      FROM clock, marked
      JOIN wanted n ON n.name = marked.app_name
     ORDER BY n.name
), coalesced AS (
    -- A pending slot that has run has its verdict.
    INSERT INTO crontabber_log (app_name, log_time, slot, slot_until, slots, attempt, host, trigger, outcome, reason, finished_at)
    SELECT n.name, clock.now, CASE n.tried WHEN 0 THEN n.pending ELSE n.after_pending END, n.last, n.slots - n.tried, 0,
           $13, 'manual', 'skipped', 'coalesced', clock.now
      FROM clock, marked
      JOIN wanted n ON n.name = marked.app_name
     WHERE n.slots > n.tried
     ORDER BY n.name
        ON CONFLICT (app_name, slot, attempt) WHERE slot IS NOT NULL DO NOTHING
), audited AS (
    INSERT INTO crontabber_audit (at, who, host, what, app_name, reason, detail)
    SELECT clock.now, $12, $13, 'mark', m.app_name, $14, jsonb_build_object(
               'slot', n.slot, 'run_id', n.run_id,
               'before', jsonb_build_object('slot', b.slot, 'next_run', b.next_run, 'error_count', b.error_count,
                                            'success_slot', b.success_slot),
               'after', jsonb_build_object('slot', m.slot, 'next_run', m.next_run, 'success_slot', m.success_slot))
      FROM clock, marked m
      JOIN wanted n ON n.name = m.app_name
      JOIN crontabber b ON b.app_name = m.app_name
     ORDER BY m.app_name
)
SELECT app_name
  FROM marked,
       -- One notification, and none where nothing was changed: its words are a hint, the table is the truth.
       (SELECT pg_notify('crontabber', left('mark ' || string_agg(app_name, ' '), 1900))
          FROM marked HAVING count(*) > 0) AS told
