-- read_schema: which tables there are: ours, or crontabber's own from before; and whether there is a schema at all in
-- which this role could see any.
-- From pg_class and not by to_regclass: that one may answer from a cache filled before the migration lock was
-- ours, and a second migration would then run beside the first users of the tables.
SELECT coalesce(bool_or(relname = 'crontabber_schema'), false) AS ours,
       coalesce(bool_or(relname = 'crontabber'), false) AS legacy,
       current_schema() IS NULL AS is_nowhere
  FROM pg_catalog.pg_class
 WHERE relname IN ('crontabber_schema', 'crontabber') AND relkind IN ('r', 'p') AND pg_table_is_visible(oid)
