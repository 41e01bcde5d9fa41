-- execute_counts: what the SQL has changed so far in this transaction, table by table, and the rows of its last
-- statement.
SELECT left(coalesce(relid::regclass::text, relname), 200) AS name, n_tup_ins AS inserted, n_tup_upd AS updated,
       n_tup_del AS deleted, coalesce(nullif(current_setting('crontabber.row_count', true), '')::bigint, 0) AS last
  FROM (SELECT) AS always
  LEFT JOIN (SELECT *
               FROM pg_stat_xact_user_tables
              WHERE n_tup_ins + n_tup_upd + n_tup_del > 0
              ORDER BY schemaname, relname
              LIMIT 50) AS changed ON true
