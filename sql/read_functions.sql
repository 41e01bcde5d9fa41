-- read_functions: which of these functions are gone from the schema of the tables. One further on in the search path belongs to
-- others.
-- Parameter: their names with the types of their parameters, such as 'crontabber_execute()'.
SELECT name
  FROM unnest($1::text[]) AS name,
       pg_catalog.pg_class
 WHERE pg_class.oid = to_regclass('crontabber')
   AND to_regprocedure(format('%s.%s', relnamespace::regnamespace, name)) IS NULL
