-- read_announced: when each host passed last, and how far its clock was ahead of the database's, in seconds.
SELECT host, seen_at, extract(epoch FROM clock_skew)::float8 AS clock_skew
  FROM crontabber_host
 ORDER BY host
