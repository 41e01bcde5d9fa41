-- read_output: what a run has printed after a piece that is known, and how it goes. In one statement: whoever sees that it
-- has ended has seen all that was written before its record. No row: no such run.
-- Parameters: 1 run id, 2 the piece that is known, 3 how many pieces.
SELECT l.outcome, o.chunk, o.output
  FROM crontabber_log l
  LEFT JOIN LATERAL (
       SELECT chunk, output
         FROM crontabber_output
        WHERE run_id = l.run_id AND chunk > $2
        ORDER BY chunk
        LIMIT $3
       ) o ON true
 WHERE l.run_id = $1
 ORDER BY o.chunk
