-- record_skipped: the verdict of the slots that a run has passed whose row `record` has just written in this transaction.
-- Parameters: 1 the time or NULL, 2 run id, 3 job, 4-6 first, last and number of the slots.
-- log_time by its default would be the beginning of the transaction: in a job of SQL, hours ago.
INSERT INTO crontabber_log (app_name, log_time, slot, slot_until, slots, attempt, outcome, reason, finished_at)
SELECT $3, coalesce($1, clock_timestamp()), $4, $5, $6, 0, 'skipped', 'missed', coalesce($1, clock_timestamp())
 WHERE current_setting('crontabber.recorded', true) = $2::text
    ON CONFLICT (app_name, slot, attempt) WHERE slot IS NOT NULL DO NOTHING
