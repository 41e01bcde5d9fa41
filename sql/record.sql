-- record: close a run by run id and fence: the claim goes, the row says how it went and when it is wanted next,
-- the log row is closed, the slots it passed get their verdict. Waits for the row, never NOWAIT: crontabber
-- loses outcomes that way. No row back = not ours any more, or recorded before: record_lookup tells.
-- Parameters: 1 job, 2 run id, 3 fence, 4 outcome, 5 reason, 6 exit code, 7 signal, 8 output,
-- 9 what it does to error_count (set to 0, +1, set to 1, or left alone: 'well', 'failed', 'failed_anew', 'neither'),
-- 10 last_error as JSON text, 11 next slot, 12 next_run, 13-15 first, last and number of the slots passed,
-- 16 hold the job for a person, 17 the time or NULL.
WITH closed AS (
    UPDATE crontabber
       SET revision = revision + 1,
           ongoing = NULL, run_id = NULL, run_slot = NULL, run_trigger = NULL, attempt = NULL, host = NULL,
           lease_until = NULL, on_lost = NULL, lost_next_slot = NULL, lost_backoff = NULL, cancel_run_id = NULL,
           first_run = coalesce(first_run, ongoing),
           last_run = ongoing,
           last_success = CASE WHEN $9 = 'well' AND run_trigger <> 'backfill' THEN ongoing ELSE last_success END,
           success_slot = CASE WHEN $9 = 'well' THEN greatest(success_slot, run_slot) ELSE success_slot END,
           -- One that was lost and is tried again has not ended for its slot.
           finish_slot = CASE WHEN $4 = 'lost' AND $11 = run_slot THEN finish_slot ELSE greatest(finish_slot, run_slot) END,
           error_count = CASE WHEN run_trigger = 'backfill' THEN error_count
                              WHEN $9 = 'well' THEN 0
                              WHEN $9 = 'failed' THEN coalesce(error_count, 0) + 1
                              WHEN $9 = 'failed_anew' THEN 1
                              ELSE error_count END,
           last_error = CASE WHEN run_trigger = 'backfill' THEN last_error
                             WHEN $9 = 'well' THEN '{}'
                             WHEN $9 IN ('failed', 'failed_anew') THEN $10::json
                             ELSE last_error END,
           slot = CASE WHEN run_trigger IN ('schedule', 'parents') THEN $11 ELSE slot END,
           -- Not before the end of a pause; and not before the slot either, for Python hosts start whatever next_run says.
           next_run = CASE WHEN paused_until > coalesce($17, clock_timestamp())
                           THEN least(greatest(paused_until, CASE WHEN run_trigger IN ('schedule', 'parents') THEN $12 ELSE next_run END), '9999-01-01 00:00+00')
                           WHEN $16 THEN '9999-01-01 00:00+00'
                           WHEN run_trigger IN ('schedule', 'parents') THEN $12
                           ELSE next_run END,
           paused_until = CASE WHEN $16 THEN '9999-01-01 00:00+00' ELSE paused_until END,
           paused_by = CASE WHEN $16 THEN 'on_lost' ELSE paused_by END,
           pause_reason = CASE WHEN $16 THEN $5 ELSE pause_reason END
     WHERE app_name = $1 AND run_id = $2 AND fence = $3
    -- The row as it is now, in the order of read_table.sql: its host need not read it.
    RETURNING app_name, next_run, first_run, last_run, last_success, ongoing, coalesce(error_count, 0) AS error_count,
              last_error::text AS last_error, slot, success_slot, finish_slot, blocked_since, paused_until, paused_by,
              pause_reason, definition_hash, trigger_id, triggered_at, triggered_by, run_id
), logged AS (
    UPDATE crontabber_log
       SET outcome = $4, reason = $5, exit_code = $6, signal = $7, output = $8,
           finished_at = coalesce($17, clock_timestamp()),
           log_time = coalesce($17, clock_timestamp()),
           duration = coalesce($17, clock_timestamp()) - started_at,
           success = CASE WHEN $9 = 'well' THEN started_at END,
           exc_type = CASE WHEN $9 <> 'well' THEN $4 END,
           exc_value = CASE WHEN $9 <> 'well' THEN coalesce($5, $4) END,
           exc_traceback = CASE WHEN $9 <> 'well' THEN '' END
     WHERE run_id = $2 AND outcome = 'running' AND EXISTS (SELECT FROM closed)
), passed AS (
    -- log_time by its default would be the beginning of the transaction: in a job of SQL, hours ago.
    INSERT INTO crontabber_log (app_name, log_time, slot, slot_until, slots, attempt, outcome, reason, finished_at)
    SELECT app_name, coalesce($17, clock_timestamp()), $13, $14, $15, 0, 'skipped', 'missed', coalesce($17, clock_timestamp())
      FROM closed
     WHERE $15 > 0
        ON CONFLICT (app_name, slot, attempt) WHERE slot IS NOT NULL DO NOTHING
)
SELECT next_run, first_run, last_run, last_success, ongoing, error_count, last_error, slot, success_slot, finish_slot,
       blocked_since, paused_until, paused_by, pause_reason, definition_hash, trigger_id, triggered_at, triggered_by, run_id
  FROM closed
