-- read_guard: whether the guard stands on all three triggers, and respects Python hosts' claims for so long.
-- One that fires on replicas only is none here.
-- Parameter: how long, such as '43200 seconds'.
SELECT count(*) = 3 AND bool_and(tgenabled IN ('O', 'A') AND split_part(encode(tgargs, 'escape'), '\000', 1)::interval = $1::interval) AS stands
  FROM pg_catalog.pg_trigger
  JOIN pg_catalog.pg_class ON pg_class.oid = tgrelid
 WHERE relname = 'crontabber' AND pg_catalog.pg_table_is_visible(tgrelid)
   AND tgname IN ('crontabber_guard_update', 'crontabber_guard_delete', 'crontabber_guard_insert')
