-- record_fenced: a run that was reaped ended all the same; its row keeps the verdict and learns what happened.
-- Parameters: the run id, a sentence.
UPDATE crontabber_log
   SET reason = left(coalesce(reason || '; ', '') || $2, 2000)
 WHERE run_id = $1 AND outcome IN ('lost', 'cancelled') AND strpos(coalesce(reason, ''), $2) = 0
