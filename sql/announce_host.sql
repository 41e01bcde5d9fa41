-- announce_host: this host passed, with this configuration. synchronous_commit off: a lost announcement costs
-- nothing but another one.
-- Parameters: 1 host, 2 boot id, 3 pid namespace, 4 version, 5 tags, 6 hash of the configuration,
-- 7 hashes of the definitions, 8 clock skew in seconds, 9 the time or NULL; and of a daemon, where a pass says NULL:
-- 10 the process, 11 what it is doing, 12 why it goes on with an older configuration, 13 another daemon of this name.
WITH cheap AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
)
INSERT INTO crontabber_host AS h (host, boot_id, pid_namespace, version, tags, configuration, definitions, clock_skew, seen_at,
                                  instance, started_at, status, config_error)
SELECT $1, $2, $3, $4, $5, $6, $7, make_interval(secs => $8), coalesce($9, clock_timestamp()),
       $10, CASE WHEN $10 IS NOT NULL THEN coalesce($9, clock_timestamp()) END, $11, $12
  FROM cheap
    ON CONFLICT (host) DO UPDATE
   SET boot_id = excluded.boot_id, pid_namespace = excluded.pid_namespace, version = excluded.version,
       tags = excluded.tags, configuration = excluded.configuration, definitions = excluded.definitions,
       clock_skew = excluded.clock_skew, seen_at = excluded.seen_at,
       -- A pass beside a daemon leaves what the daemon has said.
       instance = coalesce(excluded.instance, h.instance),
       started_at = CASE WHEN excluded.instance IS DISTINCT FROM h.instance THEN coalesce(excluded.started_at, h.started_at)
                         ELSE h.started_at END,
       status = CASE WHEN excluded.instance IS NULL THEN h.status ELSE excluded.status END,
       config_error = CASE WHEN excluded.instance IS NULL THEN h.config_error ELSE excluded.config_error END,
       other_instance = CASE WHEN $13 IS NULL THEN h.other_instance ELSE $13 END,
       other_seen_at = CASE WHEN $13 IS NULL THEN h.other_seen_at ELSE h.seen_at END
