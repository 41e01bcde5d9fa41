-- missing_rights: which of the rights that the commands of the action need this role does not have, as what to type; and
-- who owns the tables. Asked only when a statement was refused: a right on some columns is enough for PostgreSQL, and is
-- not known here. Those that only `remove` needs are told where nothing else is missing.
WITH needed (name, verb, is_for_a_pass) AS (
    VALUES ('feeds', 'SELECT', true), ('feeds', 'INSERT', true), ('feeds', 'UPDATE', true), ('feeds', 'DELETE', false),
           ('episodes', 'SELECT', true), ('episodes', 'INSERT', true), ('episodes', 'UPDATE', true),
           ('feed_fetches', 'SELECT', true), ('feed_fetches', 'INSERT', true), ('feed_fetches', 'DELETE', true),
           ('feed_probes', 'SELECT', true), ('feed_probes', 'INSERT', true), ('feed_probes', 'UPDATE', true),
           ('episode_durations', 'SELECT', true), ('feeds_schema', 'SELECT', true)
), missing AS (
    SELECT needed.name, is_for_a_pass, string_agg(verb, ', ') AS verbs
      FROM needed
      JOIN pg_catalog.pg_class c ON c.relname = needed.name AND pg_table_is_visible(c.oid)
     WHERE NOT has_table_privilege(c.oid, verb)
     GROUP BY needed.name, is_for_a_pass
)
SELECT quote_ident(current_user) AS role,
       quote_ident(current_schema()) AS schema,
       (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_catalog.pg_class
         WHERE relname = 'feeds' AND relkind IN ('r', 'p') AND pg_table_is_visible(oid)) AS owner,
       (SELECT array_agg(format('GRANT %s ON %I TO %I', verbs, name, current_user) ORDER BY name)
          FROM missing
         WHERE is_for_a_pass OR NOT EXISTS (SELECT FROM missing WHERE is_for_a_pass)) AS grants
