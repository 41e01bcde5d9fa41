-- announce_host: this host passed, with this configuration. synchronous_commit off: a lost announcement costs
-- nothing but another one.
-- Parameters: 1 host, 2 boot id, 3 pid namespace, 4 version, 5 tags, 6 hash of the configuration,
-- 7 hashes of the definitions, 8 clock skew in seconds, 9 the time or NULL.
WITH cheap AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
)
INSERT INTO crontabber_host AS h (host, boot_id, pid_namespace, version, tags, configuration, definitions, clock_skew, seen_at)
SELECT $1, $2, $3, $4, $5, $6, $7, make_interval(secs => $8), coalesce($9, clock_timestamp())
  FROM cheap
    ON CONFLICT (host) DO UPDATE
   SET boot_id = excluded.boot_id, pid_namespace = excluded.pid_namespace, version = excluded.version,
       tags = excluded.tags, configuration = excluded.configuration, definitions = excluded.definitions,
       clock_skew = excluded.clock_skew, seen_at = excluded.seen_at
