-- migrate_begin: one migrator at a time in one schema; the lock ends with the transaction.
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '10min';
SET LOCAL synchronous_commit = 'on';
SET LOCAL client_min_messages = 'warning';
SELECT pg_advisory_xact_lock(hashtextextended('crontabber migrate ' || current_schema(), 0));
