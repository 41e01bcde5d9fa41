-- untrigger: take back the request for a run that no host has claimed yet; by its id, so that it never hits the next
-- request. No legacy column, so no revision. Under control_lock; the audit row commits with it.
-- Parameters: 1 the job, 2 the id of the request, 3 who, 4 on which host, 5 why, 6 the time or NULL.
WITH taken_back AS (
    UPDATE crontabber j
       SET trigger_id = NULL, triggered_at = NULL, triggered_by = NULL
      FROM crontabber b
     WHERE j.app_name = $1 AND j.trigger_id = $2 AND b.app_name = j.app_name
    RETURNING j.app_name, b.triggered_at, b.triggered_by
), audited AS (
    INSERT INTO crontabber_audit (at, who, host, what, app_name, reason, detail)
    SELECT coalesce($6::timestamptz, clock_timestamp()), $3, $4, 'untrigger', app_name, $5,
           jsonb_build_object('before', jsonb_build_object('trigger_id', $2, 'triggered_at', triggered_at, 'triggered_by', triggered_by))
      FROM taken_back
)
SELECT app_name, pg_notify('crontabber', left('untrigger ' || app_name, 1900)) AS told FROM taken_back
