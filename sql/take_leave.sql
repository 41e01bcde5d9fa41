-- take_leave: the daemon behind a host's name has ended in good order. The others are told: what it has handed over is
-- theirs now.
-- Parameters: 1 the host, 2 the process, which must still be the one that goes by the name.
WITH gone AS (
    UPDATE crontabber_host
       SET instance = NULL, status = 'stopped', config_error = NULL
     WHERE host = $1 AND instance = $2
    RETURNING host
)
SELECT pg_notify('crontabber', left('left ' || host, 1900)) FROM gone
