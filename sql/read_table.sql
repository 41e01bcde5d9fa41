-- read_table: everything a pass looks at before it decides, in one statement: the schema, the database's clock,
-- this host's own row and the row of every job. Advisory: nothing is locked, each claim checks again.
-- Parameters: 1 the host's name; 2 the time, or NULL for the database's clock; 3 the jobs, or NULL for all of them.
SELECT s.version, s.compatible_from,
       coalesce($2::timestamptz, clock_timestamp()) AS now,
       h.seen_at AS host_seen_at, h.configuration AS host_configuration, h.instance AS host_instance,
       h.drain_at AS host_drain_at,
       -- The columns of a job are read in this order.
       c.app_name, c.next_run, c.first_run, c.last_run, c.last_success, c.ongoing,
       -- As it is: what is legal in a json column may be an error as text (a NUL, half a pair), and each function here
       -- is looked up anew by the server of every pass.
       coalesce(c.error_count, 0) AS error_count, c.last_error::text AS last_error,
       c.slot, c.success_slot, c.finish_slot, c.blocked_since,
       c.paused_until, c.paused_by, c.pause_reason, c.definition_hash, c.trigger_id, c.triggered_at, c.triggered_by,
       c.run_id, c.run_slot, coalesce(c.run_trigger, '') AS run_trigger, coalesce(c.attempt, 0) AS attempt,
       coalesce(c.host, '') AS host, c.lease_until
  FROM crontabber_schema s
  LEFT JOIN crontabber_host h ON h.host = $1
  LEFT JOIN crontabber c ON $3 IS NULL OR c.app_name = ANY ($3)
