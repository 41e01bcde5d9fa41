-- execute_settings: what a job's SQL finds when it starts: its text for `execute`, its limits, and what every run is
-- told (crontabber.job, .slot, .attempt, .run_id, .run_key, .fence, .deadline, .last_success).
-- A server that has the setting looks every 5 seconds whether we are still there (14 and later); one that limits
-- whole transactions (17) must not cut this one at an administrator's default.
-- Says whether it is to be counted what the SQL changes: not where there are thousands of tables, each of which would have
-- to be asked, which would cost more than most jobs do. A CASE, for its conditions come first and in their order.
-- Parameters: 1 the text, 2 its limit, such as '1500ms', 3 names, 4 values, 5 whether for this transaction only.
SELECT CASE WHEN set_config('crontabber.statement', $1, $5) IS NOT NULL
             AND set_config('statement_timeout', $2, $5) IS NOT NULL
             AND set_config('lock_timeout', '0', $5) IS NOT NULL
             AND (current_setting('client_connection_check_interval', true) IS NULL
                  OR set_config('client_connection_check_interval', '5s', $5) IS NOT NULL)
             AND (current_setting('transaction_timeout', true) IS NULL
                  OR set_config('transaction_timeout', '0', $5) IS NOT NULL)
             AND (SELECT count(set_config(name, value, $5)) FROM unnest($3, $4) AS told (name, value)) IS NOT NULL
            THEN pg_relation_size('pg_catalog.pg_class') < 524288
       END AS is_counted
