-- read_durations: how long the successful runs of each of these rows took lately: the median of the last twenty.
-- Parameter: the names.
SELECT n.name,
       (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM run.took))::float8
          FROM (SELECT l.finished_at - l.started_at AS took
                  FROM crontabber_log l
                 WHERE l.app_name = n.name AND l.slot IS NOT NULL AND l.outcome = 'success'
                 ORDER BY l.slot DESC
                 LIMIT 20) AS run) AS seconds
  FROM unnest($1::text[]) AS n(name)
