-- doctor_server: what of the server, and of what it gives to this role, the promise or the work of a host hangs on.
-- Lengths in milliseconds, from pg_settings: what current_setting says has a unit, and which settings there are depends
-- on the version.
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::integer AS version_number,
       pg_is_in_recovery() AS is_standby,
       current_setting('fsync')::boolean AS fsync, current_setting('full_page_writes')::boolean AS full_page_writes,
       current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('synchronous_standby_names') AS synchronous_standby_names,
       current_setting('default_transaction_isolation') AS isolation,
       current_setting('default_transaction_read_only')::boolean AS read_only,
       (SELECT setting::bigint FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout') AS idle_in_transaction,
       (SELECT setting::bigint FROM pg_settings WHERE name = 'idle_session_timeout') AS idle_session,
       current_setting('max_connections')::integer AS max_connections,
       (SELECT sum(setting::integer) FROM pg_settings
         WHERE name IN ('superuser_reserved_connections', 'reserved_connections'))::integer AS reserved_connections,
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS role_limit,
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS database_limit,
       (SELECT sum(numbackends) FROM pg_stat_database)::bigint AS connections,
       current_schema()::text AS schema
