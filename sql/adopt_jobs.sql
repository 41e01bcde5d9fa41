-- adopt_jobs: make the rows of jobs that no row knows yet. Whoever comes first makes them; the others find them.
-- next_run is never NULL: Python would never run such a job, nor its children.
-- Parameters: arrays, one entry a job: 1 names, 2 slots (NULL: no schedule), 3 next_run, 4 definition hashes,
-- 5 parents, comma-separated (names hold no commas); `name@*`: the rows of every host.
INSERT INTO crontabber (app_name, slot, next_run, definition_hash, depends_on, error_count, last_error, revision)
SELECT n.name,
       -- A job without a schedule has handled what its parents did before it was there.
       coalesce(n.slot,
                greatest((SELECT max(p.success_slot) FROM crontabber p WHERE p.app_name = ANY (string_to_array(n.parents, ','))),
                         CASE WHEN n.parents LIKE '%@*%'
                              THEN (SELECT max(p.success_slot) FROM crontabber p
                                     WHERE split_part(p.app_name, '@', 1) || '@*' = ANY (string_to_array(n.parents, ','))) END),
                '1970-01-01 00:00+00'),
       n.next_run, n.definition_hash, string_to_array(nullif(n.parents, ''), ','), 0, '{}', 1
  FROM unnest($1, $2, $3, $4, $5) AS n(name, slot, next_run, definition_hash, parents)
 ORDER BY n.name
    ON CONFLICT (app_name) DO NOTHING
