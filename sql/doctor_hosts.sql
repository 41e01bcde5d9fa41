-- doctor_hosts: what is odd about the hosts: who is silent, which versions there are, who goes on with an older
-- configuration, whose name another daemon has.
SELECT host, version, seen_at, config_error, other_instance, other_seen_at
  FROM crontabber_host
 ORDER BY host
