-- read_definitions: the hash of each job's definition as this host last announced it.
-- Parameter: the host.
SELECT definitions
  FROM crontabber_host
 WHERE host = $1
