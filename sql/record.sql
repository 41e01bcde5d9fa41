-- record: close a run by run id and fence: the claim goes, and the row says how it went and when it is wanted next. Waits for
-- the row, never NOWAIT: crontabber loses outcomes that way. record_log, and record_skipped where there is something to
-- say, come after it in the same transaction, and write nothing if this has not.
-- Not one statement for both rows, and not for several runs: that costs the server a third more for one run, and a third
-- less for each of eight; and most come alone.
-- No row back = not ours any more, or recorded before: record_lookup tells.
-- Parameters: 1 the time or NULL, 2 job, 3 run id, 4 fence, 5 outcome, 6 reason, 7 what it does to error_count (set to 0,
-- +1, set to 1, or left alone: 'well', 'failed', 'failed_anew', 'neither'), 8 last_error as JSON text, 9 next slot,
-- 10 next_run, 11 hold the job for a person.
UPDATE crontabber
   SET revision = revision + 1,
       ongoing = NULL, run_id = NULL, run_slot = NULL, run_trigger = NULL, attempt = NULL, host = NULL,
       lease_until = NULL, on_lost = NULL, lost_next_slot = NULL, lost_backoff = NULL, cancel_run_id = NULL,
       first_run = coalesce(first_run, ongoing),
       last_run = ongoing,
       last_success = CASE WHEN $7 = 'well' AND run_trigger <> 'backfill' THEN ongoing ELSE last_success END,
       success_slot = CASE WHEN $7 = 'well' THEN greatest(success_slot, run_slot) ELSE success_slot END,
       -- One that was lost and is tried again has not ended for its slot.
       finish_slot = CASE WHEN $5 = 'lost' AND $9 = run_slot THEN finish_slot
                          ELSE greatest(finish_slot, run_slot) END,
       error_count = CASE WHEN run_trigger = 'backfill' THEN error_count
                          WHEN $7 = 'well' THEN 0
                          WHEN $7 = 'failed' THEN coalesce(error_count, 0) + 1
                          WHEN $7 = 'failed_anew' THEN 1
                          ELSE error_count END,
       last_error = CASE WHEN run_trigger = 'backfill' THEN last_error
                         WHEN $7 = 'well' THEN '{}'
                         WHEN $7 IN ('failed', 'failed_anew') THEN $8::json
                         ELSE last_error END,
       slot = CASE WHEN run_trigger IN ('schedule', 'parents') THEN $9 ELSE slot END,
       -- Not before the end of a pause; and not before the slot either, for Python hosts start whatever next_run says.
       next_run = CASE WHEN paused_until > coalesce($1, clock_timestamp())
                       THEN least(greatest(paused_until, CASE WHEN run_trigger IN ('schedule', 'parents') THEN $10 ELSE next_run END), '9999-01-01 00:00+00')
                       WHEN $11 THEN '9999-01-01 00:00+00'
                       WHEN run_trigger IN ('schedule', 'parents') THEN $10
                       ELSE next_run END,
       paused_until = CASE WHEN $11 THEN '9999-01-01 00:00+00' ELSE paused_until END,
       paused_by = CASE WHEN $11 THEN 'on_lost' ELSE paused_by END,
       pause_reason = CASE WHEN $11 THEN $6 ELSE pause_reason END
 WHERE app_name = $2 AND run_id = $3 AND fence = $4
-- The row as it is now, in the order of read_table.sql: its host need not read it.
RETURNING next_run, first_run, last_run, last_success, ongoing, coalesce(error_count, 0) AS error_count,
          last_error::text AS last_error, slot, success_slot, finish_slot, blocked_since, paused_until, paused_by,
          pause_reason, definition_hash, trigger_id, triggered_at, triggered_by, run_id,
          pg_catalog.set_config('crontabber.recorded', $3::text, true)
