-- control_lock: hold the rows that somebody wants to change, and read them as they are. It waits for whoever has them,
-- as long as the transaction's lock_timeout, and takes them in the order of their names, as every statement that holds
-- several. Asked again after the change, it reads what became of them.
-- FOR NO KEY UPDATE: a job's own transaction may hold FOR KEY SHARE (crontabber_assert_fence) for as long as it
-- likes, and must not keep anybody from cancelling it. A claim meets this lock as it meets any other.
-- The zone, because the audit row of the change tells instants.
-- Parameters: 1 names, 2 the time or NULL.
WITH utc AS MATERIALIZED (
    SELECT set_config('TimeZone', 'UTC', true)
)
SELECT coalesce($2::timestamptz, clock_timestamp()) AS now,
       -- The columns of a job are read in the order of read_table.sql.
       c.app_name, c.next_run, c.first_run, c.last_run, c.last_success, c.ongoing,
       coalesce(c.error_count, 0) AS error_count, c.last_error::text AS last_error,
       c.slot, c.success_slot, c.finish_slot, c.blocked_since,
       c.paused_until, c.paused_by, c.pause_reason, c.definition_hash, c.trigger_id, c.triggered_at, c.triggered_by,
       c.run_id, c.run_slot, coalesce(c.run_trigger, '') AS run_trigger, coalesce(c.attempt, 0) AS attempt,
       coalesce(c.host, '') AS host, c.lease_until
  FROM utc, crontabber c
 WHERE c.app_name = ANY ($1)
 ORDER BY c.app_name
   FOR NO KEY UPDATE OF c
