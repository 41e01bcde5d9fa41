-- execute_counts: what the SQL has changed in this transaction, table by table. Counted by the server as it goes
-- (track_counts), so that it holds for several statements, and for those of functions and triggers.
SELECT left(relid::regclass::text, 200) AS name, n_tup_ins AS inserted, n_tup_upd AS updated, n_tup_del AS deleted
  FROM pg_stat_xact_user_tables
 WHERE n_tup_ins + n_tup_upd + n_tup_del > 0
 ORDER BY schemaname, relname
 LIMIT 50
