-- take_leave: the daemon behind a host's name has ended in good order.
-- Parameters: 1 the host, 2 the process, which must still be the one that goes by the name.
UPDATE crontabber_host
   SET instance = NULL, status = 'stopped', config_error = NULL
 WHERE host = $1 AND instance = $2
