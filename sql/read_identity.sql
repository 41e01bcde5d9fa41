-- read_identity: which database this is, as far as any role may know; and whether this one may ask the server for its
-- system identifier. That is another statement: a right is asked for when a statement begins, not when it comes to it.
SELECT d.datname::text AS name, d.oid::bigint AS oid, host(inet_server_addr()) AS address,
       coalesce(inet_server_port(), current_setting('port')::integer) AS port,
       pg_postmaster_start_time() AS started_at, current_user::text AS role,
       coalesce(has_function_privilege(to_regprocedure('pg_catalog.pg_control_system()'), 'execute'), false) AS may_ask
  FROM pg_catalog.pg_database d
 WHERE d.datname = current_database()
