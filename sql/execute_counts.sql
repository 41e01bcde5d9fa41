-- execute_counts: what this session has changed and not yet told the server's statistics, table by table. Asked after a
-- job's SQL, and before it where the session may have done other work and not told of it: one that is new to us, one of a
-- server before PostgreSQL 15, which has session_left_told, and one of a pooler.
-- Counted by the server as it goes (track_counts), so that it holds for several statements, functions and triggers.
-- What pg_stat_xact_user_tables says, for a tenth of the work: that view joins and groups all indexes, too. The server's
-- own tables have the numbers below 16384 (FirstNormalObjectId), and are passed over by the index.
-- Goes on with the statement that says whether it is to be counted, in parentheses, which is carried out once and first.
SELECT left(oid::pg_catalog.regclass::text, 200) AS name,
       pg_catalog.pg_stat_get_xact_tuples_inserted(oid) AS inserted,
       pg_catalog.pg_stat_get_xact_tuples_updated(oid) AS updated,
       pg_catalog.pg_stat_get_xact_tuples_deleted(oid) AS deleted
  FROM pg_catalog.pg_class
 WHERE oid >= 16384
   AND relkind IN ('r', 'm', 'p')
   AND pg_catalog.pg_stat_get_xact_tuples_inserted(oid) + pg_catalog.pg_stat_get_xact_tuples_updated(oid)
       + pg_catalog.pg_stat_get_xact_tuples_deleted(oid) > 0
   AND
