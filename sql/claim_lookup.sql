-- claim_lookup: after a lost acknowledgement, whether the claim is there. It is a heartbeat: its own
-- acknowledged commit proves that the claim's is durable.
-- Parameters: job, run id, lease in seconds, the time or NULL.
UPDATE crontabber
   SET lease_until = coalesce($4::timestamptz, clock_timestamp()) + make_interval(secs => $3)
 WHERE app_name = $1 AND run_id = $2
RETURNING fence, attempt, ongoing, coalesce(error_count, 0) AS error_count, last_success
