-- record: close runs by run id and fence: the claim goes, the row says how it went and when it is wanted next, the log row
-- is closed, the slots it passed get their verdict. Waits for the row, never NOWAIT: crontabber loses outcomes that way.
-- No row back of a run = not ours any more, or recorded before: record_lookup tells. Where effects are committed with the
-- record there must be one: else it is an error, and the COMMIT that was sent with it takes everything back.
-- Parameters: 1 the time or NULL; of each run: 2 job, 3 run id, 4 fence, 5 outcome, 6 reason, 7 exit code, 8 signal,
-- 9 output, 10 what it does to error_count (set to 0, +1, set to 1, or left alone: 'well', 'failed', 'failed_anew',
-- 'neither'), 11 last_error as JSON text, 12 next slot, 13 next_run, 14-16 first, last and number of the slots passed,
-- 17 hold the job for a person; 18 whether there must be a row.
WITH ended AS (
    SELECT *
      FROM unnest($2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::integer[], $8::integer[], $9::text[],
                  $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[],
                  $15::timestamptz[], $16::bigint[], $17::boolean[])
        AS ended (app_name, run_id, fence, outcome, reason, exit_code, signal, output, effect, last_error, next_slot,
                  next_run, first_passed, last_passed, passed, hold)
), closed AS (
    UPDATE crontabber j
       SET revision = revision + 1,
           ongoing = NULL, run_id = NULL, run_slot = NULL, run_trigger = NULL, attempt = NULL, host = NULL,
           lease_until = NULL, on_lost = NULL, lost_next_slot = NULL, lost_backoff = NULL, cancel_run_id = NULL,
           first_run = coalesce(first_run, ongoing),
           last_run = ongoing,
           last_success = CASE WHEN e.effect = 'well' AND run_trigger <> 'backfill' THEN ongoing ELSE last_success END,
           success_slot = CASE WHEN e.effect = 'well' THEN greatest(success_slot, run_slot) ELSE success_slot END,
           -- One that was lost and is tried again has not ended for its slot.
           finish_slot = CASE WHEN e.outcome = 'lost' AND e.next_slot = run_slot THEN finish_slot
                              ELSE greatest(finish_slot, run_slot) END,
           error_count = CASE WHEN run_trigger = 'backfill' THEN error_count
                              WHEN e.effect = 'well' THEN 0
                              WHEN e.effect = 'failed' THEN coalesce(error_count, 0) + 1
                              WHEN e.effect = 'failed_anew' THEN 1
                              ELSE error_count END,
           last_error = CASE WHEN run_trigger = 'backfill' THEN j.last_error
                             WHEN e.effect = 'well' THEN '{}'
                             WHEN e.effect IN ('failed', 'failed_anew') THEN e.last_error::json
                             ELSE j.last_error END,
           slot = CASE WHEN run_trigger IN ('schedule', 'parents') THEN e.next_slot ELSE slot END,
           -- Not before the end of a pause; and not before the slot either, for Python hosts start whatever next_run says.
           next_run = CASE WHEN paused_until > coalesce($1, clock_timestamp())
                           THEN least(greatest(paused_until, CASE WHEN run_trigger IN ('schedule', 'parents') THEN e.next_run ELSE j.next_run END), '9999-01-01 00:00+00')
                           WHEN e.hold THEN '9999-01-01 00:00+00'
                           WHEN run_trigger IN ('schedule', 'parents') THEN e.next_run
                           ELSE j.next_run END,
           paused_until = CASE WHEN e.hold THEN '9999-01-01 00:00+00' ELSE paused_until END,
           paused_by = CASE WHEN e.hold THEN 'on_lost' ELSE paused_by END,
           pause_reason = CASE WHEN e.hold THEN e.reason ELSE pause_reason END
      FROM ended e
     WHERE j.app_name = e.app_name AND j.run_id = e.run_id AND j.fence = e.fence
    -- The row as it is now, in the order of read_table.sql: its host need not read it.
    RETURNING j.app_name, j.next_run, first_run, last_run, last_success, ongoing, coalesce(error_count, 0) AS error_count,
              j.last_error::text AS last_error, slot, success_slot, finish_slot, blocked_since, paused_until, paused_by,
              pause_reason, definition_hash, trigger_id, triggered_at, triggered_by, j.run_id,
              e.run_id AS ended_run_id, e.outcome, e.reason, e.exit_code, e.signal, e.output, e.effect, e.first_passed,
              e.last_passed, e.passed
), logged AS (
    UPDATE crontabber_log l
       SET outcome = closed.outcome, reason = closed.reason, exit_code = closed.exit_code, signal = closed.signal,
           output = closed.output,
           finished_at = coalesce($1, clock_timestamp()),
           log_time = coalesce($1, clock_timestamp()),
           duration = coalesce($1, clock_timestamp()) - started_at,
           success = CASE WHEN closed.effect = 'well' THEN started_at END,
           exc_type = CASE WHEN closed.effect <> 'well' THEN closed.outcome END,
           exc_value = CASE WHEN closed.effect <> 'well' THEN coalesce(closed.reason, closed.outcome) END,
           exc_traceback = CASE WHEN closed.effect <> 'well' THEN '' END
      FROM closed
     -- Not as the condition of an index: it would be read from end to end, where the run id finds one row.
     WHERE l.run_id = closed.ended_run_id AND coalesce(l.outcome, '') = 'running'
), skipped AS (
    -- log_time by its default would be the beginning of the transaction: in a job of SQL, hours ago.
    INSERT INTO crontabber_log (app_name, log_time, slot, slot_until, slots, attempt, outcome, reason, finished_at)
    SELECT app_name, coalesce($1, clock_timestamp()), first_passed, last_passed, passed, 0, 'skipped', 'missed',
           coalesce($1, clock_timestamp())
      FROM closed
     WHERE passed > 0
        ON CONFLICT (app_name, slot, attempt) WHERE slot IS NOT NULL DO NOTHING
)
SELECT next_run, first_run, last_run, last_success, ongoing, error_count, last_error, slot, success_slot, finish_slot,
       blocked_since, paused_until, paused_by, pause_reason, definition_hash, trigger_id, triggered_at, triggered_by, run_id,
       ended_run_id
  FROM closed
 -- Asked once, not of each row; the server's own words around these are "invalid input syntax for type boolean".
 WHERE NOT $18
    OR (SELECT CASE count(*) WHEN 0 THEN 'crontabber: the claim is gone, so what the job has done is rolled back'
                             ELSE 'true' END
          FROM closed)::boolean
