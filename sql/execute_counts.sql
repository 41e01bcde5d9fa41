-- execute_counts: what this session has changed and not yet told the server's statistics, table by table. Asked before
-- and after a job's SQL: the session may have done other work, and tells of that once a second.
-- Counted by the server as it goes (track_counts), so that it holds for several statements, functions and triggers.
-- What pg_stat_xact_user_tables says, for a tenth of the work: that view joins and groups all indexes, too. The server's
-- own tables have the numbers below 16384 (FirstNormalObjectId), and are passed over by the index.
SELECT left(oid::regclass::text, 200) AS name, inserted, updated, deleted
  FROM pg_catalog.pg_class,
       LATERAL (SELECT pg_catalog.pg_stat_get_xact_tuples_inserted(oid) AS inserted,
                       pg_catalog.pg_stat_get_xact_tuples_updated(oid) AS updated,
                       pg_catalog.pg_stat_get_xact_tuples_deleted(oid) AS deleted) AS counted
 WHERE oid >= 16384
   AND relkind IN ('r', 'm', 'p')
   AND inserted + updated + deleted > 0
