-- trigger: ask for one run of a job, wherever it may run: whoever plans next claims it, and the claim clears the request.
-- Nothing else of the row changes, so what the schedule wants stays as it is. One request at a time: a second one says
-- who has asked before. No legacy column, so no revision: Python's hosts see nothing of it. Under control_lock; the audit
-- row commits with it.
-- Parameters: 1 the job, 2 the id of the request, 3 who, 4 on which host, 5 why, 6 the time or NULL.
WITH asked AS (
    UPDATE crontabber
       SET trigger_id = $2, triggered_at = coalesce($6::timestamptz, clock_timestamp()), triggered_by = $3
     WHERE app_name = $1 AND trigger_id IS NULL
    RETURNING app_name, trigger_id, triggered_at
), audited AS (
    INSERT INTO crontabber_audit (at, who, host, what, app_name, reason, detail)
    SELECT triggered_at, $3, $4, 'trigger', app_name, $5, jsonb_build_object('trigger_id', trigger_id, 'slot', triggered_at)
      FROM asked
)
SELECT app_name, pg_notify('crontabber', left('trigger ' || app_name, 1900)) AS told FROM asked
