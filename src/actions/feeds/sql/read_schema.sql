-- read_schema: which tables of the action, and its view, this role sees. From pg_class and not by to_regclass: that one may
-- answer from a cache filled before the lock of a migration was ours.
SELECT relname::text AS name
  FROM pg_catalog.pg_class
 WHERE relname IN ('feeds', 'episodes', 'feed_fetches', 'feed_probes', 'episode_durations', 'feeds_schema')
   AND relkind IN ('r', 'p', 'v') AND pg_table_is_visible(oid)
