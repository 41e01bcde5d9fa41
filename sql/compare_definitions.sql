-- compare_definitions: what these hosts mean by each job: a row for each job and hash. Compared here and not by the
-- reader, because fifty hosts with a thousand jobs are megabytes; what all of them mean alike is left out.
-- Parameter: the hosts.
WITH meant AS (
    SELECT d.key AS app_name, d.value AS definition_hash, array_agg(h.host ORDER BY h.host) AS hosts
      FROM crontabber_host h
     CROSS JOIN LATERAL jsonb_each_text(h.definitions) AS d
     WHERE h.host = ANY ($1)
     GROUP BY d.key, d.value
)
SELECT app_name, definition_hash, hosts
  FROM meant
 WHERE cardinality(hosts) < cardinality($1)
 ORDER BY app_name, cardinality(hosts) DESC, hosts
