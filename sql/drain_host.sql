-- drain_host: a host is to take no more work: what it runs ends, and it claims nothing until somebody undoes this. It is
-- the host that is drained and not its process: a restart changes nothing, for announce_host leaves these columns alone.
-- The audit row commits with it.
-- Parameters: 1 the host, 2 who, 3 on which host, 4 why, 5 the time or NULL.
WITH drained AS (
    UPDATE crontabber_host
       SET drain_at = coalesce($5::timestamptz, clock_timestamp()), drain_by = $2
     WHERE host = $1 AND drain_at IS NULL
    RETURNING host, drain_at
), audited AS (
    INSERT INTO crontabber_audit (at, who, host, what, reason, detail)
    SELECT drain_at, $2, $3, 'drain', $4, jsonb_build_object('host', host)
      FROM drained
)
SELECT host, pg_notify('crontabber', left('drain ' || host, 1900)) AS told FROM drained
