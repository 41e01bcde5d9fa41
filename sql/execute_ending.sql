-- execute_ending: what the record finds after a job's SQL whose roles and settings were taken back: the words of every
-- transaction of ours, and `pg_temp` at the end of the search path, for unnamed it comes first, and a temporary table called
-- crontabber would take the record.
-- Parameter: how long it may wait, such as '8000ms'.
SELECT pg_catalog.set_config('lock_timeout', $1, true),
       pg_catalog.set_config('statement_timeout', $1, true),
       pg_catalog.set_config('idle_in_transaction_session_timeout', '5s', true),
       pg_catalog.set_config('synchronous_commit', 'on', true),
       pg_catalog.set_config('client_min_messages', 'warning', true),
       pg_catalog.set_config('search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), 'pg_temp'), true)
