-- execute_is_open: a row if the session is in a transaction that earlier statements have begun: its clock stands still.
SELECT 1 WHERE pg_catalog.now() <> pg_catalog.statement_timestamp()
