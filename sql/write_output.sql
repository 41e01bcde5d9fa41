-- write_output: pieces of what this host's runs are printing, all runs in one statement; of each run only the newest
-- pieces are kept. synchronous_commit off: what a crash of the server takes is in the record of the run.
-- The deletion sees the table as it was before this statement: the pieces that come are no more than it leaves.
-- Parameters: 1 run ids, 2 numbers, 3 texts, 4 how many pieces a run keeps, 5 the time or NULL.
WITH cheap AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
), written AS (
    INSERT INTO crontabber_output (run_id, chunk, printed_at, output)
    SELECT p.run_id, p.chunk, coalesce($5::timestamptz, clock_timestamp()), p.output
      FROM cheap, unnest($1, $2, $3) AS p(run_id, chunk, output)
)
DELETE FROM crontabber_output o
 USING (SELECT p.run_id, max(p.chunk) AS newest FROM unnest($1, $2) AS p(run_id, chunk) GROUP BY p.run_id) n
 WHERE o.run_id = n.run_id AND o.chunk <= n.newest - $4
