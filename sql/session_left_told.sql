-- session_left_told: the same as session_left, and tells the server's statistics at once what the session has changed, which
-- it would do once a second: then all that it has not told of is the next job's. PostgreSQL 15 and later.
SELECT pg_catalog.pg_advisory_unlock_all()::text,
       EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql) AS has_names,
       pg_catalog.pg_stat_force_next_flush()::text
