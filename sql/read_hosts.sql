-- read_hosts: every host that has announced itself, with all it has said but the definitions themselves.
SELECT h.host, h.version, h.tags, h.seen_at, h.drain_at, h.drain_by, h.instance, h.started_at, h.status, h.config_error,
       h.other_instance, h.other_seen_at,
       extract(epoch FROM h.clock_skew)::float8 AS clock_skew, h.configuration,
       (SELECT count(*) FROM jsonb_object_keys(h.definitions)) AS jobs
  FROM crontabber_host h
 ORDER BY h.host
