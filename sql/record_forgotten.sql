-- record_forgotten: a run whose claim was acknowledged, and of which this database knows nothing: a failover has lost both.
-- The log gets a row that says so; nothing else changes, for the slot is due again and may be running.
-- Without an attempt: that number belongs to the claims that are known, and the next one has it.
-- Parameters: 1 job, 2 run id, 3 slot, 4 host, 5 trigger, 6-7 start and end, 8 a sentence.
INSERT INTO crontabber_log (app_name, log_time, run_id, slot, host, trigger, outcome, reason, started_at, finished_at, duration,
                            exc_type, exc_value, exc_traceback)
VALUES ($1, $7, $2, $3, $4, $5, 'lost', $8, $6, $7, $7 - $6, 'lost', $8, '')
    ON CONFLICT (run_id) WHERE run_id IS NOT NULL DO NOTHING
