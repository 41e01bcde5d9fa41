-- migrate_schema: what a migration makes belongs where the tables are, even if another schema has come to stand before that in
-- the search path.
SELECT pg_catalog.set_config('search_path', concat_ws(', ', relnamespace::regnamespace, nullif(current_setting('search_path'), '')), true)
  FROM pg_catalog.pg_class
 WHERE oid = to_regclass('crontabber')
