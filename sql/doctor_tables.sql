-- doctor_tables: who owns the table of jobs, whether this role may act as that, and how many of the guard's three triggers
-- stand, with how long each respects the claims of Python hosts, in seconds. One that fires on replicas only is none here.
SELECT pg_get_userbyid(c.relowner)::text AS owner, pg_has_role(c.relowner, 'USAGE') AS is_owner,
       g.standing, g.shortest, g.longest
  FROM pg_catalog.pg_class c,
       LATERAL (SELECT count(*) AS standing, extract(epoch FROM min(age))::float8 AS shortest,
                       extract(epoch FROM max(age))::float8 AS longest
                  FROM pg_catalog.pg_trigger t,
                       LATERAL (SELECT split_part(encode(t.tgargs, 'escape'), '\000', 1)::interval AS age) AS argument
                 WHERE t.tgrelid = c.oid AND t.tgenabled IN ('O', 'A')
                   AND t.tgname IN ('crontabber_guard_update', 'crontabber_guard_delete', 'crontabber_guard_insert')) AS g
 WHERE c.relname = 'crontabber' AND c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid)
