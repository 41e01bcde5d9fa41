-- forget_host: delete the row of a host that is gone. Not of one that has passed lately or holds a lease: it would
-- announce itself again, and until then its jobs would be called blocked. The audit row commits with it.
-- Parameters: 1 the host, 2 for how many seconds an announcement is news, 3 who, 4 on which host, 5 the time or NULL.
WITH clock AS MATERIALIZED (
    SELECT coalesce($5::timestamptz, clock_timestamp()) AS now
), forgotten AS (
    DELETE FROM crontabber_host h
     USING clock
     WHERE h.host = $1
       AND h.seen_at < clock.now - make_interval(secs => $2)
       AND NOT EXISTS (SELECT FROM crontabber j WHERE j.host = h.host AND j.lease_until > clock.now)
    RETURNING h.host, h.seen_at, jsonb_build_object(
        'boot_id', h.boot_id, 'pid_namespace', h.pid_namespace, 'version', h.version, 'tags', h.tags,
        'configuration', h.configuration, 'definitions', h.definitions, 'seen_at', h.seen_at,
        'clock_skew', h.clock_skew, 'drain_at', h.drain_at, 'drain_by', h.drain_by) AS whole
), audited AS (
    INSERT INTO crontabber_audit (at, who, host, what, detail)
    SELECT clock.now, $3, $4, 'forget_host', jsonb_build_object('host', forgotten.host, 'before', forgotten.whole)
      FROM clock, forgotten
)
SELECT seen_at FROM forgotten
