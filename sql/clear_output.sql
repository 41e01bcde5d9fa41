-- clear_output: pieces of runs that ended more than an hour ago, whoever ran them and whether or not their job is still
-- there. A run that has no row in the log any more goes by when its pieces were printed.
-- Parameters: 1 how many pieces, 2 the time or NULL.
WITH cheap AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
), old AS MATERIALIZED (
    SELECT o.run_id, o.chunk
      FROM cheap, crontabber_output o
      LEFT JOIN crontabber_log l ON l.run_id = o.run_id
     WHERE l.outcome IS DISTINCT FROM 'running'
       AND coalesce(l.finished_at, o.printed_at) < coalesce($2::timestamptz, clock_timestamp()) - interval '1 hour'
     LIMIT $1
)
DELETE FROM crontabber_output o
 USING old
 WHERE o.run_id = old.run_id AND o.chunk = old.chunk
RETURNING o.chunk
