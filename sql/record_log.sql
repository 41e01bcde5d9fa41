-- record_log: close the log row of a run whose row `record` has just written in this transaction.
-- Parameters: 1 the time or NULL, 2 run id, 3 outcome, 4 reason, 5 exit code, 6 signal, 7 output, 8 what it does to
-- error_count, as for `record`; 9 whether an effect is committed with it: then it is an error if `record` has written
-- nothing, and the COMMIT that was sent with it takes everything back.
UPDATE crontabber_log
   SET outcome = $3, reason = $4, exit_code = $5, signal = $6, output = $7,
       finished_at = coalesce($1, clock_timestamp()),
       log_time = coalesce($1, clock_timestamp()),
       duration = coalesce($1, clock_timestamp()) - started_at,
       success = CASE WHEN $8 = 'well' THEN started_at END,
       exc_type = CASE WHEN $8 <> 'well' THEN $3 END,
       exc_value = CASE WHEN $8 <> 'well' THEN coalesce($4, $3) END,
       exc_traceback = CASE WHEN $8 <> 'well' THEN '' END
 -- Not as the condition of an index: it would be read from end to end, where the run id finds one row.
 WHERE run_id = $2 AND coalesce(outcome, '') = 'running'
   -- Asked once, whether there is such a row or not; the server puts "invalid input syntax for type boolean" before it.
   AND CASE WHEN current_setting('crontabber.recorded', true) = $2::text THEN 'true'
            WHEN $9 THEN 'crontabber: the claim is gone, so what the job has done is rolled back'
            ELSE 'false'
       END::boolean
