-- claim_lookup: after a lost acknowledgement, which of some claims are there. It is a heartbeat: its own acknowledged
-- commit proves that theirs is durable.
-- Parameters: 1 the time or NULL; of each claim: 2 job, 3 run id, 4 lease in seconds.
UPDATE crontabber j
   SET lease_until = coalesce($1::timestamptz, clock_timestamp()) + make_interval(secs => w.lease)
  FROM unnest($2::text[], $3::uuid[], $4::float8[]) AS w (app_name, run_id, lease)
 WHERE j.app_name = ANY ($2) AND j.app_name = w.app_name AND j.run_id = w.run_id
RETURNING j.run_id, fence, attempt, ongoing, coalesce(error_count, 0) AS error_count, last_success
