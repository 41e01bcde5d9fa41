-- execute_ending: what the record finds after a job's SQL whose roles and settings were taken back: the words of every
-- transaction of ours, and `pg_temp` at the end of the search path, for unnamed it comes first, and a temporary table called
-- crontabber would take the record.
-- Says whether it is to be counted what the SQL has changed, as execute_settings does.
-- Parameter: how long the record may wait, such as '90000ms'.
SELECT CASE WHEN pg_catalog.set_config('lock_timeout', $1, true) IS NOT NULL
             AND pg_catalog.set_config('statement_timeout', $1, true) IS NOT NULL
             AND pg_catalog.set_config('idle_in_transaction_session_timeout', '5s', true) IS NOT NULL
             AND pg_catalog.set_config('synchronous_commit', 'on', true) IS NOT NULL
             AND pg_catalog.set_config('client_min_messages', 'warning', true) IS NOT NULL
             AND pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true) IS NOT NULL
             AND pg_catalog.set_config('seq_page_cost', '0.1', true) IS NOT NULL
             AND pg_catalog.set_config('random_page_cost', '0.1', true) IS NOT NULL
             AND pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ',
                     nullif(pg_catalog.current_setting('search_path'), ''), 'pg_temp'), true) IS NOT NULL
            THEN pg_catalog.pg_relation_size('pg_catalog.pg_class') < 524288
       END AS is_counted
