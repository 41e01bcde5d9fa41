-- execute_ending: what the record finds after a job's SQL whose roles and settings were taken back: the words of every
-- transaction of ours, and `pg_temp` at the end of the search path, for unnamed it comes first, and a temporary table called
-- crontabber would take the record. With the columns of execute_counts, which goes on in the same statement, and no row
-- of its own: nothing is set to NULL.
-- Parameter: how long the record may wait, such as '90000ms'.
SELECT name, NULL::bigint AS inserted, NULL::bigint AS updated, NULL::bigint AS deleted
  FROM (VALUES ('lock_timeout', $1), ('statement_timeout', $1), ('idle_in_transaction_session_timeout', '5s'),
               ('synchronous_commit', 'on'), ('client_min_messages', 'warning'), ('plan_cache_mode', 'force_generic_plan'),
               ('seq_page_cost', '0.1'), ('random_page_cost', '0.1'),
               ('search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), 'pg_temp')))
       AS wanted(name, value)
 WHERE pg_catalog.set_config(name, value, true) IS NULL
