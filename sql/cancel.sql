-- cancel: ask the host of a run to kill it. It names the run, so that it cannot hit the next one; the owner's heartbeat
-- brings it back, which a daemon does at once when it is notified, and a claim clears it. No legacy column, so no
-- revision. Under control_lock; the audit row commits with it.
-- Parameters: 1 the job, 2 the run id, 3 who, 4 on which host, 5 why, 6 the time or NULL.
WITH asked AS (
    UPDATE crontabber
       SET cancel_run_id = run_id
     WHERE app_name = $1 AND run_id = $2 AND cancel_run_id IS DISTINCT FROM run_id
    RETURNING app_name, run_id, host
), audited AS (
    INSERT INTO crontabber_audit (at, who, host, what, app_name, reason, detail)
    SELECT coalesce($6, clock_timestamp()), $3, $4, 'cancel', app_name, $5, jsonb_build_object('run_id', run_id, 'host', host)
      FROM asked
)
SELECT app_name, pg_notify('crontabber', 'cancel ' || run_id) AS told FROM asked
