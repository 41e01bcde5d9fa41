-- undrain_host: a host that was drained takes work again. The audit row commits with it.
-- Parameters: 1 the host, 2 who, 3 on which host, 4 why, 5 the time or NULL.
WITH undrained AS (
    UPDATE crontabber_host h
       SET drain_at = NULL, drain_by = NULL
      FROM crontabber_host b
     WHERE h.host = $1 AND h.drain_at IS NOT NULL AND b.host = h.host
    RETURNING h.host, b.drain_at, b.drain_by
), audited AS (
    INSERT INTO crontabber_audit (at, who, host, what, reason, detail)
    SELECT coalesce($5::timestamptz, clock_timestamp()), $2, $3, 'undrain', $4, jsonb_build_object(
               'host', host, 'before', jsonb_build_object('drain_at', drain_at, 'drain_by', drain_by))
      FROM undrained
)
SELECT host, pg_notify('crontabber', left('undrain ' || host, 1900)) AS told FROM undrained
