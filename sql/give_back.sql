-- give_back: end a claim that was never started; its slot is due again at once.
-- Parameters: job, run id, fence, why.
WITH freed AS (
    UPDATE crontabber
       SET revision = revision + 1,
           ongoing = NULL, run_id = NULL, run_slot = NULL, run_trigger = NULL, attempt = NULL, host = NULL,
           lease_until = NULL, on_lost = NULL, lost_next_slot = NULL, lost_backoff = NULL, cancel_run_id = NULL,
           next_run = CASE WHEN run_trigger = 'parents' THEN clock_timestamp() ELSE next_run END
     WHERE app_name = $1 AND run_id = $2 AND fence = $3
    RETURNING 1
)
UPDATE crontabber_log
   SET outcome = 'cancelled', reason = $4, finished_at = clock_timestamp(), log_time = clock_timestamp()
 WHERE run_id = $2 AND outcome = 'running' AND EXISTS (SELECT FROM freed)
