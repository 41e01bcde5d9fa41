-- doctor_rights: which of these rights this role lacks, and how a GRANT names what they are on. A right on every column is as
-- good as one on the table. The sequence of the log has another name where the tables came from crontabber 0.18.
-- Parameters: 1 tables, sequences, and functions with the types of their parameters, such as 'crontabber_execute()'; 2 a
-- privilege on each.
WITH wanted AS (
    SELECT w.number, w.privilege, w.name, is_function,
           CASE WHEN is_function THEN to_regprocedure(w.name)::oid
                WHEN w.name = 'crontabber_log_id_seq'
                THEN coalesce(pg_get_serial_sequence('crontabber_log', 'id')::regclass, to_regclass(w.name))::oid
                ELSE to_regclass(w.name)::oid END AS found
      FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(name, privilege, number),
           LATERAL (SELECT w.name LIKE '%)' AS is_function) AS kind
)
SELECT coalesce(c.relname::text, w.name) AS name, w.privilege, w.found IS NULL AS is_missing,
       CASE WHEN w.is_function THEN 'FUNCTION ' WHEN c.relkind = 'S' THEN 'SEQUENCE ' ELSE '' END
       || coalesce(c.relname::text, w.name) AS object
  FROM wanted w
  LEFT JOIN pg_catalog.pg_class c ON c.oid = w.found AND NOT w.is_function
 WHERE NOT coalesce(
           CASE WHEN w.is_function THEN has_function_privilege(w.found, w.privilege)
                WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, w.privilege)
                WHEN has_table_privilege(c.oid, w.privilege) THEN true
                WHEN w.privilege = 'DELETE' THEN false
                ELSE (SELECT bool_and(has_column_privilege(c.oid, a.attnum, w.privilege))
                        FROM pg_catalog.pg_attribute a
                       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END, false)
 ORDER BY w.number
