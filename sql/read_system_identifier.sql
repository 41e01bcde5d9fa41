-- read_system_identifier: the number that initdb gave to this server; its physical copies have it too.
SELECT system_identifier
  FROM pg_catalog.pg_control_system()
