-- read_functions: which of these functions are gone.
-- Parameter: their names with the types of their parameters, such as 'crontabber_execute()'.
SELECT name FROM unnest($1::text[]) AS name WHERE to_regprocedure(name) IS NULL
