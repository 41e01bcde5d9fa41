-- execute_counts: what this session has changed and not yet told the server's statistics, table by table. Asked before
-- and after a job's SQL: behind a pooler the session has done other work, and tells of that once a second.
-- Counted by the server as it goes (track_counts), so that it holds for several statements, functions and triggers.
SELECT left(relid::regclass::text, 200) AS name, n_tup_ins AS inserted, n_tup_upd AS updated, n_tup_del AS deleted
  FROM pg_stat_xact_user_tables
 WHERE n_tup_ins + n_tup_upd + n_tup_del > 0
