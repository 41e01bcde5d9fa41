-- session_left: after a job's transaction, lets go of the locks that it has left in its session; and whether it has given
-- names to statements: those would be in the way of the next job, and to forget them is to forget ours.
SELECT pg_catalog.pg_advisory_unlock_all()::text,
       EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql) AS has_names
