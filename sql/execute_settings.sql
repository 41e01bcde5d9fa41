-- execute_settings: what a job's SQL finds when it starts: its text for `execute`, its limits, and what every run is
-- told (crontabber.job, .slot, .attempt, .run_id, .run_key, .fence, .deadline, .last_success).
-- A server that has the setting looks every 5 seconds whether we are still there (14 and later); one that limits
-- whole transactions (17) must not cut this one at an administrator's default.
-- With the columns of execute_counts, which may go on in the same statement, and no row of its own: nothing is set to NULL.
-- Parameters: 1 the text, 2 its limit, such as '1500ms', 3 names, 4 values, 5 whether for this transaction only.
SELECT name, NULL::bigint AS inserted, NULL::bigint AS updated, NULL::bigint AS deleted
  FROM unnest(array['crontabber.statement', 'statement_timeout', 'lock_timeout'] || $3,
              array[$1, $2, '0'] || $4) AS wanted(name, value)
 WHERE set_config(name, value, $5) IS NULL
UNION ALL
SELECT name, NULL, NULL, NULL
  FROM (VALUES ('client_connection_check_interval', '5s'), ('transaction_timeout', '0')) AS wanted(name, value)
 WHERE current_setting(name, true) IS NOT NULL
   AND set_config(name, value, $5) IS NULL
